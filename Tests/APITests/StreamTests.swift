@testable import API
@testable import RequestPipeline
@testable import AccessControl
@testable import EventStreams
@testable import HTTPServing
import HTTPTransport
import Model
import Platform
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct StreamTests {
    /// One reader of a stream, and what it has got so far.
    private final class Reader: Sendable {
        private static let admin = Subject.keys[.admin] ?? ""
        private final class Got: Sendable {
            let bytes = Mutex<[UInt8]>([])
            let count = Mutex(0)
            let hasEnded = Mutex(false)
        }

        private let got = Got()
        private let task: Task<Void, Never>

        /// - Parameter keeps: false where only the bytes' number is wanted.
        init(_ client: HTTPClient, _ url: String, last: String? = nil, keeps: Bool = true, key: String = Reader.admin) {
            let headers = [("X-API-Key", key)] + (last.map { [("Last-Event-ID", $0)] } ?? [])
            var request = HTTPRequest("GET", url, headers: headers.map { (name: $0.0, value: $0.1) })
            request.deadline = 100
            let asked = request
            task = Task { [got] in
                _ = try? await client.send(asked) { bytes in
                    got.count.withLock { $0 += bytes.count }
                    if keeps { got.bytes.withLock { $0 += bytes } }
                    return true
                }
                got.hasEnded.withLock { $0 = true }
            }
        }

        var hasEnded: Bool { got.hasEnded.withLock { $0 } }
        var count: Int { got.count.withLock { $0 } }
        var text: String { String(decoding: got.bytes.withLock { $0 }, as: UTF8.self) }
        /// What was shown: blocks with an event, each by its lines' names.
        var events: [[Substring: Substring]] {
            text.split(separator: "\n\n").compactMap { block in
                let lines = block.split(separator: "\n").compactMap { line -> (Substring, Substring)? in
                    guard let colon = line.firstRange(of: ": "), colon.lowerBound != line.startIndex else { return nil }
                    return (line[..<colon.lowerBound], line[colon.upperBound...])
                }
                let fields = Dictionary(lines) { $1 }
                return fields["data"] == nil ? nil : fields
            }
        }
        /// Ids of these; empty where there is none.
        var ids: [String] { events.map { String($0["id"] ?? "") } }
        /// Where the reader is: the last id, also one that came without an event.
        var place: String? { text.split(separator: "\n").last { $0.hasPrefix("id: ") }.map { String($0.dropFirst(4)) } }
        func leave() { task.cancel() }
    }

    /// - Parameter prepare: called before the API runs.
    private func withServer(
        prepare: (FakeOperations) -> Void = { _ in }, _ body: (API, FakeOperations, String, HTTPClient) async throws -> Void
    ) async throws {
        let subject = try Subject(.direct)
        prepare(subject.operations)
        var limits = HTTPServer.Limits()
        limits.connections = 1500
        let server = try HTTPServer(address: "127.0.0.1", port: 0, limits: limits, dispatch: subject.api.dispatcher())
        let client = HTTPClient()
        let running = Task { await subject.api.run() }
        func end() async {
            client.close()
            await server.stop()
            running.cancel()
        }
        do { try await body(subject.api, subject.operations, "http://127.0.0.1:\(server.port)", client) } catch {
            await end()
            throw error
        }
        await end()
    }

    @Test func `a reader gets everything first, then each change, and goes on where it was`() async throws {
        try await withServer { api, operations, url, client in
            let reader = Reader(client, "\(url)/api/stream/exits")
            try await eventually("the whole list", within: 60) { reader.text.contains("event: exits\ndata: {\"exits\":[{") }
            try await operations.execute(.addExit(ExitRequest(country: us)))
            try await eventually("the new exit", within: 60) {
                reader.text.contains("event: exit\ndata: {") && reader.text.contains("\"us-2\"")
            }
            let last = try #require(reader.place)
            reader.leave()
            try await operations.execute(.removeExit(try #require(ExitID("us-2"))))
            try await eventually("it is published") { api.streams.exits.readers >= 0 && operations.state.exits.count == 1 }
            let back = Reader(client, "\(url)/api/stream/exits", last: last)
            try await eventually("what came after") { back.text.contains("event: gone\ndata: {\"id\":\"us-2\"}") }
            #expect(!back.text.contains("event: exits"), "nothing twice")
            // An id of another process says nothing here, which is told, and the whole list stands for what was missed.
            for (id, reason) in [("00000000-7", "other_process"), (last + "0", "unknown"), ("nonsense\"", "unknown")] {
                let other = Reader(client, "\(url)/api/stream/exits", last: id)
                try await eventually("the whole list again", within: 60) { other.events.map { $0["event"] } == ["gap", "exits"] }
                #expect(other.events[0]["data"]?.contains("\"reason\":\"\(reason)\"") == true)
                other.leave()
            }
        }
    }

    @Test func `the dashboard's stream has a snapshot of each topic, then only what has changed, as the role allows`() async throws {
        try await withServer { _, operations, url, client in
            let all = Reader(client, "\(url)/api/stream/dashboard")
            let viewer = Reader(client, "\(url)/api/stream/dashboard", key: Subject.keys[.viewer] ?? "")
            func topics(_ reader: Reader) -> Set<String> { Set(reader.events.compactMap { $0["event"].map(String.init) }) }
            try await eventually("each topic", within: 60) { topics(all).isSuperset(of: Topic.allCases.map(\.rawValue)) }
            #expect(all.text.contains("event: pools\ndata: {\"all\":{\"US\":{") && all.text.contains("\"all\":{\"alice\":{"))
            try await operations.execute(.addExit(ExitRequest(country: us)))
            try await eventually("the new exit alone", within: 60) { all.text.contains("event: exits\ndata: {\"set\":{\"us-2\":{") }
            try await operations.execute(.removeExit(try #require(ExitID("us-2"))))
            try await eventually("its end", within: 60) { all.text.contains("\"removed\":[\"us-2\"]}") }
            try await eventually("what a viewer may read", within: 60) { viewer.text.contains("\"removed\":[\"us-2\"]}") }
            #expect(topics(viewer).isDisjoint(with: ["users", "logs"]) && !viewer.text.contains("alice"))
            let headers = [(name: "X-API-Key", value: Subject.keys[.viewer] ?? "")]
            let refused = try await client.send(HTTPRequest("GET", "\(url)/api/stream/dashboard?topics=exits,users", headers: headers))
            #expect(refused.status == 403 && refused.text.contains("topic users needs role admin"))
        }
    }

    @Test func `the traffic of exits is for all, that of users for admins, and it is read only while somebody follows it`() async throws {
        try await withServer { _, operations, url, client in
            let other = Reader(client, "\(url)/api/stream/dashboard?topics=exits,pools")
            try await eventually("its topics", within: 60) { other.ids.count >= 2 }
            #expect(operations.with { $0.trafficReads } == 0)
            let address = "\(url)/api/stream/dashboard?topics=traffic"
            let admin = Reader(client, address)
            let viewer = Reader(client, address, key: Subject.keys[.viewer] ?? "")
            let exit = #""exit:us-1":{"bytes_per_second":1000,"bytes_today":30,"connections":3}"#
            let alice = #""user:alice":{"bytes_per_second":0,"bytes_today":30,"connections":0}"#
            try await eventually("exits for both", within: 60) { admin.text.contains(exit) && viewer.text.contains(exit) }
            try await eventually("users for the admin", within: 60) { admin.text.contains(alice) }
            #expect(!viewer.text.contains("user:"))
            admin.leave()
            viewer.leave()
            try await eventually("nobody reads any more", within: 60) {
                let before = operations.with { $0.trafficReads }
                try await Task.sleep(for: .seconds(3))
                return operations.with { $0.trafficReads } == before
            }
        }
    }

    private func event(_ number: Int, _ kind: EventKind = .exitGone, _ message: String = "it is gone") -> StoredEvent {
        StoredEvent(id: "\(number)-0", event: Event(at: start, kind, .info, message))
    }

    @Test func `a reader of events gets what comes, of its kind, and goes on where it was, by the ids of the store`() async throws {
        try await withServer { api, operations, url, client in
            let all = Reader(client, "\(url)/api/stream/events")
            let failovers = Reader(client, "\(url)/api/stream/events?kind=pool.failover")
            try await eventually("both are there, and have a place", within: 60) { all.place == "3-0" && failovers.place == "3-0" }
            operations.with { $0.moreEvents = [event(4), event(5, .failover), event(6)] }
            try await eventually("they have theirs", within: 60) { all.ids == ["4-0", "5-0", "6-0"] && failovers.ids == ["5-0"] }
            // This API has sent none of these: their ids are the store's, not of a process.
            let back = Reader(client, "\(url)/api/stream/events", last: "2-0")
            try await eventually("what it missed", within: 60) { back.ids == ["3-0", "4-0", "5-0", "6-0"] }
            let few = Reader(client, "\(url)/api/stream/events?kind=pool.failover", last: "2-0")
            try await eventually("what it missed of its kind, and its place is behind the rest", within: 60) {
                few.ids == ["5-0"] && few.place == "6-0"
            }
            #expect(!(all.text + back.text + few.text).contains("event: gap"))
        }
    }

    @Test func `a reader whose place is no longer kept, or is none of this store, is told of the gap`() async throws {
        // Before the API has seen the log: what it has seen it keeps itself.
        let forget: (FakeOperations) -> Void = { $0.with { ($0.forgotten, $0.moreEvents) = (2, [event(4)]) } }
        try await withServer(prepare: forget) { api, operations, url, client in
            let old = Reader(client, "\(url)/api/stream/events", last: "1-0")
            try await eventually("the gap, then what is kept", within: 60) { old.ids == ["", "3-0", "4-0"] }
            #expect(old.events[0] == ["event": "gap", "data": #"{"after":"1-0","reason":"too_old"}"#])
            let strange = Reader(client, "\(url)/api/stream/events", last: "9000000000000-0")
            try await eventually("the gap, and a place", within: 60) { strange.ids == [""] && strange.place == "4-0" }
            #expect(strange.events[0]["data"] == #"{"after":"9000000000000-0","reason":"unknown"}"#)
            operations.with { $0.moreEvents.append(event(5)) }
            try await eventually("both go on", within: 60) { strange.ids == ["", "5-0"] && old.ids.last == "5-0" }
        }
    }

    @Test func `while the store is away events of this process come without an id, and no reader gets one twice`() async throws {
        try await withServer { api, operations, url, client in
            let reader = Reader(client, "\(url)/api/stream/events")
            try await eventually("it has a place", within: 60) { reader.place == "3-0" }
            operations.with { $0.isLogAway = true }
            let (one, two) = (event(4), event(5))
            // The controller tries again and again; each try tells.
            for _ in 0..<3 { operations.tellUnstored.yield([one.event]) }
            operations.tellUnstored.yield([one.event, two.event])
            try await eventually("it has both", within: 60) { reader.ids == ["", ""] }
            // One who comes now gets them too; one who has missed something waits for it, and is not sent away.
            let late = Reader(client, "\(url)/api/stream/events", last: "0-5")
            let new = Reader(client, "\(url)/api/stream/events")
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
        try await withServer { api, operations, url, client in
            let words = String(repeating: "x", count: 1000)
            operations.with { $0.moreEvents = (4...703).map { event($0, .exitGone, words) } }
            try await eventually("the feed is at the end", within: 60) { api.streams.events.last?.milliseconds == 703 }
            let reader = Reader(client, "\(url)/api/stream/events", last: "0-1")
            try await eventually("it has all", within: 90) { reader.ids.count >= 703 }
            let wrong = zip(reader.ids, 1...703).first { $0 != "\($1)-0" }
            #expect(reader.ids.count == 703 && wrong == nil, "\(reader.ids.count), first \(String(describing: wrong))")
            operations.with { $0.moreEvents.append(event(704)) }
            try await eventually("and goes on with the others", within: 60) { reader.ids.last == "704-0" }
        }
    }

    @Test func `a line of the log that was lost is a gap, and so is another process`() async throws {
        try await withServer { api, operations, url, client in
            let reader = Reader(client, "\(url)/api/stream/logs")
            try await eventually("it is there", within: 60) { api.streams.logs.readers == 1 }
            for number in [1, 2] { api.streams.logs.publish("line", "\(number)", number: number) }
            try await eventually("two lines", within: 60) { reader.events.compactMap { $0["data"] } == ["1", "2"] }
            let place = try #require(reader.place)
            reader.leave()
            api.streams.logs.publish("line", "3", number: 3)
            let back = Reader(client, "\(url)/api/stream/logs", last: place)
            try await eventually("the third", within: 60) { back.events.compactMap { $0["data"] } == ["3"] }
            api.streams.logs.publish("line", "7", number: 7)
            try await eventually("the gap and the seventh", within: 60) { back.events.map { $0["event"] } == ["line", "gap", "line"] }
            let late = Reader(client, "\(url)/api/stream/logs", last: place)
            try await eventually("it may not go on across the gap", within: 60) { late.events.map { $0["event"] } == ["gap", "line"] }
            #expect(late.events[0]["data"]?.contains("too_old") == true)
            let other = Reader(client, "\(url)/api/stream/logs", last: "00000000-2")
            try await eventually("the gap, and what is kept", within: 60) { other.events.map { $0["event"] } == ["gap", "line"] }
            #expect(other.events[0]["data"]?.contains("other_process") == true)
        }
    }

    @Test func `a reader that takes nothing is told so when it reads on, and the others have had everything meanwhile`() async throws {
        try await withServer { api, operations, url, client in
            let port = try #require(Int(url.split(separator: ":").last ?? ""))
            let slow = try Raw(port: port)
            let quick = Reader(client, "\(url)/api/stream/logs", keeps: false)
            slow.send("GET /api/stream/logs HTTP/1.1\r\nHost: x\r\nX-API-Key: \(Subject.keys[.admin] ?? "")\r\n\r\n")
            try await eventually("both are there", within: 60) { api.streams.logs.readers == 2 }
            // More than the sockets' buffers hold: one that takes nothing must not be kept everything for.
            let line = "\"\(String(repeating: "x", count: 50_000))\""
            for number in 1...300 {
                api.streams.logs.publish("line", line)
                try await eventually("the quick one keeps up", within: 60) { quick.count > (number - 3) * 50_000 }
            }
            #expect(api.streams.logs.readers == 1, "the slow one is no reader any more")
            let end = try await Blocking.run {
                var end = ""
                while !end.contains("event: dropped"), let bytes = slow.receive(milliseconds: 60_000), !bytes.isEmpty {
                    end = String((end + String(decoding: bytes, as: UTF8.self)).suffix(100))
                }
                return end
            }
            #expect(end.contains("event: dropped\ndata: {\"reason\":\"too_slow\"}\n\n"), "\(end)")
            #expect(api.streams.metrics.droppedReaders.values == [["logs"]: 1])
        }
    }

    @Test(arguments: ["dashboard", "events", "exits", "logs"])
    func `who may call no more reads no more`(stream: String) async throws {
        try await withServer { api, _, url, client in
            func key(_ id: String, _ role: Role = .operator) -> APIKey {
                APIKey(id: id, name: id, role: role, digest: Digest.sha256(Self.secret(id)), createdAt: SystemClock.now())
            }
            for id in ["revoked", "expired", "lowered", "kept"] { api.pipeline.access.callers.keys.add(key(id)) }
            let readers = ["revoked", "expired", "lowered", "kept"].map {
                Reader(client, "\(url)/api/stream/\(stream)", key: Self.secret($0))
            }
            try await eventually("all read", within: 60) { readers.allSatisfy { $0.count > 0 } }
            api.pipeline.access.callers.keys.remove("revoked")
            var expired = key("expired")
            expired.expiresAt = SystemClock.now()
            api.pipeline.access.callers.keys.add(expired)
            // A viewer may not read the log, which the dashboard's stream has too, but the other two.
            api.pipeline.access.callers.keys.add(key("lowered", .viewer))
            let ended = ["dashboard", "logs"].contains(stream) ? [0, 1, 2] : [0, 1]
            try await eventually("theirs have ended", within: 60) { ended.allSatisfy { readers[$0].hasEnded } }
            for index in ended { #expect(readers[index].text.hasSuffix("event: dropped\ndata: {\"reason\":\"key_invalid\"}\n\n")) }
            for index in Set(readers.indices).subtracting(ended) { #expect(!readers[index].hasEnded) }
            #expect(api.streams.metrics.droppedReaders.total == 0)
        }
    }

    @Test func `a HEAD of a stream has no body, and leaves its connection as it was`() async throws {
        try await withServer { api, _, url, _ in
            let raw = try Raw(port: try #require(Int(url.split(separator: ":").last ?? "")))
            let head = "Host: x\r\nX-API-Key: \(Subject.keys[.admin] ?? "")\r\n\r\n"
            for stream in ["events", "exits", "logs"] { raw.send("HEAD /api/stream/\(stream) HTTP/1.1\r\n\(head)") }
            raw.send("GET /health/live HTTP/1.1\r\nConnection: close\r\n\(head)")
            let text = try await Blocking.run {
                var text = ""
                while let bytes = raw.receive(milliseconds: 60_000), !bytes.isEmpty { text += String(decoding: bytes, as: UTF8.self) }
                return text
            }
            let answers = text.split(separator: "HTTP/1.1 200 OK\r\n")
            #expect(
                answers.count == 4 && answers.dropLast().allSatisfy { $0.hasSuffix("\r\n\r\n") && !$0.contains("\r\n\r\n0") }, "\(text)")
            #expect(answers.dropLast().allSatisfy { $0.contains("Content-Type: text/event-stream") })
            for hub in [api.streams.exits, api.streams.logs] {
                hub.beat()
                #expect(hub.readers == 0)
            }
        }
    }

    private static func secret(_ id: String) -> String { id + String(repeating: "s", count: 40) }

    @Test func `changes of an exit are told at once, its figures each five seconds`() {
        var changes = ExitChanges()
        let now = ContinuousClock.now
        var exit = Exit(id: ExitID(country: us, number: 1), slot: 1, now: start)
        #expect(changes.changes(to: [exit.id: exit], now: now).changed == [exit])
        exit.health.latencyMilliseconds = 7
        #expect(changes.changes(to: [exit.id: exit], now: now + .seconds(4)).changed == [] && changes.isBehind([exit.id: exit]))
        #expect(changes.changes(to: [exit.id: exit], now: now + .seconds(5)).changed == [exit] && !changes.isBehind([exit.id: exit]))
        exit.health.verdict = .dead
        #expect(changes.changes(to: [exit.id: exit], now: now + .seconds(5)).changed == [exit])
        #expect(changes.changes(to: [:], now: now + .seconds(5)).gone == [exit.id])
    }

    @Test func `two hundred readers get the same`() async throws {
        try await withServer { api, operations, url, client in
            let readers = (0..<200).map { _ in Reader(client, "\(url)/api/stream/exits") }
            try await eventually("all are there", within: 60) { api.streams.exits.readers == 200 }
            try await operations.execute(.addExit(ExitRequest(country: us)))
            try await eventually("all have it", within: 60) { readers.allSatisfy { $0.text.contains("\"us-2\"") } }
            for reader in readers { reader.leave() }
            try await eventually("those that left are forgotten", within: 30) {
                api.streams.exits.beat()
                return api.streams.exits.readers == 0
            }
            #expect(api.streams.metrics.droppedReaders.values.isEmpty, "one who leaves was not too slow")
        }
    }

    @Test func `a reader that is too slow is told and ended, and nobody waits for it`() throws {
        let stream = BodyStream(limit: 100, closingMessage: Array("bye".utf8))
        #expect(stream.send([UInt8](repeating: 65, count: 60)))
        var buffer = [UInt8](repeating: 0, count: 10)
        // Half of a piece has left: the rest of it must follow, or the text is broken.
        _ = buffer.withUnsafeMutableBytes { stream.read(into: $0) { nil } }
        #expect(!stream.send([UInt8](repeating: 66, count: 60)))
        var rest = [UInt8](repeating: 0, count: 200)
        guard case .bytes(let count) = rest.withUnsafeMutableBytes({ stream.read(into: $0) { nil } }) else { return #expect(Bool(false)) }
        #expect(String(decoding: rest.prefix(count), as: UTF8.self) == String(repeating: "A", count: 50) + "bye")
        guard case .end = rest.withUnsafeMutableBytes({ stream.read(into: $0) { nil } }) else { return #expect(Bool(false)) }
        #expect(!stream.send([1]))
    }

    @Test func `the log is streamed as it is written, and listed`() async throws {
        let tail = LogTail()
        var parts = API.Parts()
        parts.logTail = tail
        let devNull = Log(descriptor: 1_000_000, tail: tail)
        try await Subject.with(.direct, parts: parts) { subject in
            devNull.info("a line", ["exit": "us-1"])
            devNull.warning("another \"line\"")
            let lines = try await subject.call("GET", "/api/logs?level=warn&lines=10")
            #expect(lines.text.contains(#""message":"another \"line\"""#) && !lines.text.contains("a line"))
            let all = try await subject.call("GET", "/api/logs")
            #expect(all.text.contains(#""fields":{"exit":"us-1"}"#) && all["last"] == .string(subject.api.streams.logs.id(2)))
        }
    }
}
