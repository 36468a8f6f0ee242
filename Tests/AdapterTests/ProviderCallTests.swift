import HTTPServing
import HTTPTransport
import Model
import Platform
import Providers
import Synchronization
import TestSupport
import Testing

/// How a list is fetched, against a server of our own.
@Suite(.timeLimit(.minutes(1))) struct ProviderCallTests {
    private static let key = "9TYCXhc1dpXaJ8OgwsqNEVTuEUZmUfDhCSDrxuUBGUY="

    private static func relays(_ count: Int) -> String {
        "["
            + (1...count).map {
                #"{"hostname":"al-\#($0)","country_code":"al","city_name":"Tirana","fqdn":"al-\#($0).relays.mullvad.net","active":true,"owned":false,"#
                    + #""provider":"x","ipv4_addr_in":"198.18.0.5","type":"wireguard","pubkey":"\#(Self.key)"}"#
            }.joined(separator: ",") + "]"
    }

    private func with(
        _ answer: @escaping @Sendable (ServerRequest) -> ServerResponse, _ check: (ProviderClient) async throws -> Void
    ) async throws {
        let server = try HTTPServer(address: "127.0.0.1", port: 0) { .ready(answer($0)) }
        let client = HTTPClient()
        let result = await Result {
            try await check(
                ProviderClient(.mullvad, url: "http://127.0.0.1:\(server.port)", credentials: .privateKey(Secret(Self.key)), client: client)
            )
        }
        client.close()
        await server.stop()
        try result.get()
    }

    private func failure(_ response: ServerResponse) async throws -> ProviderError {
        var found: ProviderError?
        try await with({ _ in response }) { client in
            found = try await #require(throws: ProviderError.self) { try await client.list() }
        }
        return try #require(found)
    }

    @Test func `a list is asked for again only if it has changed`() async throws {
        try await with({ request in
            let isKnown =
                request.headers["if-none-match"] == "\"v1\"" && request.headers["if-modified-since"] == "Sat, 21 Nov 2026 00:00:00 GMT"
            if isKnown { return ServerResponse(status: 304) }
            return .json(
                bytes: Array(Self.relays(3).utf8), headers: [("ETag", "\"v1\""), ("Last-Modified", "Sat, 21 Nov 2026 00:00:00 GMT")])
        }) { client in
            guard case .list(let list, let validators) = try await client.list() else { return #expect(Bool(false)) }
            #expect(list.servers.count == 3)
            guard case .unchanged = try await client.list(newerThan: validators) else { return #expect(Bool(false)) }
        }
        // Who asked for no newer one can't be told that there is none.
        #expect(try await failure(ServerResponse(status: 304)).code == .badAnswer)
    }

    @Test func `a page for people in place of a list is a refusal, and a pause that is asked for is told`() async throws {
        let page = ServerResponse(status: 200, headers: [("Content-Type", "text/html; charset=utf-8")], body: Array("<html>Attention".utf8))
        #expect(try await failure(page).code == .blocked)
        #expect(try await failure(.json(bytes: Array("<html>".utf8))).code == .badAnswer)
        let limited = try await failure(ServerResponse(status: 429, headers: [("Retry-After", "120")]))
        #expect(limited.code == .rateLimited && limited.retryAfter == 120)
        #expect(try await failure(ServerResponse(status: 503, headers: [("Retry-After", "soon")])).retryAfter == nil)
        #expect(try await failure(ServerResponse(status: 403)).code == .blocked)
        // A redirect is not followed: an answer must not choose where we connect to.
        #expect(try await failure(ServerResponse(status: 302, headers: [("Location", "http://127.0.0.1:9/")])).code == .badAnswer)
    }

    @Test func `a list that is cut short is an error that says where`() async throws {
        let half = Array(Self.relays(100).utf8.prefix(10_000))
        #expect(try await failure(.json(bytes: half)).message.contains("cut short after"))
    }

    @Test func `we say who we are, and take compressed answers`() async throws {
        let seen = Mutex<[String: String]>([:])
        try await with({ request in
            seen.withLock { $0 = request.headers }
            return .json(bytes: Array(Self.relays(1).utf8))
        }) { _ = try await $0.list() }
        let headers = seen.withLock { $0 }
        #expect(headers["user-agent"] == "sallyport" && headers["accept-encoding"]?.contains("gzip") == true)
    }
}
