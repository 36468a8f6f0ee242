package import HTTPServing
import Model
package import Platform
import Synchronization

/// The HTTP API: one table of routes, from which requests are routed, allowed and answered.
package final class API: Sendable {
    let operations: any Operations
    let proxy: ProxyAddress
    let log: Log
    private let keys: KeyRing
    private let exitsBody = Mutex<(revision: Int, bytes: [UInt8])?>(nil)

    package init(operations: any Operations, keys: KeyRing, proxy: ProxyAddress, log: Log) {
        self.operations = operations
        self.keys = keys
        self.proxy = proxy
        self.log = log
    }

    /// What a server calls for each request.
    package func dispatcher() -> @Sendable (ServerRequest) -> Dispatch {
        let router = Router(routes)
        return { [self] request in dispatch(request, router) }
    }

    private func dispatch(_ request: ServerRequest, _ router: Router<Access>) -> Dispatch {
        switch router.match(method: request.method, path: request.path) {
        case .notFound:
            return .ready(APIProblem(status: 404, code: "not_found", message: "there is no such path").response(id: request.id))
        case .wrongMethod(let allowed):
            let allow = allowed.joined(separator: ", ")
            let problem = APIProblem(
                status: 405, code: "method_not_allowed", message: "want one of \(allow)", headers: [("Allow", allow)])
            return .ready(problem.response(id: request.id))
        case .found(let route, let parameters):
            if let problem = keys.problem(with: request, for: route.access) { return .ready(problem.response(id: request.id)) }
            var request = request
            request.parameters = parameters
            switch route.handler {
            case .ready(let body):
                do { return .ready(try body(request)) } catch { return .ready(response(to: error, request)) }
            case .waiting(let body):
                let complete = request
                return .waiting { do { return try await body(complete) } catch { return self.response(to: error, complete) } }
            }
        }
    }

    private func response(to error: any Error, _ request: ServerRequest) -> ServerResponse {
        if let problem = error as? APIProblem { return problem.response(id: request.id) }
        log.error("request failed", ["request_id": request.id, "error": "\(error)"])
        return APIProblem(status: 500, code: "internal", message: "this is a defect of ours; the log has its cause").response(
            id: request.id)
    }

    // MARK: - The table

    var routes: [Route<Access>] {
        [
            Route("GET", "/health/live", .open, .ready { _ in .json(["status": "live"]) }),
            Route("GET", "/health/ready", .open, .ready { _ in self.ready() }),

            Route("GET", "/api/exits", .role(.viewer), .ready(listExits)),
            Route("POST", "/api/exits", .role(.operator), .waiting(createExit)),
            Route("GET", "/api/exits/{id}", .role(.viewer), .ready(showExit)),
            Route("DELETE", "/api/exits/{id}", .role(.operator), .waiting(deleteExit)),
            Route("POST", "/api/exits/{id}/rotate", .role(.operator), .waiting(rotateExit)),
            Route("GET", "/api/exits/{id}/health", .role(.viewer), .ready(showHealth)),
            Route("GET", "/api/exits/{id}/logs", .role(.operator), .waiting(showLogs)),

            Route("GET", "/api/pools", .role(.viewer), .ready(listPools)),
            Route("GET", "/api/pools/{cc}", .role(.viewer), .ready(showPool)),
            Route("PUT", "/api/pools/{cc}", .role(.operator), .waiting(setPool)),
            Route("DELETE", "/api/pools/{cc}", .role(.operator), .waiting(deletePool)),
            Route("GET", "/api/countries", .role(.viewer), .waiting(listCountries)),

            Route("GET", "/api/{provider}/servers", .role(.viewer), .waiting(listServers)),
            Route("GET", "/api/{provider}/servers/top", .role(.viewer), .waiting(listTopServers)),
            Route("GET", "/api/{provider}/servers/{cc}", .role(.viewer), .waiting(listServersOfCountry)),
            Route("GET", "/api/{provider}/countries", .role(.viewer), .waiting(listCountriesOfProvider)),

            Route("GET", "/api/users", .role(.admin), .ready(listUsers)),
            Route("POST", "/api/users", .role(.admin), .waiting(createUser)),
            Route("DELETE", "/api/users/{name}", .role(.admin), .waiting(deleteUser)),
        ]
    }

    private func ready() -> ServerResponse {
        struct Body: Encodable {
            let status: String
            let problems: [String: String]
        }
        let problems = operations.state.problems
        return .json(Body(status: problems.isEmpty ? "ready" : "not_ready", problems: problems), status: problems.isEmpty ? 200 : 503)
    }

    /// The list of all exits, encoded once for each state.
    func encodedExits(_ state: OperatorState) -> [UInt8] {
        if let cached = exitsBody.withLock({ $0 }), cached.revision == state.revision { return cached.bytes }
        let bytes = ServerResponse.json(["exits": views(state.exits.values)]).body
        exitsBody.withLock { $0 = (state.revision, bytes) }
        return bytes
    }

    func views(_ exits: some Collection<Exit>) -> [ExitView] {
        exits.sorted { $0.id < $1.id }.map { ExitView($0, proxy: proxy) }
    }
}
