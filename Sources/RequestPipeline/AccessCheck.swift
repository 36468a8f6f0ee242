import AccessControl
import HTTPServing
import Model
import OpenAPI
import Platform

/// Lets requests in: rate limits, allowed networks, API keys and roles.
struct AccessCheck: Sendable {
    let keys: KeyRing
    let limiter: RateLimiter
    /// Counts keys that were refused.
    let keyFailures: Metric

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
        guard let route = context.route, case .role(let wanted) = route.access.access else { return nil }
        guard context.analysis.offersKey else {
            return unauthorized("key_missing", "an API key is needed, as X-API-Key or Authorization: Bearer")
        }
        let key: APIKey
        do { key = try self.key(of: context) } catch { return error }
        context.key = key
        if limit != .none, let most = settings.most(limit) {
            context.note(limiter.take(limit.keyPrefix + key.id, limit: most, window: settings.windowSeconds))
            if let problem = Self.tooMany(context) { return problem }
        }
        guard key.role >= wanted else {
            return APIProblem(
                status: 403, code: "role_too_low", message: "this needs role \(wanted.rawValue), the key has \(key.role.rawValue)")
        }
        return nil
    }

    /// The key that a request is let in with. After too many wrong keys an address must wait, also with a right one: otherwise an answer
    /// would confirm a guess. A key that has come from this address before is no guess.
    private func key(of context: RequestContext) throws(APIProblem) -> APIKey {
        let found = keys.found(context.analysis.keyDigest, from: context.counted)
        if let found, found.isKnown { return found.key }
        let (failures, settings) = ("failed:address:" + context.counted, context.settings)
        let guesses = limiter.take(failures, limit: settings.failedKeys, window: settings.windowSeconds, counts: false)
        guard guesses.isAllowed else {
            keyFailures.add(1, "too_many")
            throw APIProblem(
                status: 429, code: "too_many_tries", message: "too many wrong keys from this address",
                headers: [("Retry-After", String(guesses.reset))])
        }
        guard let found else {
            _ = limiter.take(failures, limit: settings.failedKeys, window: settings.windowSeconds)
            keyFailures.add(1, "unknown")
            throw unauthorized("key_unknown", "no such API key")
        }
        keys.letIn(found.key, from: context.counted)
        return found.key
    }

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

    private func unauthorized(_ code: String, _ message: String) -> APIProblem {
        APIProblem(
            status: 401, code: code, message: "\(message); see /docs",
            headers: [("WWW-Authenticate", "Bearer realm=\"sallyport\""), APIProblem.documentation])
    }
}

extension LimitClass {
    /// What the limiter calls an address or a key: this, and the address or the key's id.
    fileprivate var addressPrefix: String { self == .strict ? "strict:address:" : "standard:address:" }
    fileprivate var keyPrefix: String { self == .strict ? "strict:key:" : "standard:key:" }
}
