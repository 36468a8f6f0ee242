import HTTPServing
import Model
import Platform
import Synchronization

/// Sends stored events to the readers of `/api/stream/events`.
///
/// Ids are those of the store, which all controllers share: a reader goes on at any of them, and after any restart.
final class EventFeed: Sendable {
    /// A place in the store's stream of events.
    struct Place: Comparable, Sendable {
        var milliseconds: UInt64
        var number: UInt64

        /// Nil for what is no event's id.
        init?(_ id: String) {
            let parts = id.split(separator: "-", omittingEmptySubsequences: false).map { UInt64($0) }
            guard parts.count == 2, let milliseconds = parts[0], let number = parts[1] else { return nil }
            (self.milliseconds, self.number) = (milliseconds, number)
        }

        static func < (left: Place, right: Place) -> Bool {
            (left.milliseconds, left.number) < (right.milliseconds, right.number)
        }
    }

    struct Filter: Sendable {
        var country: CountryCode?
        var kind: EventKind?
        func contains(_ event: Event) -> Bool { (country == nil || event.country == country) && (kind == nil || event.kind == kind) }
    }

    struct Reader: Sendable {
        let stream: BodyStream
        let filter: Filter
        /// The last event that it has got, or that its filter has left out.
        var place: Place
    }

    private struct State {
        /// The last event that was sent; nil before the store has answered once.
        var last: Place?
        var readers: [ObjectIdentifier: Reader] = [:]
    }

    static let readerLimit = 5000
    private let metrics: APIMetrics
    private let state = Mutex(State())

    init(metrics: APIMetrics) { self.metrics = metrics }

    var readers: Int { state.withLock { $0.readers.count } }
    var last: Place? { state.withLock { $0.last } }

    /// Where there is nobody yet, sending begins.
    func begin(at place: Place) { state.withLock { $0.last = $0.last ?? place } }

    /// Sends each event to those that want it and don't have it.
    func publish(_ events: [StoredEvent]) {
        state.withLock { state in
            for entry in events {
                guard let place = Place(entry.id) else { continue }
                let bytes = Self.bytes(entry)
                for (id, reader) in state.readers where reader.place < place {
                    state.readers[id]?.place = place
                    if reader.filter.contains(entry.event), !reader.stream.send(bytes) { drop(id, &state) }
                }
                state.last = place
            }
        }
    }

    /// A comment, so that both sides notice when the other is gone.
    func beat() {
        state.withLock { state in
            for (id, reader) in state.readers where !reader.stream.send(Array(": heartbeat\n\n".utf8)) { drop(id, &state) }
            metrics.streams.set(Double(state.readers.count), "events")
        }
    }

    private func drop(_ id: ObjectIdentifier, _ state: inout State) {
        state.readers[id] = nil
        metrics.droppedReaders.add(1, "events")
    }

    /// Takes a reader who has all that was sent until now. False where something came meanwhile: it must catch up first.
    func join(_ reader: Reader) throws -> Bool {
        try state.withLock { state in
            if state.readers.count >= Self.readerLimit { state.readers = state.readers.filter { !$0.value.stream.hasEnded } }
            guard state.readers.count < Self.readerLimit else {
                throw APIProblem(
                    status: 503, code: "too_many_readers", message: "this stream has all the readers it can have",
                    headers: [("Retry-After", "10")])
            }
            if let last = state.last, reader.place < last { return false }
            state.readers[ObjectIdentifier(reader.stream)] = reader
            metrics.streams.set(Double(state.readers.count), "events")
            return true
        }
    }

    static func bytes(_ entry: StoredEvent) -> [UInt8] {
        let data = String(decoding: ServerResponse.json(EventView(entry)).body, as: UTF8.self)
        return Array("id: \(entry.id)\nevent: \(entry.event.kind.rawValue)\ndata: \(data)\n\n".utf8)
    }
}
