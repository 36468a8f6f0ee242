@testable import API
@testable import EventStreams
import Model
import TestSupport
import Testing

/// `/api/stream/events`: its ids are those of the store.
@Suite(.timeLimit(.minutes(2))) struct EventStreamTests {
    private func event(_ number: Int, _ kind: EventKind = .exitGone, _ message: String = "it is gone") -> StoredEvent {
        StoredEvent(id: "\(number)-0", event: Event(at: start, kind, .info, message))
    }

    @Test func `a reader of events gets what comes, of its kind, and goes on where it was, by the ids of the store`() async throws {
        try await StreamReader.withServer { api, operations, url, client in
            let all = StreamReader(client, "\(url)/api/stream/events")
            let failovers = StreamReader(client, "\(url)/api/stream/events?kind=pool.failover")
            try await eventually("both are there, and have a place", within: 60) { all.place == "3-0" && failovers.place == "3-0" }
            operations.with { $0.moreEvents = [event(4), event(5, .failover), event(6)] }
            try await eventually("they have theirs", within: 60) { all.ids == ["4-0", "5-0", "6-0"] && failovers.ids == ["5-0"] }
            // This API has sent none of these: their ids are the store's, not of a process.
            let back = StreamReader(client, "\(url)/api/stream/events", last: "2-0")
            try await eventually("what it missed", within: 60) { back.ids == ["3-0", "4-0", "5-0", "6-0"] }
            let few = StreamReader(client, "\(url)/api/stream/events?kind=pool.failover", last: "2-0")
            try await eventually("what it missed of its kind, and its place is behind the rest", within: 60) {
                few.ids == ["5-0"] && few.place == "6-0"
            }
            #expect(!(all.text + back.text + few.text).contains("event: gap"))
        }
    }

    @Test func `a reader whose place is no longer kept, or is none of this store, is told of the gap`() async throws {
        // Before the API has seen the log: what it has seen it keeps itself.
        let forget: (FakeOperations) -> Void = { $0.with { ($0.forgotten, $0.moreEvents) = (2, [event(4)]) } }
        try await StreamReader.withServer(prepare: forget) { api, operations, url, client in
            let old = StreamReader(client, "\(url)/api/stream/events", last: "1-0")
            try await eventually("the gap, then what is kept", within: 60) { old.ids == ["", "3-0", "4-0"] }
            #expect(old.events[0] == ["event": "gap", "data": #"{"after":"1-0","reason":"too_old"}"#])
            let strange = StreamReader(client, "\(url)/api/stream/events", last: "9000000000000-0")
            try await eventually("the gap, and a place", within: 60) { strange.ids == [""] && strange.place == "4-0" }
            #expect(strange.events[0]["data"] == #"{"after":"9000000000000-0","reason":"unknown"}"#)
            operations.with { $0.moreEvents.append(event(5)) }
            try await eventually("both go on", within: 60) { strange.ids == ["", "5-0"] && old.ids.last == "5-0" }
        }
    }

    @Test func `while the store is away events of this process come without an id, and no reader gets one twice`() async throws {
        try await StreamReader.withServer { api, operations, url, client in
            let reader = StreamReader(client, "\(url)/api/stream/events")
            try await eventually("it has a place", within: 60) { reader.place == "3-0" }
            operations.with { $0.isLogAway = true }
            let (one, two) = (event(4), event(5))
            // The controller tries again and again; each try tells.
            for _ in 0..<3 { operations.tellUnstored.yield([one.event]) }
            operations.tellUnstored.yield([one.event, two.event])
            try await eventually("it has both", within: 60) { reader.ids == ["", ""] }
            // One who comes now gets them too; one who has missed something waits for it, and is not sent away.
            let late = StreamReader(client, "\(url)/api/stream/events", last: "0-5")
            let new = StreamReader(client, "\(url)/api/stream/events")
            try await eventually("the new one has them", within: 60) { new.ids == ["", ""] }
            operations.with { ($0.isLogAway, $0.moreEvents) = (false, [one, two, event(6)]) }
            try await eventually("the next one is told, and the two only as places", within: 60) {
                reader.ids == ["", "", "6-0"] && new.ids == ["", "", "6-0"]
            }
            #expect(reader.text.contains("id: 4-0\n\nid: 5-0\n\n"))
            try await eventually("who waited has all", within: 60) { late.ids.suffix(6) == ["1-0", "2-0", "3-0", "4-0", "5-0", "6-0"] }
        }
    }

    @Test func `a reader that is far behind gets all of it in order, however much more that is than is kept for it`() async throws {
        try await StreamReader.withServer { api, operations, url, client in
            let words = String(repeating: "x", count: 1000)
            operations.with { $0.moreEvents = (4...703).map { event($0, .exitGone, words) } }
            try await eventually("the feed is at the end", within: 60) { api.streams.events.last?.milliseconds == 703 }
            let reader = StreamReader(client, "\(url)/api/stream/events", last: "0-1")
            try await eventually("it has all", within: 90) { reader.ids.count >= 703 }
            let wrong = zip(reader.ids, 1...703).first { $0 != "\($1)-0" }
            #expect(reader.ids.count == 703 && wrong == nil, "\(reader.ids.count), first \(String(describing: wrong))")
            operations.with { $0.moreEvents.append(event(704)) }
            try await eventually("and goes on with the others", within: 60) { reader.ids.last == "704-0" }
        }
    }
}
