import Catalog
import HTTPServing
import HTTPTransport
import Model
import Platform
import Providers
import Synchronization
import TestSupport
import Testing

@testable import sallyport

/// A provider that shuts this machine out is asked once more through an exit that serves.
@Suite(.timeLimit(.minutes(1))) struct FetchThroughExitTests {
    private static let list =
        #"[{"hostname":"al-1","country_code":"al","city_name":"Tirana","fqdn":"al-1.relays.mullvad.net","active":true,"owned":false,"#
        + #""provider":"x","ipv4_addr_in":"198.18.0.5","type":"wireguard","pubkey":"9TYCXhc1dpXaJ8OgwsqNEVTuEUZmUfDhCSDrxuUBGUY="}]"#

    /// What the provider answers us, what it answers the exit, and whether there is one.
    private func fetch(_ direct: ServerResponse, throughExit status: Int, hasExit: Bool = true) async throws -> (
        result: Result<Int, any Error>, heads: [String]
    ) {
        let heads = Mutex<[String]>([])
        let provider = try HTTPServer(address: "127.0.0.1", port: 0) { _ in .ready(direct) }
        let exit = try ScriptedServer { connection in
            guard let tunnel = connection.head() else { return }
            connection.write("HTTP/1.1 200 Connection established\r\n\r\n")
            guard let request = connection.head() else { return }
            heads.withLock { $0 += [tunnel, request] }
            connection.answer(status, status == 200 ? Self.list : "")
        }
        let client = HTTPClient()
        let address = HTTPProxy(endpoint: exit.endpoint, user: "exit", password: Secret("secret-of-exit"))
        let source = ProviderSource(
            client: ProviderClient(
                .mullvad, url: "http://127.0.0.1:\(provider.port)", credentials: .privateKey(Secret("secret-of-ours")), client: client),
            exit: { hasExit ? address : nil })
        let result = await Result {
            guard case .list(let servers, _, _) = try await source.list(newerThan: nil) else { return -1 }
            return servers.count
        }
        client.close()
        exit.stop()
        await provider.stop()
        return (result.mapError { $0 }, heads.withLock { $0 })
    }

    @Test func `who is shut out asks through an exit, and sends no secret along`() async throws {
        let page = ServerResponse(status: 200, headers: [("Content-Type", "text/html")], body: Array("<html>Attention".utf8))
        for direct in [ServerResponse(status: 403), page] {
            let (result, heads) = try await fetch(direct, throughExit: 200)
            #expect(try result.get() == 1)
            #expect(heads.count == 2 && heads[0].hasPrefix("CONNECT 127.0.0.1:"), "\(heads)")
            let shown = "Proxy-Authorization: Basic \(Base64.encode(Array("exit:secret-of-exit".utf8)))"
            #expect(heads[0].contains(shown) && !heads[1].lowercased().contains("authorization"))
            #expect(!heads.joined().contains("secret-of-ours"))
        }
    }

    @Test func `who was told to slow down does so, and without an exit there is nobody to ask`() async throws {
        let limited = try await fetch(ServerResponse(status: 429, headers: [("Retry-After", "60")]), throughExit: 200)
        let error = try #require(throws: ProviderError.self) { try limited.result.get() }
        #expect(error.code == .rateLimited && error.retryAfter == 60 && limited.heads.isEmpty)
        let alone = try await fetch(ServerResponse(status: 403), throughExit: 200, hasExit: false)
        #expect(try #require(throws: ProviderError.self) { try alone.result.get() }.code == .blocked)
        // Where the exit is shut out too, the first answer is what counts.
        let both = try await fetch(ServerResponse(status: 403), throughExit: 500)
        let last = try #require(throws: ProviderError.self) { try both.result.get() }
        #expect(last.code == .blocked && last.message.contains("it does not answer through exit"))
    }
}
