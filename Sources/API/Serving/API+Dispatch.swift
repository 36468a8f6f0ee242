package import HTTPServing
import Model
import Platform

/// The way of a request: limits, key, CORS and headers, coding, route. Each may answer by itself; request id, log, metrics and
/// audit stand around all of them.
extension API {
    /// What a server calls for each request.
    package func dispatcher() -> @Sendable (ServerRequest) -> Dispatch {
        let router = Router(routes)
        return { [self] request in dispatch(request, router) }
    }

    /// True for what is answered however many connections there are: whether this process is well.
    package static func isHealth(_ head: RequestHead) -> Bool {
        ["GET", "HEAD"].contains(head.method) && [["health"], ["health", "live"], ["health", "ready"]].contains(head.path)
    }

    /// What a server calls for each request that it can't hand on, for its head, its target or its body. Counts for the limits too.
    package func refuser() -> @Sendable (ServerRequest, APIProblem) -> ServerResponse {
        { [self] request, problem in
            var call = Call(request, HeadMeaning(request.head), settings: settings)
            _ = takeForAddress(&call, .standard)
            return finish(problem.response(id: request.id), call)
        }
    }

    private func dispatch(_ request: ServerRequest, _ router: Router<Contract>) -> Dispatch {
        let head = request.head
        let meaning = head.kept { HeadMeaning(head, router.match(method: head.method, path: head.path)) }
        var call = Call(request, meaning, settings: settings)
        if let problem = refusal(of: &call) { return .ready(finish(problem.response(id: request.id), call, refused: true)) }
        switch meaning.match {
        case .notFound:
            return .ready(
                finish(Self.noPath.response(id: request.id), call))
        case .wrongMethod(let allowed):
            let allow = (allowed + ["OPTIONS"]).sorted().joined(separator: ", ")
            if request.method == "OPTIONS" { return .ready(finish(ServerResponse(status: 204, headers: [("Allow", allow)]), call)) }
            let problem = APIProblem(
                status: 405, code: "method_not_allowed", message: "want one of \(allow)", headers: [("Allow", allow)])
            return .ready(finish(problem.response(id: request.id), call))
        case .found(let route, _):
            if Self.takesNoWord(route, call.request.body) { call.request.body = [] }
            if let problem = Self.mistake(in: call, route) ?? streamProblem(of: call) {
                return .ready(finish(problem.response(id: request.id), call))
            }
            return answer(call, route)
        }
    }

    // MARK: - Who may

    /// Limits and keys: why a request is not let in, nil where it is.
    private func refusal(of call: inout Call) -> APIProblem? {
        let settings = call.settings
        let limit = call.route?.access.limit ?? .standard
        if limit != .none {
            if let problem = takeForAddress(&call, limit) { return problem }
            if !settings.allowedNetworks.isEmpty, !call.client.isIn(settings.allowedNetworks) {
                return APIProblem(status: 403, code: "address_not_allowed", message: "requests from this address are not allowed")
            }
        } else if let most = settings.most(.standard) {
            // It is told what is left, and neither counted nor held to it.
            let name = LimitClass.standard.addressPrefix + call.counted
            call.note(limiter.take(name, limit: most, window: settings.windowSeconds, counts: false))
        }
        guard let route = call.route, case .role(let wanted) = route.access.access else { return nil }
        guard call.meaning.offersKey else {
            return unauthorized("key_missing", "an API key is needed, as X-API-Key or Authorization: Bearer")
        }
        let key: APIKey
        do { key = try self.key(of: call) } catch { return error }
        call.key = key
        if limit != .none, let most = settings.most(limit) {
            call.note(limiter.take(limit.keyPrefix + key.id, limit: most, window: settings.windowSeconds))
            if let problem = Self.tooMany(call) { return problem }
        }
        guard key.role >= wanted else {
            return APIProblem(
                status: 403, code: "role_too_low", message: "this needs role \(wanted.rawValue), the key has \(key.role.rawValue)")
        }
        return nil
    }

    /// The key that a request is let in with. One who guesses must wait, also for a right key: else a right guess could be told. A key that
    /// has come from there before is no guess, and whoever uses it must not be shut out by a neighbour's mistake.
    private func key(of call: Call) throws(APIProblem) -> APIKey {
        let found = keys.found(call.meaning.keyDigest, from: call.counted)
        if let found, found.isKnown { return found.key }
        let (failures, settings) = ("failed:address:" + call.counted, call.settings)
        let guesses = limiter.take(failures, limit: settings.failedKeys, window: settings.windowSeconds, counts: false)
        guard guesses.isAllowed else {
            metrics.keyFailures.add(1, "too_many")
            throw APIProblem(
                status: 429, code: "too_many_tries", message: "too many wrong keys from this address",
                headers: [("Retry-After", String(guesses.reset))])
        }
        guard let found else {
            _ = limiter.take(failures, limit: settings.failedKeys, window: settings.windowSeconds)
            metrics.keyFailures.add(1, "unknown")
            throw unauthorized("key_unknown", "no such API key")
        }
        keys.letIn(found.key, from: call.counted)
        return found.key
    }

    private func takeForAddress(_ call: inout Call, _ limit: LimitClass) -> APIProblem? {
        guard let most = call.settings.most(limit) else { return nil }
        call.note(limiter.take(limit.addressPrefix + call.counted, limit: most, window: call.settings.windowSeconds))
        return Self.tooMany(call)
    }

    private static func tooMany(_ call: Call) -> APIProblem? {
        guard let verdict = call.verdict, !verdict.isAllowed else { return nil }
        return APIProblem(
            status: 429, code: "too_many_requests", message: "\(verdict.limit) requests are allowed in \(call.settings.windowSeconds) s",
            headers: [("Retry-After", String(verdict.reset))])
    }

    private func unauthorized(_ code: String, _ message: String) -> APIProblem {
        APIProblem(
            status: 401, code: code, message: "\(message); /docs says how, and what there is",
            headers: [("WWW-Authenticate", "Bearer realm=\"sallyport\""), Self.documentation])
    }

    /// Where a client that has lost its way finds what there is (RFC 8631).
    private static let documentation = (
        name: "Link", value: "</docs>; rel=\"service-doc\", </openapi.json>; rel=\"service-desc\""
    )

    private static let noPath = APIProblem(
        status: 404, code: "not_found", message: "there is no such path; /docs has all that there are, /openapi.json for programs",
        headers: [documentation])

    // MARK: - What is wrong with it

    /// True where a body that says nothing is as good as none. Supervisors may send whatever they like.
    private static func takesNoWord(_ route: APIRoute, _ body: [UInt8]) -> Bool {
        guard !body.isEmpty, route.access.limit != .none else { return true }
        guard let wanted = route.access.body else { return Negotiation.saysNothing(body) }
        // Null where an object may be is a mistake that is told.
        return wanted.isOptional && Negotiation.saysNothing(body) && !body.contains(0x6E)
    }

    private static func mistake(in call: Call, _ route: APIRoute) -> APIProblem? {
        let request = call.request
        if let problem = call.meaning.acceptProblem { return problem }
        if !request.body.isEmpty {
            guard route.access.body != nil else {
                return APIProblem(status: 415, code: "media_type", message: "this request takes no body")
            }
            guard Negotiation.isJSON(request.headers["content-type"]) else {
                return APIProblem(status: 415, code: "media_type", message: "want Content-Type: application/json")
            }
        }
        if request.body.isEmpty, let body = route.access.body, !body.isOptional {
            return APIProblem.invalid([FieldProblem(field: "body", message: "is missing, want a JSON object")])
        }
        return call.meaning.queryProblem
    }

    /// Who holds streams without end must leave room for others. One request after another asks, so no stream is opened in between.
    private func streamProblem(of call: Call) -> APIProblem? {
        guard call.meaning.isStream, let key = call.key else { return nil }
        let (perKey, inAll) = (call.settings.streamsPerKey, call.settings.streams)
        guard let limit = openStreams.limit(reachedBy: key, perKey: perKey, inAll: inAll) else { return nil }
        metrics.refusedStreams.add(1, limit.rawValue)
        let message =
            switch limit {
            case .key: "this key has \(perKey) open streams, the most that one key can have (api.streams_per_key)"
            case .all: "\(inAll) streams are open, the most that there can be (api.streams)"
            }
        return APIProblem(status: 429, code: "too_many_streams", message: message, headers: [("Retry-After", "10")])
    }

    // MARK: - The answer

    private func answer(_ call: Call, _ route: APIRoute) -> Dispatch {
        let changes = call.changes
        if !changes, case .ready(let body) = route.handler {
            let response: ServerResponse
            do { response = try body(call.request) } catch { response = self.response(to: error, call.request) }
            return .ready(finish(response, call))
        }
        return .waiting { [self] in
            let before = changes ? await state(of: call, route) : nil
            let response =
                call.request.method == "POST"
                ? await idempotency.answer(call, isSecret: route.access.answersSecret) { await run(route, call) }
                : await run(route, call)
            if changes { await audit.recordNow(entry(.change, call, response, before: before)) }
            return finish(response, call)
        }
    }

    private func run(_ route: APIRoute, _ call: Call) async -> ServerResponse {
        do {
            return try await Originator.$current.withValue(call.key?.name) {
                switch route.handler {
                case .ready(let body): try body(call.request)
                case .waiting(let body): try await body(call.request)
                }
            }
        } catch {
            return response(to: error, call.request)
        }
    }

    private func response(to error: any Error, _ request: ServerRequest) -> ServerResponse {
        if let problem = error as? APIProblem { return problem.response(id: request.id) }
        log.error("request failed", ["request_id": request.id, "error": "\(error)"])
        return APIProblem(status: 500, code: "internal", message: "this is a defect of ours; the log has its cause").response(
            id: request.id)
    }

    private func finish(_ response: ServerResponse, _ call: Call, refused: Bool = false) -> ServerResponse {
        var microseconds = 0
        let response = Dressing.dress(response, of: call) {
            microseconds = call.microseconds
            return microseconds
        }
        let seconds = Double(microseconds) / 1_000_000
        metrics.count(call, response.status, seconds)
        if let stream = response.stream, let key = call.key, case .role(let role)? = call.route?.access.access {
            // An admin is shown users' names: one who is none any more must come again.
            openStreams.add(stream, key, key.role == .admin && !call.settings.showsUserNames ? .admin : role)
        }
        if refused, response.status != 429 || call.route?.access.limit == .strict {
            audit.record(entry(.refused, call, response))
        } else if call.settings.auditsRequests, !call.changes {
            audit.record(entry(.request, call, response))
        }
        if call.settings.logsRequests {
            log.request(
                id: call.request.id, method: call.request.method, path: call.path, status: response.status, seconds: seconds,
                bytes: response.size, address: call.address, key: call.key?.id)
        }
        return response
    }
}

extension LimitClass {
    /// What the limiter calls an address or a key: this, and the address or the key's id.
    fileprivate var addressPrefix: String { self == .strict ? "strict:address:" : "standard:address:" }
    fileprivate var keyPrefix: String { self == .strict ? "strict:key:" : "standard:key:" }
}
