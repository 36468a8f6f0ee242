import HTTPServing
import HTTPTransport
import Model
import Platform
import Providers
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct NordVPNCallTests {
    private static let token = "the-access-token-of-the-account"
    private static let key = WireGuardKeys().privateKey

    /// NordVPN on a server of our own that answers with this.
    private func with(
        _ status: Int, _ body: String, credentials: ProviderClient.Credentials? = .accessToken(Secret(token)),
        _ check: (ProviderClient, _ requests: @escaping () -> [ServerRequest]) async throws -> Void
    ) async throws {
        let requests = Mutex<[ServerRequest]>([])
        let server = try HTTPServer(address: "127.0.0.1", port: 0) { request in
            requests.withLock { $0.append(request) }
            return .ready(ServerResponse(status: status, body: Array(body.utf8)))
        }
        let client = HTTPClient()
        let nordvpn = ProviderClient(.nordvpn, url: "http://127.0.0.1:\(server.port)", credentials: credentials, client: client)
        let result = await Result { try await check(nordvpn) { requests.withLock { $0 } } }
        client.close()
        await server.stop()
        try result.get()
    }

    @Test func `the key is asked for with the token, as basic credentials`() async throws {
        try await with(200, #"{"id":1,"username":"u","password":"p","nordlynx_private_key":"\#(Self.key.revealed)"}"#) {
            nordvpn, requests in
            #expect(try await nordvpn.privateKey() == Self.key)
            let request = try #require(requests().first)
            #expect(request.path == ["v1", "users", "services", "credentials"])
            #expect(request.headers["authorization"] == "Basic " + Base64.encode(Array("token:\(Self.token)".utf8)))
        }
    }

    @Test func `a key of one's own needs no call`() async throws {
        try await with(500, "", credentials: .privateKey(Self.key)) { nordvpn, requests in
            let key = try await nordvpn.privateKey()
            #expect(key == Self.key && requests().isEmpty)
        }
        try await with(500, "", credentials: nil) { nordvpn, _ in
            let error = try await #require(throws: ProviderError.self) { try await nordvpn.privateKey() }
            #expect(error.code == .credentialsRejected)
        }
    }

    @Test func `the whole list is asked for at once`() async throws {
        try await with(200, #"{"servers":[null],"groups":[],"technologies":[],"locations":[]}"#) { nordvpn, requests in
            guard case .list(let list, _) = try await nordvpn.list() else { return #expect(Bool(false)) }
            #expect(list.servers.isEmpty && list.dropped == ["unreadable": 1])
            #expect(requests().first?.path == ["v2", "servers"] && requests().first?.query("limit") == "0")
            #expect(requests().first?.headers["authorization"] == nil)
        }
    }

    @Test(
        arguments: [
            (401, #"{"errors":{"code":101301,"message":"Unauthorized"}}"#, .credentialsRejected), (403, "", .credentialsRejected),
            (429, "parse me not", .rateLimited), (500, "", .failing), (503, "", .failing), (301, "", .badAnswer), (200, "", .badAnswer),
            (200, "{\"nordlynx_pri", .badAnswer),
            (200, "{}", .badAnswer), (200, #"{"nordlynx_private_key":""}"#, .badAnswer),
            (200, #"{"nordlynx_private_key":"\#(token)"}"#, .badAnswer),
        ] as [(Int, String, ProviderError.Code)])
    func `what goes wrong is told without the token`(status: Int, body: String, code: ProviderError.Code) async throws {
        try await with(status, body) { nordvpn, _ in
            // The list needs no token: where it is refused, it is we who are.
            let ofList = code == .credentialsRejected ? .blocked : code
            let calls: [(ProviderError.Code, () async throws -> Void)] = [
                (code, { _ = try await nordvpn.privateKey() }), (ofList, { _ = try await nordvpn.list() }),
            ]
            for (code, call) in calls {
                let error = try await #require(throws: ProviderError.self) { try await call() }
                #expect(error.code == code && error.isRetryable == (code != .credentialsRejected))
                var dumped = "\(error)"
                dump(error, to: &dumped)
                #expect(!dumped.contains(Self.token) && !dumped.contains(Base64.encode(Array("token:\(Self.token)".utf8))))
            }
        }
    }

    @Test func `an API that can't be reached is unreachable`() async throws {
        let client = HTTPClient()
        let nordvpn = ProviderClient(
            .nordvpn, url: "http://127.0.0.1:\(try Ports.free())", credentials: .accessToken(Secret(Self.token)), client: client)
        let error = try await #require(throws: ProviderError.self) { try await nordvpn.list() }
        #expect(error.code == .unreachable && error.isRetryable)
        client.close()
    }
}
