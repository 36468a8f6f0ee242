import FoundationEssentials
package import Model
import Platform

/// The log of events: a Redis stream that every controller of a store writes and reads.
extension Store {
    /// Stores events in their order. One that is there already, because the answer to an earlier try was lost, is not stored again.
    ///
    /// Not fenced: a controller that stands by tells of what happens to it, too.
    package func append(_ events: [Event]) async throws {
        guard !events.isEmpty else { return }
        try await tables.checkTrust()
        let words = ["EVAL", Self.appending, "3", key("events"), key("events:counts"), key("events:uids")]
        let now = String(SystemClock.now().milliseconds)
        try await connection.command(words + [now] + events.flatMap { [$0.uid ?? "", $0.kind.rawValue, try text($0)] })
    }

    private static let appending = """
        for i = 2, #ARGV, 3 do
            if ARGV[i] == '' or redis.call('ZADD', KEYS[3], 'NX', ARGV[1], ARGV[i]) == 1 then
                redis.call('XADD', KEYS[1], 'MAXLEN', '~', '10000', '*', 'event', ARGV[i + 2])
                redis.call('HINCRBY', KEYS[2], ARGV[i + 1], 1)
            end
        end
        redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -10001)
        return 'OK'
        """

    /// Events in the order in which they came, from after an id on; the latest ones where that is nil.
    package func events(after id: String?, limit: Int) async throws -> [StoredEvent] {
        guard let id else { return try await latestEvents(limit: limit).events }
        return try await eventPage(after: id, limit: limit).events
    }

    /// The log's last piece.
    package func latestEvents(limit: Int) async throws -> EventPage {
        let reply = try await connection.command(["XREVRANGE", key("events"), "+", "-", "COUNT", String(limit)])
        return EventLog.page(Self.entries(reply).reversed())
    }

    /// The log's piece after an id, and whether something between is lost.
    package func eventPage(after id: String, limit: Int) async throws -> EventPage {
        try await EventLog(connection: connection, prefix: prefix).page(after: id, limit: limit)
    }

    /// How often each kind of event has happened since the store began.
    package func eventCounts() async throws -> [String: Int] {
        try await hash("events:counts").reduce(into: [:]) { $0[$1.0] = Int($1.1) ?? 0 }
    }
}

/// Reading of the log, as the store and the webhooks need it.
struct EventLog: Sendable {
    let connection: RedisConnection
    let prefix: String

    func page(after id: String, limit: Int) async throws -> EventPage {
        let reply = try await connection.command(["EVAL", Self.reading, "1", "\(prefix):events", id, String(limit)])
        guard let parts = reply.list, parts.count == 4, let place = EventPlace(id) else {
            throw RedisError(code: .unreadable, message: "the log of events answered with something else")
        }
        var page = Self.page(Store.entries(parts[0]))
        let last = parts[2].text.flatMap(EventPlace.init) ?? .start
        if place > last {
            (page.gap, page.end) = (.unknown, last)
        } else if let first = parts[1].text.flatMap(EventPlace.init), place < first.predecessor,
            parts[3].integer == 1
        {
            page.gap = .tooOld
        }
        return page
    }

    /// What comes after an id, where the log begins and ends, and 1 where anything was ever removed from its front: only Redis 7
    /// counts that, and an older one may always have.
    private static let reading = """
        local entries = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])
        local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
        local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
        local trimmed = 0
        if first[1] then
            local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
            local length, added = 0, nil
            for i = 1, #info, 2 do
                if info[i] == 'length' then length = info[i + 1] end
                if info[i] == 'entries-added' then added = info[i + 1] end
            end
            if (added or length + 1) > length then trimmed = 1 end
        end
        return {entries, first[1] and first[1][1] or '', last[1] and last[1][1] or '', trimmed}
        """

    static func page(_ entries: [(id: String, text: String)]) -> EventPage {
        EventPage(
            events: entries.compactMap { entry in
                (try? JSONDecoder().decode(Event.self, from: Data(entry.text.utf8))).map { StoredEvent(id: entry.id, event: $0) }
            }, end: entries.last.flatMap { EventPlace($0.id) })
    }
}

/// Waits for events, on a connection of its own: one that waits can do nothing else.
package final class EventTail: Sendable {
    private static let seconds = 5
    private let connection: RedisConnection
    private let key: String

    package init(address: RedisAddress, prefix: String) {
        // Longer than the wait: an answer that stays out is a server that hangs.
        connection = RedisConnection(address: address, prefix: prefix, deadline: Double(Self.seconds + 3))
        key = "\(prefix):events"
    }

    /// The events after a place, as soon as there are any; an empty piece after five seconds without one.
    package func next(after place: EventPlace, limit: Int) async throws -> EventPage {
        let words = ["XREAD", "COUNT", String(limit), "BLOCK", String(Self.seconds * 1000), "STREAMS", key, place.description]
        let reply = try await connection.wait(words)
        return EventLog.page(reply.list?.first?.list.map { $0.count == 2 ? Store.entries($0[1]) : [] } ?? [])
    }

    /// Ends the wait under way, and every later one, with an error.
    package func interrupt() { connection.interrupt() }

    package func close() async {
        connection.interrupt()
        await connection.close()
    }
}
