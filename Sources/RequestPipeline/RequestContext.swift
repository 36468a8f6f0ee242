import AccessControl
import HTTPServing
import Model
import OpenAPI
import Platform

/// One request on its way through the API, and what is known of it.
struct RequestContext: Sendable {
    var request: ServerRequest
    let analysis: RequestAnalysis
    let settings: RequestSettings
    let begin: ContinuousClock.Instant
    /// Who it comes from, as trusted proxies tell.
    let client: ClientAddress
    /// The same in words, and what limits count it as.
    let address: String
    let counted: String
    var key: APIKey?
    /// The id of the session that it comes by.
    var session: String?
    var verdict: RateLimiter.Verdict?
    /// True where the store did not answer whether it has the key or session that was not known here.
    var callerIsUncertain = false

    init(_ request: ServerRequest, _ analysis: RequestAnalysis, settings: RequestSettings) {
        self.request = request
        self.request.parameters = analysis.parameters
        self.analysis = analysis
        self.settings = settings
        begin = .now
        client = ClientAddress.of(request, trusted: settings.trustedProxies)
        (address, counted) = (client.text, client.counted)
    }

    var route: APIRoute? { analysis.route }
    var changes: Bool { analysis.changes }
    var path: String { analysis.path }

    /// Microseconds since it began.
    var microseconds: Int {
        let components = (ContinuousClock.now - begin).components
        return Int(components.seconds) * 1_000_000 + Int(components.attoseconds / 1_000_000_000_000)
    }

    /// Keeps the verdict that leaves the least.
    mutating func note(_ new: RateLimiter.Verdict) {
        if !new.isAllowed || (verdict.map { new.remaining < $0.remaining } ?? true) { verdict = new }
    }
}
