@testable import API
@testable import RequestPipeline
@testable import AccessControl
@testable import EventStreams
@testable import HTTPServing
import Model
import Platform
import TestSupport
import Testing

/// The streams of exits and of log lines, and what is true of all streams.
@Suite(.timeLimit(.minutes(2))) struct StreamTests {
    @Test func `a reader gets everything first, then each change, and goes on where it was`() async throws {
        try await StreamReader.withServer { api, operations, url, client in
            let reader = StreamReader(client, "\(url)/api/stream/exits")
            try await eventually("the whole list", within: 60) { reader.text.contains("event: exits\ndata: {\"exits\":[{") }
            try await operations.execute(.addExit(ExitRequest(country: us)))
            try await eventually("the new exit", within: 60) {
                reader.text.contains("event: exit\ndata: {") && reader.text.contains("\"us-2\"")
            }
            let last = try #require(reader.place)
            reader.leave()
            try await operations.execute(.removeExit(try #require(ExitID("us-2"))))
            try await eventually("it is published") { api.streams.exits.readers >= 0 && operations.state.exits.count == 1 }
            let back = StreamReader(client, "\(url)/api/stream/exits", last: last)
            try await eventually("what came after") { back.text.contains("event: gone\ndata: {\"id\":\"us-2\"}") }
            #expect(!back.text.contains("event: exits"), "nothing twice")
            // An id of another process says nothing here, which is told, and the whole list stands for what was missed.
            for (id, reason) in [("00000000-7", "other_process"), (last + "0", "unknown"), ("nonsense\"", "unknown")] {
                let other = StreamReader(client, "\(url)/api/stream/exits", last: id)
                try await eventually("the whole list again", within: 60) { other.events.map { $0["event"] } == ["gap", "exits"] }
                #expect(other.events[0]["data"]?.contains("\"reason\":\"\(reason)\"") == true)
                other.leave()
            }
        }
    }

    @Test func `a line of the log that was lost is a gap, and so is another process`() async throws {
        try await StreamReader.withServer { api, operations, url, client in
            let reader = StreamReader(client, "\(url)/api/stream/logs")
            try await eventually("it is there", within: 60) { api.streams.logs.readers == 1 }
            for number in [1, 2] { api.streams.logs.publish("line", "\(number)", number: number) }
            try await eventually("two lines", within: 60) { reader.events.compactMap { $0["data"] } == ["1", "2"] }
            let place = try #require(reader.place)
            reader.leave()
            api.streams.logs.publish("line", "3", number: 3)
            let back = StreamReader(client, "\(url)/api/stream/logs", last: place)
            try await eventually("the third", within: 60) { back.events.compactMap { $0["data"] } == ["3"] }
            api.streams.logs.publish("line", "7", number: 7)
            try await eventually("the gap and the seventh", within: 60) { back.events.map { $0["event"] } == ["line", "gap", "line"] }
            let late = StreamReader(client, "\(url)/api/stream/logs", last: place)
            try await eventually("it may not go on across the gap", within: 60) { late.events.map { $0["event"] } == ["gap", "line"] }
            #expect(late.events[0]["data"]?.contains("too_old") == true)
            let other = StreamReader(client, "\(url)/api/stream/logs", last: "00000000-2")
            try await eventually("the gap, and what is kept", within: 60) { other.events.map { $0["event"] } == ["gap", "line"] }
            #expect(other.events[0]["data"]?.contains("other_process") == true)
        }
    }

    @Test func `a reader that takes nothing is told so when it reads on, and the others have had everything meanwhile`() async throws {
        try await StreamReader.withServer { api, operations, url, client in
            let port = try #require(Int(url.split(separator: ":").last ?? ""))
            let slow = try Raw(port: port)
            let quick = StreamReader(client, "\(url)/api/stream/logs", keeps: false)
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

    @Test func `two hundred readers get the same`() async throws {
        try await StreamReader.withServer { api, operations, url, client in
            let readers = (0..<200).map { _ in StreamReader(client, "\(url)/api/stream/exits") }
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

    @Test func `a HEAD of a stream has no body, and leaves its connection as it was`() async throws {
        try await StreamReader.withServer { api, _, url, _ in
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

    @Test(arguments: ["dashboard", "events", "exits", "logs"])
    func `who may call no more reads no more`(stream: String) async throws {
        try await StreamReader.withServer { api, _, url, client in
            func key(_ id: String, _ role: Role = .operator) -> APIKey {
                APIKey(id: id, name: id, role: role, digest: Digest.sha256(Self.secret(id)), createdAt: SystemClock.now())
            }
            for id in ["revoked", "expired", "lowered", "kept"] { api.pipeline.access.callers.keys.add(key(id)) }
            let readers = ["revoked", "expired", "lowered", "kept"].map {
                StreamReader(client, "\(url)/api/stream/\(stream)", key: Self.secret($0))
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

    private static func secret(_ id: String) -> String { id + String(repeating: "s", count: 40) }

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
}
