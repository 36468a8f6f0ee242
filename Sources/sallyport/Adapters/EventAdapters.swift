import API
import EventStreams
import Model
import RedisStore

/// The log of events in Redis, as the API reads it.
struct RedisEvents: EventSource {
    let store: Store
    let tail: EventTail
    let unstored: AsyncStream<[Event]>

    func latest(limit: Int) async throws -> EventPage { try await store.latestEvents(limit: limit) }

    func page(after place: EventPlace, limit: Int) async throws -> EventPage {
        try await store.eventPage(after: place.description, limit: limit)
    }

    func next(after place: EventPlace, limit: Int) async throws -> EventPage { try await tail.next(after: place, limit: limit) }

    func interrupt() { tail.interrupt() }
}
