import AccessControl
import HTTPServing
import Model
import Platform

/// Says to whoever asks from which address that is: an address service of one's own. It knows nothing else, and so needs no key.
struct EchoServer: Sendable {
    let endpoint: Endpoint
    /// Proxies in front of it, whose word about their clients counts.
    let trustedProxies: [IPNetwork]

    /// Answers until it is stopped.
    /// - Throws: `PortError`.
    func start() throws -> HTTPServer {
        var limits = HTTPServer.Limits()
        (limits.connections, limits.connectionsPerAddress, limits.surplus) = (256, 32, 0)
        (limits.idleSeconds, limits.requestSeconds, limits.answerSeconds, limits.body) = (10, 10, 10, 1024)
        let trusted = trustedProxies
        return try HTTPServer(address: endpoint.address, port: endpoint.port, limits: limits) { .ready(Self.answer($0, trusted)) }
    }

    /// `/` as text, `/json` as JSON.
    static func answer(_ request: ServerRequest, _ trusted: [IPNetwork]) -> ServerResponse {
        guard ["GET", "HEAD"].contains(request.method) else {
            return APIProblem(status: 405, code: "method_not_allowed", message: "expected GET", headers: [("Allow", "GET")])
                .response(id: request.id)
        }
        guard case .known(let address) = ClientAddress.of(request, trusted: trusted) else {
            return APIProblem(
                status: 400, code: "client_unknown", message: "the proxy in front of this says no client's address that can be read"
            )
            .response(id: request.id)
        }
        let fresh = [("Cache-Control", "no-store")]
        switch request.path {
        case [], [""]:
            return ServerResponse(status: 200, headers: [("Content-Type", "text/plain")] + fresh, body: Array("\(address)\n".utf8))
        case ["json"]: return .json(bytes: Array("{\"ip\":\"\(address)\"}\n".utf8), headers: fresh)
        default: return APIProblem(status: 404, code: "not_found", message: "expected / or /json").response(id: request.id)
        }
    }
}
