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
    private let version: String
    private let written = Mutex<WrittenDocuments?>(nil)
    let answers = KeptAnswers()
    private let exitsBody = Mutex<(revision: Int, bytes: [UInt8])?>(nil)

    package init(operations: any Operations, keys: KeyRing, proxy: ProxyAddress, version: String = "0", log: Log) {
        self.version = version
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

    private func dispatch(_ request: ServerRequest, _ router: Router<Contract>) -> Dispatch {
        switch router.match(method: request.method, path: request.path) {
        case .notFound:
            return .ready(APIProblem(status: 404, code: "not_found", message: "there is no such path").response(id: request.id))
        case .wrongMethod(let allowed):
            let allow = allowed.joined(separator: ", ")
            let problem = APIProblem(
                status: 405, code: "method_not_allowed", message: "want one of \(allow)", headers: [("Allow", allow)])
            return .ready(problem.response(id: request.id))
        case .found(let route, let parameters):
            if let problem = keys.problem(with: request, for: route.access.access) { return .ready(problem.response(id: request.id)) }
            var request = request
            request.parameters = parameters
            let problems = route.queryProblems(request.query)
            guard problems.isEmpty else { return .ready(APIProblem.invalid(problems).response(id: request.id)) }
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

    /// What is written from the table, once.
    var documents: WrittenDocuments {
        written.withLock { kept in
            if let kept { return kept }
            let made = WrittenDocuments(routes, version: version)
            kept = made
            return made
        }
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
