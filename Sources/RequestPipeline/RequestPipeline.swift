package import AccessControl
package import AuditLog
package import EventStreams
package import HTTPServing
import Model
package import OpenAPI
package import Platform

/// The way of a request: limits, key, contract, route, headers and coding. Each step may answer by itself; request id, log, metrics and
/// audit apply to all answers.
package final class RequestPipeline: Sendable {
    let table: RouteTable
    let metrics: RequestMetrics
    let access: AccessCheck
    let openStreams: OpenStreams
    let refusedStreams: Metric
    let idempotency: Idempotency
    let audit: AuditLog
    let log: Log
    let settings: @Sendable () -> RequestSettings

    /// - Parameters:
    ///   - memory: what controllers share; nil keeps limits and repeated requests to this process.
    ///   - settings: read for each request.
    package init(
        _ table: RouteTable, callers: Callers, limiter: RateLimiter, streams: Streams, memory: (any SharedMemory)?, audit: AuditLog,
        metrics: RequestMetrics, log: Log, settings: @escaping @Sendable () -> RequestSettings
    ) {
        self.table = table
        access = AccessCheck(callers: callers, limiter: limiter, keyFailures: metrics.keyFailures)
        openStreams = streams.open
        refusedStreams = streams.metrics.refused
        idempotency = Idempotency(shared: memory)
        self.audit = audit
        self.metrics = metrics
        self.log = log
        self.settings = settings
    }

    /// What a server calls for each request.
    package func dispatcher() -> @Sendable (ServerRequest) -> Dispatch {
        let router = table.router
        return { [self] request in dispatch(request, router) }
    }

    /// True for what is answered however many connections there are: whether this process is well.
    package static func isHealth(_ head: RequestHead) -> Bool {
        ["GET", "HEAD"].contains(head.method) && [["health"], ["health", "live"], ["health", "ready"]].contains(head.path)
    }

    /// What a server calls for each request that it can't hand on, for its head, its target or its body. Counts for the limits too.
    package func refuser() -> @Sendable (ServerRequest, APIProblem) -> ServerResponse {
        { [self] request, problem in
            var context = RequestContext(request, RequestAnalysis(request.head), settings: settings())
            _ = access.takeForAddress(&context, .standard)
            return finish(problem.response(id: request.id), context)
        }
    }

    private func dispatch(_ request: ServerRequest, _ router: Router<Contract>) -> Dispatch {
        let head = request.head
        let analysis = head.analysis { RequestAnalysis(head, router.match(method: head.method, path: head.path)) }
        guard access.mayBeStored(analysis) else { return dispatch(request, analysis) }
        // Another controller may have signed the browser in a moment ago, or this one may have read no keys and sessions yet.
        return .waiting { [self] in
            let isRead = (try? await access.callers.refresh()) != nil
            switch dispatch(request, analysis, callerIsUncertain: !isRead) {
            case .ready(let response): return response
            case .waiting(let work): return await work()
            }
        }
    }

    private func dispatch(_ request: ServerRequest, _ analysis: RequestAnalysis, callerIsUncertain: Bool = false) -> Dispatch {
        var context = RequestContext(request, analysis, settings: settings())
        context.callerIsUncertain = callerIsUncertain
        if let problem = access.refusal(of: &context) {
            return .ready(finish(problem.response(id: request.id), context, refused: problem.status != 503))
        }
        switch analysis.match {
        case .notFound:
            return .ready(finish(APIProblem.noPath.response(id: request.id), context))
        case .wrongMethod(let allowed):
            let allow = (allowed + ["OPTIONS"]).sorted().joined(separator: ", ")
            if request.method == "OPTIONS" { return .ready(finish(ServerResponse(status: 204, headers: [("Allow", allow)]), context)) }
            let problem = APIProblem(
                status: 405, code: "method_not_allowed", message: "expected one of \(allow)", headers: [("Allow", allow)])
            return .ready(finish(problem.response(id: request.id), context))
        case .found(let route, _):
            if RequestChecks.mayDropBody(route, context.request.body) { context.request.body = [] }
            if let problem = RequestChecks.problem(in: context, route) ?? streamProblem(of: context) {
                return .ready(finish(problem.response(id: request.id), context))
            }
            return answer(context, route)
        }
    }

    /// Who holds streams without end must leave room for others. One request after another asks, so no stream is opened in between.
    private func streamProblem(of context: RequestContext) -> APIProblem? {
        guard context.analysis.isStream, let key = context.key else { return nil }
        let (perKey, inAll) = (context.settings.streamsPerKey, context.settings.streams)
        guard let limit = openStreams.limit(reachedBy: key, perKey: perKey, inAll: inAll) else { return nil }
        refusedStreams.add(1, limit.rawValue)
        let message =
            switch limit {
            case .key: "this key has \(perKey) open streams, the maximum for one key (api.streams_per_key)"
            case .all: "\(inAll) streams are open, the maximum (api.streams)"
            }
        return APIProblem(status: 429, code: "too_many_streams", message: message, headers: [("Retry-After", "10")])
    }

    // MARK: - The answer

    private func answer(_ context: RequestContext, _ route: APIRoute) -> Dispatch {
        let changes = context.changes
        if !changes, case .ready(let body) = route.handler {
            let response: ServerResponse
            do { response = try body(context.request) } catch { response = self.response(to: error, context.request) }
            return .ready(finish(response, context))
        }
        return .waiting { [self] in
            let before = changes ? await AuditEntry.state(before: context, route, table) : nil
            let response =
                context.request.method == "POST"
                ? await idempotency.answer(context, isSecret: route.access.answersSecret) { await run(route, context) }
                : await run(route, context)
            if changes { await audit.recordNow(entry(of: context, route, response, before: before)) }
            return finish(response, context)
        }
    }

    /// An entry of a change. One that signs in is by the key that it has brought.
    private func entry(of context: RequestContext, _ route: APIRoute, _ response: ServerResponse, before: Document?) -> AuditEntry {
        guard route.access.access == .open else { return AuditEntry(.change, context, response, before: before) }
        var context = context
        context.key = access.callers.key(signedInBy: response)
        return AuditEntry(context.key == nil ? .refused : .change, context, response)
    }

    private func run(_ route: APIRoute, _ context: RequestContext) async -> ServerResponse {
        do {
            return try await Originator.$current.withValue(context.key?.name) {
                switch route.handler {
                case .ready(let body): try body(context.request)
                case .waiting(let body): try await body(context.request)
                }
            }
        } catch {
            return response(to: error, context.request)
        }
    }

    private func response(to error: any Error, _ request: ServerRequest) -> ServerResponse {
        if let problem = error as? APIProblem { return problem.response(id: request.id) }
        log.error("request failed", ["request_id": request.id, "error": "\(error)"])
        return APIProblem(status: 500, code: "internal", message: "this is a defect in Sallyport; the log has its cause").response(
            id: request.id)
    }

    private func finish(_ response: ServerResponse, _ context: RequestContext, refused: Bool = false) -> ServerResponse {
        var microseconds = 0
        let response = ResponseDecorator.decorate(response, of: context) {
            microseconds = context.microseconds
            return microseconds
        }
        let seconds = Double(microseconds) / 1_000_000
        metrics.count(context, response.status, seconds)
        if let stream = response.stream, let key = context.key, let contract = context.route?.access, case .role(let role) = contract.access
        {
            // An admin is shown users' names: one who is none any more must come again.
            let showsMore = contract.showsByRole || (key.role == .admin && !context.settings.showsUserNames)
            openStreams.add(stream, key, session: context.session, showsMore ? key.role : role)
        }
        if refused, response.status != 429 || context.route?.access.limit == .strict {
            audit.record(AuditEntry(.refused, context, response))
        } else if context.settings.auditsRequests, !context.changes {
            audit.record(AuditEntry(.request, context, response))
        }
        if context.settings.logsRequests {
            log.request(
                id: context.request.id, method: context.request.method, path: context.path, status: response.status, seconds: seconds,
                bytes: response.size, address: context.address, key: context.key?.id)
        }
        return response
    }
}
