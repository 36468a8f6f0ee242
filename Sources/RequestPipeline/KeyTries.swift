package import AccessControl
package import HTTPServing
import Model
package import Platform

/// Tries of keys, wherever they come: in a header, or in the body of a sign-in. Those that fail are counted for each address.
package struct KeyTries: Sendable {
    let keys: KeyRing
    let tokens: UserTokens
    let limiter: RateLimiter
    /// Counts what was refused, by reason.
    let failures: Metric

    package init(keys: KeyRing, tokens: UserTokens, limiter: RateLimiter, failures: Metric) {
        self.keys = keys
        self.tokens = tokens
        self.limiter = limiter
        self.failures = failures
    }

    /// The key that somebody signs in with: a proxy user's token is none.
    package func key(_ digest: String?, from address: String, _ settings: RequestSettings) throws(APIProblem) -> APIKey {
        let caller = try caller(digest, from: address, settings)
        guard caller.user == nil else { throw .onlyForItsUser }
        return caller
    }

    /// The key that somebody is let in with, or what stands for a user's token. After too many wrong keys an address must wait, also with a
    /// right one: otherwise an answer would confirm a guess. A key that has come from this address before is no guess.
    /// - Parameters:
    ///   - digest: of what was offered; nil where no key looks like that.
    ///   - address: what limits count it as.
    func caller(_ digest: String?, from address: String, _ settings: RequestSettings) throws(APIProblem) -> APIKey {
        let found = keys.found(digest, from: address)
        if let found, found.isKnown { return found.key }
        try check(address, settings)
        if found == nil, let digest, let user = tokens.user(digest) { return APIKey(tokenOf: user, digest: digest) }
        guard let found else { throw failed(address, settings, .unauthorized("key_unknown", "unknown API key")) }
        keys.recordUse(found.key, from: address)
        return found.key
    }

    /// - Throws: 429 `too_many_tries` where an address has tried too many.
    package func check(_ address: String, _ settings: RequestSettings) throws(APIProblem) {
        let tries = limiter.take(Self.name(address), limit: settings.failedKeys, window: settings.windowSeconds, counts: false)
        guard !tries.isAllowed else { return }
        failures.add(1, "too_many")
        throw APIProblem(
            status: 429, code: "too_many_tries", message: "too many wrong keys from this address",
            headers: [("Retry-After", String(tries.reset))])
    }

    /// Counts a try that has failed.
    package func failed(_ address: String, _ settings: RequestSettings, _ problem: APIProblem) -> APIProblem {
        _ = limiter.take(Self.name(address), limit: settings.failedKeys, window: settings.windowSeconds)
        failures.add(1, "unknown")
        return problem
    }

    private static func name(_ address: String) -> String { "failed:address:" + address }
}

extension APIProblem {
    static let onlyForItsUser = APIProblem(
        status: 403, code: "user_token", message: "a proxy user's token is for /api/me alone; this needs an API key")

    package static func unauthorized(_ code: String, _ message: String) -> APIProblem {
        APIProblem(
            status: 401, code: code, message: "\(message); /docs says how, and what there is",
            headers: [("WWW-Authenticate", "Bearer realm=\"sallyport\""), documentation])
    }
}
