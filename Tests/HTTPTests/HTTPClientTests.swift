import HTTPServing
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct HTTPClientTests {
    private func with(_ script: @escaping @Sendable (ScriptedConnection) -> Void, _ body: (HTTPClient, String) async throws -> Void)
        async throws
    {
        let server = try ScriptedServer(script)
        let client = HTTPClient()
        do { try await body(client, "http://127.0.0.1:\(server.port)") } catch {
            client.close()
            throw error
        }
        client.close()
        server.stop()
    }

    private func failure(_ client: HTTPClient, _ request: HTTPRequest) async throws -> TransportError {
        try await #require(throws: TransportError.self) { _ = try await client.send(request) }
    }

    @Test func `a deadline ends a request that gets no answer`() async throws {
        try await with({ $0.hang() }) { client, url in
            var request = HTTPRequest("GET", url)
            request.deadline = 0.2
            let start = ContinuousClock.now
            let error = try await failure(client, request)
            #expect(error.code == .timedOut && (.milliseconds(150)...Duration.seconds(10)).contains(ContinuousClock.now - start))
        }
    }

    @Test func `a cancellation lands at once`() async throws {
        try await with({ $0.hang() }) { client, url in
            let request = Task { try await client.send(HTTPRequest("GET", url)) }
            try await Task.sleep(for: .milliseconds(50))
            let start = ContinuousClock.now
            request.cancel()
            let error = try await #require(throws: TransportError.self) { _ = try await request.value }
            #expect(error.code == .cancelled && ContinuousClock.now - start < .seconds(10), "and not at its deadline of 30 s")
        }
    }

    @Test func `a cancellation that comes before its request isn't lost`() async throws {
        try await with({ $0.hang() }) { client, url in
            let start = ContinuousClock.now
            // Among many requests that start in any order, each is cancelled at a moment of its own.
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<400 {
                    group.addTask {
                        let request = Task {
                            var request = HTTPRequest("GET", url)
                            request.deadline = 60
                            return try await client.send(request)
                        }
                        for _ in 0..<number % 3 { await Task.yield() }
                        request.cancel()
                        _ = try? await request.value
                    }
                }
            }
            #expect(ContinuousClock.now - start < .seconds(40), "none of them is waited for until its deadline")
        }
    }

    @Test func `a body over the limit ends the request`() async throws {
        try await with({ connection in
            _ = connection.head()
            connection.answer(200, String(repeating: "x", count: 100_000))
        }) { client, url in
            var request = HTTPRequest("GET", url)
            request.bodyLimit = 99_999
            let error = try await failure(client, request)
            #expect(error.code == .tooLarge)
            request.bodyLimit = 100_000
            let answer = try await client.send(request)
            #expect(answer.body.count == 100_000)
        }
    }

    @Test func `a Unix socket is connected to instead of the host`() async throws {
        let folder = try TemporaryFolder()
        let server = try ScriptedServer(unix: "\(folder.path)/s") { connection in
            while let head = connection.head() { connection.answer(200, String(head.split(separator: "\r\n")[0])) }
        }
        let client = HTTPClient()
        var request = HTTPRequest("GET", "http://nobody.invalid/path?x=1")
        request.unixSocket = "\(folder.path)/s"
        #expect(try await client.send(request).text == "GET /path?x=1 HTTP/1.1")
        request.unixSocket = "\(folder.path)/missing"
        #expect(try await failure(client, request).code == .connectFailed)
        client.close()
        server.stop()
    }

    @Test func `a refused connection, half an answer and garbage are told apart from an answer`() async throws {
        let client = HTTPClient()
        let refused = try await failure(client, HTTPRequest("GET", "http://127.0.0.1:\(try Ports.free())"))
        #expect(refused.code == .connectFailed)
        #expect(try await failure(client, HTTPRequest("GET", "ftp://127.0.0.1/")).code == .other)
        #expect(try await failure(client, HTTPRequest("GET", "http://127.0.0.1:99999/")).code == .other)
        client.close()
        for answer in ["", "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"] {
            try await with({ connection in
                _ = connection.head()
                connection.write(answer)
            }) { client, url in
                let error = try await failure(client, HTTPRequest("GET", url))
                #expect(error.code == .other)
            }
        }
    }

    @Test func `a stream brings parts as they come, and its end or its error`() async throws {
        try await with({ connection in
            guard let head = connection.head() else { return }
            if head.contains("/refused") {
                connection.answer(404, "not here")
                return
            }
            connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
            guard connection.head() == nil else { return }
        }) { client, url in
            // The first part comes while the answer has no end.
            let stream = client.stream(HTTPRequest("GET", url))
            var parts = stream.makeAsyncIterator()
            #expect(try await parts.next() == Array("one".utf8))
            let refused = try await #require(throws: StreamRefused.self) {
                for try await _ in client.stream(HTTPRequest("GET", "\(url)/refused")) {}
            }
            #expect(refused.response.status == 404 && refused.response.text == "not here")
        }
        try await with({ connection in
            _ = connection.head()
            connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
        }) { client, url in
            var text = ""
            for try await part in client.stream(HTTPRequest("GET", url)) { text += String(decoding: part, as: UTF8.self) }
            #expect(text == "onetwo")
        }
    }

    @Test func `a stream that nobody reads any more is hung up`() async throws {
        let asked = Counter()
        let hungUp = Counter()
        try await with({ connection in
            _ = connection.head()
            asked.add()
            connection.write("HTTP/1.1 200 OK\r\n\r\n")
            connection.hang()
            hungUp.add()
        }) { client, url in
            var request = HTTPRequest("GET", url)
            request.deadline = 0
            let reading = Task { for try await _ in client.stream(request) {} }
            try await eventually("the server was asked") { asked.value == 1 }
            reading.cancel()
            try await eventually("the server sees it") { hungUp.value == 1 }
        }
    }

    @Test func `closing ends what is under way, and refuses what comes later`() async throws {
        let server = try ScriptedServer { $0.hang() }
        let client = HTTPClient()
        let url = "http://127.0.0.1:\(server.port)"
        let requests = (0..<20).map { _ in Task { try await client.send(HTTPRequest("GET", url)) } }
        let reading = Task { for try await _ in client.stream(HTTPRequest("GET", url)) {} }
        try await eventually("all are connected") { server.count == 21 }
        client.close()
        for request in requests {
            let error = try await #require(throws: TransportError.self) { _ = try await request.value }
            #expect(error.code == .closed)
        }
        await #expect(throws: TransportError.self) { try await reading.value }
        #expect(try await failure(client, HTTPRequest("GET", url)).code == .closed)
        client.close()
        server.stop()
    }

    @Test(arguments: [407, 502, 503]) func `a proxy that refuses CONNECT is told with its status`(status: Int) async throws {
        try await with({ connection in
            _ = connection.head()
            connection.answer(status, "no")
        }) { client, url in
            var request = HTTPRequest("GET", "http://target.invalid:80/")
            request.proxy = url
            request.tunnels = true
            let error = try await failure(client, request)
            #expect(error.code == .proxyRefused && error.proxyStatus == status)
        }
    }

    @Test func `a connection through a proxy is enough where nothing is to be sent`() async throws {
        try await with({ connection in
            guard let head = connection.head(), head.hasPrefix("CONNECT 10.5.0.1:53 ") else { return }
            connection.write("HTTP/1.1 200 Established\r\n\r\n")
            connection.hang()
        }) { client, url in
            var request = HTTPRequest("GET", "http://10.5.0.1:53")
            request.proxy = url
            request.tunnels = true
            request.connectOnly = true
            let answer = try await client.send(request)
            #expect(answer.seconds < 2)
        }
    }

    @Test func `credentials go to the proxy alone, and a redirect is not followed`() async throws {
        try await with({ connection in
            while let head = connection.head() {
                connection.answer(
                    302, head.contains("Proxy-Authorization: Basic YWxpY2U6c2VjcmV0") ? "with" : "without", headers: "Location: /other")
            }
        }) { client, url in
            var request = HTTPRequest("GET", "http://target.invalid/")
            request.proxy = url
            request.proxyUser = "alice"
            request.proxyPassword = Secret("secret")
            let answer = try await client.send(request)
            #expect(answer.status == 302 && answer.text == "with")
            #expect(try await client.send(HTTPRequest("GET", url)).text == "without")
        }
    }

    @Test func `a request has nothing of the one before it, nor its proxy's password`() async throws {
        try await with({ connection in
            while let (head, body) = connection.request() {
                let names = head.split(separator: "\r\n").dropFirst().map { $0.prefix { $0 != ":" }.lowercased() }.sorted()
                connection.answer(200, "\(head.prefix { $0 != " " }) \(names.joined(separator: ",")) \(body.count)")
            }
        }) { client, url in
            let plain = try await client.send(HTTPRequest("GET", url)).text
            for _ in 0..<3 {
                let posted = try await client.send(HTTPRequest("POST", url, headers: [("X-Mine", "1")], body: [1, 2, 3])).text
                #expect(posted.hasPrefix("POST ") && posted.contains("x-mine") && posted.hasSuffix(" 3"))
                var proxied = HTTPRequest("GET", "http://target.invalid/")
                proxied.proxy = url
                proxied.proxyUser = "alice"
                proxied.proxyPassword = Secret("secret")
                #expect(try await client.send(proxied).text.contains("proxy-authorization"))
                proxied.proxyUser = nil
                proxied.proxyPassword = nil
                #expect(try await !client.send(proxied).text.contains("proxy-authorization"))
                #expect(try await client.send(HTTPRequest("GET", url)).text == plain)
            }
        }
    }

    @Test func `two hundred requests at once take as long as one`() async throws {
        try await withServer { request in
            .waiting {
                try? await Task.sleep(for: .milliseconds(200))
                return ServerResponse(status: 200, body: Array((request.query("n") ?? "").utf8))
            }
        } _: { client, url, _ in
            let start = ContinuousClock.now
            try await withThrowingTaskGroup(of: (Int, String).self) { group in
                for number in 0..<200 { group.addTask { (number, try await client.send(HTTPRequest("GET", "\(url)/?n=\(number)")).text) } }
                for try await (number, text) in group { #expect(text == String(number)) }
            }
            #expect(ContinuousClock.now - start < .seconds(15), "one after another they would take 40 s")
        }
    }
}
