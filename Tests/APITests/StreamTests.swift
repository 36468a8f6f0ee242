@testable import API
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
        private final class Got: Sendable {
            let text = Mutex("")
        }

        private let got = Got()
        private let task: Task<Void, Never>

        init(_ client: HTTPClient, _ url: String, last: String? = nil) {
            let key = Subject.keys[.admin] ?? ""
            let headers = [("X-API-Key", key)] + (last.map { [("Last-Event-ID", $0)] } ?? [])
            var request = HTTPRequest("GET", url, headers: headers.map { (name: $0.0, value: $0.1) })
            request.deadline = 60
            let asked = request
            task = Task { [got] in
                do {
                    for try await bytes in client.stream(asked) { got.text.withLock { $0 += String(decoding: bytes, as: UTF8.self) } }
                } catch {}
            }
        }

        var text: String { got.text.withLock { $0 } }
        var ids: [String] { text.split(separator: "\n").filter { $0.hasPrefix("id: ") }.map { String($0.dropFirst(4)) } }
        func leave() { task.cancel() }
    }

    private func withServer(_ body: (API, FakeOperations, String, HTTPClient) async throws -> Void) async throws {
        let subject = try Subject(.direct)
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
            _ = try await operations.addExit(ExitWish(country: us))
            try await eventually("the new exit", within: 60) {
                reader.text.contains("event: exit\ndata: {") && reader.text.contains("\"us-2\"")
            }
            let last = try #require(reader.ids.last)
            reader.leave()
            _ = try await operations.removeExit(try #require(ExitID("us-2")))
            try await eventually("it is published") { api.exitStream.readers >= 0 && operations.state.exits.count == 1 }
            let back = Reader(client, "\(url)/api/stream/exits", last: last)
            try await eventually("what came after") { back.text.contains("event: gone\ndata: {\"id\":\"us-2\"}") }
            #expect(!back.text.contains("event: exits"), "nothing twice")
            // An id of another process says nothing here: the whole list stands for what was missed.
            let other = Reader(client, "\(url)/api/stream/exits", last: "00000000-7")
            try await eventually("the whole list again") { other.text.contains("event: exits") }
        }
    }

    @Test func `a reader of events gets what comes, of its kind, and goes on where it was, by the ids of the store`() async throws {
        try await withServer { api, operations, url, client in
            let all = Reader(client, "\(url)/api/stream/events")
            let failovers = Reader(client, "\(url)/api/stream/events?kind=pool.failover")
            try await eventually("both are there") { api.eventFeed.readers == 2 && api.eventFeed.last != nil }
            let gone = StoredEvent(id: "4-0", event: Event(at: start, .exitGone, .info, "exit us-9 is gone"))
            let lost = StoredEvent(id: "5-0", event: Event(at: start, .failover, .warning, "exit us-9 is lost"))
            operations.with { $0.moreEvents = [gone, lost] }
            try await eventually("they have theirs") { all.ids == ["4-0", "5-0"] && failovers.ids == ["5-0"] }
            // This API has sent none of these: their ids are the store's, not of a process.
            let back = Reader(client, "\(url)/api/stream/events", last: "2-0")
            try await eventually("what it missed") { back.ids == ["3-0", "4-0", "5-0"] }
        }
    }

    @Test func `two hundred readers get the same`() async throws {
        try await withServer { api, operations, url, client in
            let readers = (0..<200).map { _ in Reader(client, "\(url)/api/stream/exits") }
            try await eventually("all are there", within: 60) { api.exitStream.readers == 200 }
            _ = try await operations.addExit(ExitWish(country: us))
            try await eventually("all have it", within: 60) { readers.allSatisfy { $0.text.contains("\"us-2\"") } }
            for reader in readers { reader.leave() }
            try await eventually("those that left are forgotten", within: 30) {
                api.exitStream.beat()
                return api.exitStream.readers == 0
            }
        }
    }

    @Test func `a reader that is too slow is told and ended, and nobody waits for it`() throws {
        let stream = BodyStream(limit: 100, farewell: Array("bye".utf8))
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
            #expect(try await subject.call("GET", "/api/logs").text.contains(#""fields":{"exit":"us-1"}"#))
        }
    }
}
