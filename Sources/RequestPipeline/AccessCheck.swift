import AccessControl
import HTTPServing
import Model
import OpenAPI
import Platform

/// Lets requests in: rate limits, allowed networks, API keys and roles.
struct AccessCheck: Sendable {
    let callers: Callers
    let tries: KeyTries
    var limiter: RateLimiter { tries.limiter }

    init(callers: Callers, limiter: RateLimiter, keyFailures: Metric) {
        self.callers = callers
        tries = KeyTries(keys: callers.keys, tokens: callers.tokens, limiter: limiter, failures: keyFailures)
    }

    /// True where a request brings a key or a session that is not known here and that the store may have.
    func mayBeStored(_ analysis: RequestAnalysis) -> Bool {
        if let digest = analysis.sessionDigest { return callers.mayBeStored(session: digest) }
        return analysis.needsKey && analysis.keyDigest.map(callers.mayBeStored(key:)) ?? false
    }

    /// Counts a request and finds its key.
    /// - Returns: why the request is refused; nil where it is let in.
    func refusal(of context: inout RequestContext) -> APIProblem? {
        let settings = context.settings
        let limit = context.route?.access.limit ?? .standard
        if limit != .none {
            if let problem = takeForAddress(&context, limit) { return problem }
            if !settings.allowedNetworks.isEmpty, !context.client.isIn(settings.allowedNetworks) {
                return APIProblem(status: 403, code: "address_not_allowed", message: "requests from this address are not allowed")
            }
        } else if let most = settings.most(.standard) {
            // It is told what is left, and neither counted nor held to it.
            let name = LimitClass.standard.addressPrefix + context.counted
            context.note(limiter.take(name, limit: most, window: settings.windowSeconds, counts: false))
        }
        guard let route = context.route, route.access.access != .open else {
            // Nor may another site's page sign a browser in.
            return context.changes && isForeign(context) ? Self.foreign : nil
        }
        let key: APIKey
        do { key = try self.key(of: &context) } catch { return error }
        context.key = key
        if limit != .none, let most = settings.most(limit) {
            context.note(limiter.take(limit.keyPrefix + key.id, limit: most, window: settings.windowSeconds))
            if let problem = Self.tooMany(context) { return problem }
        }
        return refusal(of: key, route)
    }

    /// Why whoever has come with this may not call the route.
    private func refusal(of key: APIKey, _ route: APIRoute) -> APIProblem? {
        switch (route.access.access, key.user) {
        case (.open, _): return nil
        case (.role, .some): return .onlyForItsUser
        case (.role(let wanted), nil):
            guard key.role < wanted else { return nil }
            return APIProblem(
                status: 403, code: "role_too_low", message: "this needs role \(wanted.rawValue), the key has \(key.role.rawValue)")
        case (.user, nil):
            return APIProblem(
                status: 403, code: "user_token_needed",
                message: "this is for a proxy user's own token; with an API key, /api/users/{name} shows a user")
        case (.user, .some):
            let user = callers.tokens.user(key.digest)
            if user?.isDisabled ?? true { return APIProblem(status: 403, code: "user_disabled", message: "this user is disabled") }
            guard user?.isAdmitted(now: SystemClock.now()) ?? false else {
                return APIProblem(status: 403, code: "user_expired", message: "this user's time is over")
            }
            return nil
        }
    }

    /// The key that a request is let in with: that of its header, else that of its session.
    private func key(of context: inout RequestContext) throws(APIProblem) -> APIKey {
        let analysis = context.analysis
        // Neither a refused try nor the end of a session: nobody has said that there is no such key.
        if context.callerIsUncertain, mayBeStored(analysis) { throw .callerIsUncertain }
        if analysis.offersKey { return try tries.caller(analysis.keyDigest, from: context.counted, context.settings) }
        guard let digest = analysis.sessionDigest else {
            throw .unauthorized("key_missing", "an API key is needed, as X-API-Key or Authorization: Bearer")
        }
        // A token is no guess: nobody tries 32 random bytes, and a page whose session has ended asks for some time yet.
        guard let (session, key) = callers.sessions.found(digest) else {
            tries.failures.add(1, "session")
            throw .unauthorized("session_ended", "the session has ended, or its key is no longer valid")
        }
        context.session = session.id
        if isForeign(context) { throw Self.foreign }
        guard !context.changes || context.request.headers["x-sallyport-request"] == "dashboard" else { throw Self.withoutHeader }
        return key
    }

    private func isForeign(_ context: RequestContext) -> Bool {
        RequestOrigin(context.request, trusted: context.settings.trustedProxies).isForeign
    }

    private static let foreign = APIProblem(
        status: 403, code: "csrf",
        message: "a page of another origin has sent this; behind a proxy that changes Host, name the proxy in api.trusted_proxies")
    private static let withoutHeader = APIProblem(
        status: 403, code: "csrf", message: "a change by a session's cookie needs the header X-Sallyport-Request: dashboard")

    func takeForAddress(_ context: inout RequestContext, _ limit: LimitClass) -> APIProblem? {
        guard let most = context.settings.most(limit) else { return nil }
        context.note(limiter.take(limit.addressPrefix + context.counted, limit: most, window: context.settings.windowSeconds))
        return Self.tooMany(context)
    }

    private static func tooMany(_ context: RequestContext) -> APIProblem? {
        guard let verdict = context.verdict, !verdict.isAllowed else { return nil }
        return APIProblem(
            status: 429, code: "too_many_requests", message: "\(verdict.limit) requests are allowed in \(context.settings.windowSeconds) s",
            headers: [("Retry-After", String(verdict.reset))])
    }
}

extension LimitClass {
    /// What the limiter calls an address or a key: this, and the address or the key's id.
    fileprivate var addressPrefix: String { self == .strict ? "strict:address:" : "standard:address:" }
    fileprivate var keyPrefix: String { self == .strict ? "strict:key:" : "standard:key:" }
}
