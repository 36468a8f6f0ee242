import HTTPServing
import HTTPTransport
import Model
import Platform
@testable import sallyport
import TestSupport
import Testing

/// The address service that `sallyport run` and `sallyport echo` can be.
@Suite(.timeLimit(.minutes(1))) struct EchoTests {
    private func asking(_ trusted: [IPNetwork], _ body: (HTTPClient, String) async throws -> Void) async throws {
        let port = try Ports.free()
        let server = try EchoServer(endpoint: Endpoint(address: "127.0.0.1", port: port), trustedProxies: trusted).start()
        let client = HTTPClient()
        defer { client.close() }
        let result: Result<Void, any Error>
        do { result = .success(try await body(client, "http://127.0.0.1:\(port)")) } catch { result = .failure(error) }
        await server.stop(grace: 1)
        try result.get()
    }

    @Test func `it says who asks in two forms that Sallyport reads, and nothing else`() async throws {
        try await asking([]) { client, url in
            for path in ["/", "/json", "/json?x=1"] {
                let answer = try await client.send(HTTPRequest("GET", url + path))
                #expect(
                    answer.status == 200 && EchoAnswer(answer.body)?.address == "127.0.0.1" && answer.headers["cache-control"] == "no-store"
                )
            }
            // Whoever it does not trust may say what it likes.
            let headers = [("X-Forwarded-For", "198.18.1.1")]
            #expect(try await EchoAnswer(client.send(HTTPRequest("GET", url, headers: headers)).body)?.address == "127.0.0.1")
            #expect(try await client.send(HTTPRequest("GET", url + "/api/exits")).status == 404)
            #expect(try await client.send(HTTPRequest("POST", url + "/json")).status == 405)
        }
    }

    @Test func `behind a trusted proxy it says the proxy's client, or that it does not know`() async throws {
        try await asking([try #require(IPNetwork("127.0.0.0/8"))]) { client, url in
            func ask(_ forwarded: String) async throws -> HTTPResponse {
                try await client.send(HTTPRequest("GET", url + "/json", headers: [("X-Forwarded-For", forwarded)]))
            }
            let (named, unknown) = (try await ask("203.0.113.1, 198.18.1.1"), try await ask("nonsense"))
            #expect(EchoAnswer(named.body)?.address == "198.18.1.1" && unknown.status == 400)
        }
    }
}
