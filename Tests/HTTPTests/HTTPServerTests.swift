import HTTPServing
import HTTPTransport
import Platform
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct HTTPServerTests {
    @Test func `a request arrives with its method, path, query, headers and body`() async throws {
        try await withServer(echo) { client, url, _ in
            let answer = try await client.send(
                HTTPRequest("PUT", "\(url)/a%2Fb/c?x=1", headers: [("X-Kind", "odd")], body: Array("body".utf8)))
            #expect(
                answer.text == "PUT a/b|c x=1 body" && answer.headers["x-kind"] == "odd" && answer.headers["x-request-id"]?.utf8.count == 16
            )
            let empty = try await client.send(HTTPRequest("POST", "\(url)/"))
            #expect(empty.text == "POST   ")
        }
    }

    @Test func `an answer comes at once or after waiting, also with an empty or a large body`() async throws {
        let large = [UInt8](repeating: 65, count: 3 << 20)
        try await withServer { request in
            switch request.path.first {
            case "large": .waiting { ServerResponse(status: 200, body: large) }
            case "empty": .ready(.noContent)
            default:
                .waiting {
                    try? await Task.sleep(for: .milliseconds(20))
                    return ServerResponse(status: 202, body: request.body)
                }
            }
        } _: { client, url, _ in
            let waited = try await client.send(HTTPRequest("POST", "\(url)/wait", body: Array("echo".utf8)))
            #expect(waited.status == 202 && waited.text == "echo")
            let nothing = try await client.send(HTTPRequest("GET", "\(url)/empty"))
            #expect(nothing.status == 204 && nothing.body.isEmpty)
            let much = try await client.send(HTTPRequest("GET", "\(url)/large"))
            #expect(much.body == large)
        }
    }

    @Test func `a body over the limit is 413, and the connection is good for the next request`() async throws {
        var limits = HTTPServer.Limits()
        limits.body = 1000
        let called = Counter()
        try await withServer(limits: limits) { request in
            called.add()
            return echo(request)
        } _: { client, url, _ in
            for (size, status) in [(1000, 200), (1001, 413), (5_000_000, 413), (10, 200)] {
                let answer = try await client.send(HTTPRequest("POST", url, body: [UInt8](repeating: 65, count: size)))
                #expect(answer.status == status, "\(size)")
            }
            #expect(called.value == 2)
        }
    }

    @Test func `a head over the limit is refused`() async throws {
        try await withServer(echo) { client, url, _ in
            let answer = try await client.send(HTTPRequest("GET", url, headers: [("X-Long", String(repeating: "x", count: 60_000))]))
            #expect((400..<500).contains(answer.status))
            #expect(try await client.send(HTTPRequest("GET", url)).status == 200)
        }
    }

    @Test func `a head of more than 16 KiB or 100 fields is refused with an answer of our own`() async throws {
        let many = (0..<101).map { (name: "X-\($0)", value: "x") }
        try await withServer(echo) { client, url, _ in
            for headers in [[(name: "X-Long", value: String(repeating: "x", count: 17_000))], many] {
                let answer = try await client.send(HTTPRequest("GET", url, headers: headers))
                #expect(answer.status == 431 && answer.text.contains("head_too_large"))
            }
            let good = [(name: "X-Long", value: String(repeating: "x", count: 16_000))]
            #expect(try await client.send(HTTPRequest("GET", url, headers: good)).status == 200)
        }
    }

    @Test func `bytes that many answers share are sent by each, whole`() async throws {
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        let shared = SharedBytes(bytes)
        try await withServer { _ in
            var response = ServerResponse(status: 200)
            response.shared = shared
            return .ready(response)
        } _: { client, url, _ in
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<20 { group.addTask { try await client.send(HTTPRequest("GET", url)).body == bytes } }
                for try await isWhole in group { #expect(isWhole) }
            }
        }
    }

    @Test func `requests have names of their own, or those that their clients gave them`() async throws {
        try await withServer(echo) { client, url, _ in
            var names: Set<String> = []
            for _ in 0..<50 { names.insert(try await client.send(HTTPRequest("GET", url)).headers["x-request-id"] ?? "") }
            #expect(names.count == 50 && names.allSatisfy { $0.utf8.count == 16 && $0.allSatisfy(\.isHexDigit) })
            for (given, isTaken) in [
                ("abc-DEF_123", true), ("short", false), (String(repeating: "a", count: 65), false), ("a b c d e f", false),
            ] {
                let name = try await client.send(HTTPRequest("GET", url, headers: [("X-Request-ID", given)])).headers["x-request-id"]
                #expect((name == given) == isTaken && name?.isEmpty == false)
            }
        }
    }

    @Test(arguments: ["/%zz", "/%00", "/a?x=%ff", "/%"]) func `a broken target is 400`(target: String) async throws {
        try await withServer(echo) { client, url, _ in
            let answer = try await client.send(HTTPRequest("GET", url + target))
            #expect(answer.status == 400 && answer.text.contains("bad_target"))
        }
    }

    @Test func `many requests wait at the same time, and hold no thread`() async throws {
        try await withServer { _ in
            .waiting {
                try? await Task.sleep(for: .milliseconds(300))
                return ServerResponse(status: 200)
            }
        } _: { client, url, _ in
            let start = ContinuousClock.now
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<150 { group.addTask { try await client.send(HTTPRequest("GET", url)).status } }
                for try await status in group { #expect(status == 200) }
            }
            #expect(ContinuousClock.now - start < .seconds(15), "one after another they would take 45 s")
        }
    }

    @Test func `a client that hangs up while it is waited for harms nobody`() async throws {
        let ended = Counter()
        try await withServer { request in
            guard request.path == ["wait"] else { return echo(request) }
            return .waiting {
                try? await Task.sleep(for: .milliseconds(200))
                ended.add()
                return ServerResponse(status: 200)
            }
        } _: { client, url, server in
            var request = HTTPRequest("GET", "\(url)/wait")
            request.deadline = 0.05
            for _ in 0..<20 { await #expect(throws: TransportError.self) { _ = try await client.send(request) } }
            let answer = try await client.send(HTTPRequest("GET", url))
            #expect(answer.status == 200)
            try await eventually("all have ended") { ended.value == 20 }
            let start = ContinuousClock.now
            await server.stop()
            #expect(ContinuousClock.now - start < .seconds(4))
        }
    }

    @Test(arguments: 0..<20) func `stopping lets every request under way have its whole answer`(turn: Int) async throws {
        let begun = Counter()
        let body = [UInt8](repeating: 65, count: 1 << 20)
        try await withServer { _ in
            begun.add()
            return .waiting {
                try? await Task.sleep(for: .milliseconds(100))
                return ServerResponse(status: 200, body: body)
            }
        } _: { client, url, server in
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<8 { group.addTask { try await client.send(HTTPRequest("GET", url)).body.count } }
                try await eventually("all have begun") { begun.value == 8 }
                await server.stop()
                for try await count in group { #expect(count == body.count) }
            }
        }
    }

    @Test func `stopping amid requests and new connections harms nobody`() async throws {
        for turn in 0..<100 {
            let answered = Counter()
            try await withServer { request in
                request.path == ["wait"] ? .waiting { ServerResponse(status: 200) } : .ready(ServerResponse(status: 200))
            } _: { client, url, server in
                await withTaskGroup(of: Void.self) { group in
                    for path in ["wait", "ready", "ready"] {
                        group.addTask {
                            let request = HTTPRequest("GET", "\(url)/\(path)", headers: [("Connection", "close")])
                            while let answer = try? await client.send(request), answer.status == 200 { answered.add() }
                        }
                    }
                    try? await eventually("requests flow") { answered.value > turn % 8 }
                    await server.stop()
                }
                #expect(answered.value > turn % 8)
            }
        }
    }

    @Test func `while it stops it takes nothing new`() async throws {
        let begun = Counter()
        try await withServer { request in
            begun.add()
            return .waiting {
                try? await Task.sleep(for: .milliseconds(request.path == ["slow"] ? 400 : 0))
                return ServerResponse(status: 200)
            }
        } _: { client, url, server in
            let kept = try Raw(port: server.port)
            #expect(try await kept.ask("/quick").hasPrefix("HTTP/1.1 200"))
            async let slow = client.send(HTTPRequest("GET", "\(url)/slow"))
            try await eventually("it has begun") { begun.value == 2 }
            async let stopped: Void = server.stop()
            try await eventually("a new connection is refused") { (try? Raw(port: server.port)) == nil }
            // On a connection that was there before, a request that would have to be waited for is refused.
            let refused = try await kept.ask("/slow")
            #expect(refused.hasPrefix("HTTP/1.1 503") && refused.contains("Retry-After: 1") && refused.contains("\"stopping\""))
            let answer = try await slow
            #expect(answer.status == 200)
            await stopped
            await server.stop()
        }
    }

    @Test func `requests that have no end hold the stop no longer than its grace, and are answered all the same`() async throws {
        let begun = Counter()
        let ended = Counter()
        let (gate, open) = AsyncStream<Void>.makeStream()
        let server = try HTTPServer(address: "127.0.0.1", port: 0) { _ in
            begun.add()
            return .waiting {
                for await _ in gate {}
                ended.add()
                return ServerResponse(status: 200)
            }
        }
        let client = HTTPClient()
        let requests = (0..<3).map { _ in Task { try await client.send(HTTPRequest("GET", "http://127.0.0.1:\(server.port)")) } }
        try await eventually("they have begun") { begun.value == 3 }
        // Stopping the daemon with a suspended connection would abort the process.
        await server.stop(grace: 0.2)
        for request in requests {
            let answer = try await request.value
            #expect(answer.status == 503 && answer.headers["retry-after"] == "1" && answer.text.contains("\"stopping\""))
        }
        // What they waited for may end later, and disturbs nobody.
        open.finish()
        try await eventually("it has ended") { ended.value == 3 }
        client.close()
    }

    @Test func `a port that is in use, and an address that is none, are named`() async throws {
        let held = try ScriptedServer { $0.hang() }
        let error = try #require(throws: PortError.self) { try HTTPServer(address: "127.0.0.1", port: held.port, dispatch: echo) }
        #expect("\(error)" == "can't listen on 127.0.0.1:\(held.port): the port is in use")
        #expect(throws: PortError.self) { try HTTPServer(address: "localhost", port: 0, dispatch: echo) }
    }
}
