import Glibc
import Model
import Platform
@testable import RedisStore
import TestSupport
import Testing

/// The log of events in real Redis.
@Suite(.timeLimit(.minutes(2))) struct EventLogTests {
    private func events(_ numbers: ClosedRange<Int>) -> [Event] {
        numbers.map { Event(at: SystemClock.now(), .exitServing, .info, "event \($0)") }
    }

    @Test func `what is told again, because the answer was lost, is stored once and counted once`() async throws {
        try await withRedis { redis, folder, _ in
            let connection = RedisConnection(address: .unix(path: redis.socket), deadline: 2)
            let store = Store(connection: connection, prefix: "test")
            try await store.append(events(1...3))
            let uncertain = events(4...6)
            // It hangs with the command in its socket: it is carried out when nobody waits for the answer any more.
            let pid = try pid(in: "\(folder)/redis.pid")
            kill(pid, SIGSTOP)
            await #expect(throws: RedisError.self) { try await store.append(uncertain) }
            kill(pid, SIGCONT)
            try await eventually("it is told again", within: 30) { (try? await store.append(uncertain)) != nil }
            try await store.append(uncertain)
            let all = try await store.latestEvents(limit: 100).events
            #expect(all.map(\.event.message) == (1...6).map { "event \($0)" })
            #expect(try await store.eventCounts() == ["exit.serving": 6])
        }
    }

    @Test func `a piece says where it ends, and when something before it is lost`() async throws {
        try await withRedis { _, _, connection in
            let store = Store(connection: connection, prefix: "test")
            let empty = try await store.eventPage(after: "0-0", limit: 10)
            #expect(empty.events.isEmpty && empty.end == nil && empty.gap == nil)
            #expect(try await store.eventPage(after: "5-0", limit: 10).gap == .unknown)
            try await store.append(events(1...5))
            let all = try await store.eventPage(after: "0-0", limit: 10)
            #expect(all.events.count == 5 && all.gap == nil && all.end?.description == all.events.last?.id)
            // An entry of a later version, which we can't read, must not hold us up.
            try await connection.command(["XADD", "test:events", "*", "event", "{}"])
            let strange = try await store.eventPage(after: all.events[4].id, limit: 10)
            #expect(strange.events.isEmpty && strange.end.map { $0 > all.end ?? .start } == true)
            try await connection.command(["XTRIM", "test:events", "MAXLEN", "3"])
            #expect(try await store.eventPage(after: all.events[0].id, limit: 10).gap == .tooOld)
            #expect(try await store.eventPage(after: "0-0", limit: 10).gap == .tooOld)
            #expect(try await store.eventPage(after: all.events[3].id, limit: 10).gap == nil)
            // Right before the first one that is kept nothing is missing.
            let first = try #require(try await store.eventPage(after: "0-0", limit: 1).end)
            #expect(try await store.eventPage(after: first.predecessor.description, limit: 10).gap == nil)
            for (place, before) in [("5-3", "5-2"), ("5-0", "4-9999999999999999999"), ("0-0", "0-0")] {
                #expect(EventPlace(place)?.predecessor == EventPlace(before), "\(place)")
            }
            let late = try await store.eventPage(after: "9000000000000-0", limit: 10)
            #expect(late.gap == .unknown && late.end == strange.end)
        }
    }

    @Test func `one who waits has an event when it is told, and can be called off`() async throws {
        try await withRedis { redis, _, connection in
            let store = Store(connection: connection, prefix: "test")
            let tail = EventTail(address: .unix(path: redis.socket), prefix: "test")
            let waiting = Task { try await tail.next(after: .start, limit: 10) }
            try await eventually("it waits", within: 30) {
                try await connection.command(["CLIENT", "LIST"]).text?.contains("cmd=xread") == true
            }
            try await store.append(events(1...2))
            let first = try await waiting.value
            #expect(first.events.map(\.event.message) == ["event 1", "event 2"])
            let end = try #require(first.end)
            let idle = Task { try await tail.next(after: end, limit: 10) }
            try await eventually("it waits again", within: 30) {
                try await connection.command(["CLIENT", "LIST"]).text?.contains("cmd=xread") == true
            }
            tail.interrupt()
            await #expect(throws: RedisError.self) { try await idle.value }
            await #expect(throws: RedisError.self) { try await tail.next(after: end, limit: 10) }
            await tail.close()
        }
    }
}
