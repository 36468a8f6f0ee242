import HTTPServing
import Platform
import Synchronization

/// The provider's API over HTTP, in the shapes of NordVPN and Surfshark; it can be told to misbehave.
final class LabAPI: Sendable {
    enum Mode: String, CaseIterable, Sendable {
        case ok
        /// Status 429 with a page that is not JSON.
        case limited
        case broken
        /// Half a list.
        case half
        /// No token is right.
        case refusing
    }

    private static let tag = "\"the-lab\""

    private let catalog: LabCatalog
    private let keys: LabKeys
    private let mode = Mutex(Mode.ok)
    private let requests = Mutex(0)
    private let everything = Mutex<[UInt8]?>(nil)
    /// Accounts whose token is no longer right.
    private let refused = Mutex<Set<String>>([])

    init(catalog: LabCatalog, keys: LabKeys) {
        self.catalog = catalog
        self.keys = keys
    }

    /// How often the server list was asked for.
    var listRequests: Int { requests.withLock { $0 } }
    func set(_ new: Mode) { mode.withLock { $0 = new } }

    /// Whether the token of an account is refused from now on.
    func set(_ account: String, isRefused: Bool) {
        refused.withLock { names in if isRefused { names.insert(account) } else { names.remove(account) } }
    }

    func dispatcher() -> @Sendable (ServerRequest) -> Dispatch {
        let router = Router(routes)
        return { request in
            guard case .found(let route, let parameters) = router.match(method: request.method, path: request.path),
                case .ready(let body) = route.handler
            else { return .ready(Self.refusal(404, 100_100, "Not found")) }
            var request = request
            request.parameters = parameters
            return .ready((try? body(request)) ?? Self.refusal(500, 1, "Internal error"))
        }
    }

    private var routes: [Route<Bool>] {
        [
            Route("GET", "/v1/servers", true, .ready { self.list($0) { limit in Array(self.catalog.version1(limit: limit).utf8) } }),
            Route("GET", "/v2/servers", true, .ready { self.list($0) { limit in self.version2(limit) } }),
            Route("GET", "/v4/server/clusters/all", true, .ready { self.list($0) { _ in Array(self.catalog.clusters().utf8) } }),
            Route("GET", "/v1/servers/countries", true, .ready { _ in .json(bytes: Array(self.catalog.countries().utf8)) }),
            Route("GET", "/v1/users/services/credentials", true, .ready(credentials)),
            Route(
                "PUT", "/lab/mode/{mode}", true,
                .ready { request in
                    guard let mode = Mode(rawValue: request.parameters["mode"] ?? "") else { return Self.refusal(422, 1, "no such mode") }
                    self.set(mode)
                    return .noContent
                }),
            Route("PUT", "/lab/accounts/{name}/refused", true, .ready { self.setAccount($0, isRefused: true) }),
            Route("DELETE", "/lab/accounts/{name}/refused", true, .ready { self.setAccount($0, isRefused: false) }),
        ]
    }

    private func list(_ request: ServerRequest, _ body: (Int) -> [UInt8]) -> ServerResponse {
        requests.withLock { $0 += 1 }
        switch mode.withLock({ $0 }) {
        case .limited:
            return ServerResponse(status: 429, headers: [("Content-Type", "text/html")], body: Array("<html>slow down</html>".utf8))
        case .broken: return ServerResponse(status: 500, body: Array("oops".utf8))
        case .half:
            let whole = body(0)
            return .json(bytes: Array(whole.prefix(whole.count / 2)))
        case .ok, .refusing:
            // The list of a lab never changes while its API runs.
            if request.headers["if-none-match"] == Self.tag { return ServerResponse(status: 304, headers: [("ETag", Self.tag)]) }
            return .json(bytes: body(request.query("limit").flatMap { Int($0) } ?? 100), headers: [("ETag", Self.tag)])
        }
    }

    private func version2(_ limit: Int) -> [UInt8] {
        guard limit == 0 else { return Array(catalog.version2(limit: limit).utf8) }
        return everything.withLock { cached in
            let bytes = cached ?? Array(catalog.version2(limit: 0).utf8)
            cached = bytes
            return bytes
        }
    }

    private func setAccount(_ request: ServerRequest, isRefused: Bool) -> ServerResponse {
        guard let account = keys.account(request.parameters["name"] ?? "") else { return Self.refusal(404, 1, "no such account") }
        set(account.name, isRefused: isRefused)
        return .noContent
    }

    private func credentials(_ request: ServerRequest) -> ServerResponse {
        let given = request.headers["authorization"] ?? ""
        let account = keys.accounts.first { Digest.equal(given, "Basic " + Base64.encode(Array("token:\($0.token)".utf8))) }
        guard mode.withLock({ $0 }) != .refusing, let account, !refused.withLock({ $0.contains(account.name) }) else {
            return Self.refusal(401, 101_301, "Unauthorized")
        }
        let body =
            #"{"id":1,"created_at":"2026-01-01 00:00:00","updated_at":"2026-01-01 00:00:00","username":"lab","password":"lab","nordlynx_private_key":"\#(account.client.privateKey)"}"#
        return .json(bytes: Array(body.utf8))
    }

    private static func refusal(_ status: Int, _ code: Int, _ message: String) -> ServerResponse {
        .json(bytes: Array(#"{"errors":{"code":\#(code),"message":"\#(message)"}}"#.utf8), status: status)
    }
}
