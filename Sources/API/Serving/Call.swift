import HTTPServing
import Model
import Platform

/// One request on its way through the API, and what has been found out about it.
struct Call: Sendable {
    var request: ServerRequest
    let meaning: HeadMeaning
    let settings: API.Settings
    let begin: ContinuousClock.Instant
    /// Who it comes from, as trusted proxies tell.
    let client: ClientAddress
    /// The same in words, and what limits count it as.
    let address: String
    let counted: String
    var key: APIKey?
    var verdict: RateLimiter.Verdict?

    init(_ request: ServerRequest, _ meaning: HeadMeaning, settings: API.Settings) {
        self.request = request
        self.request.parameters = meaning.parameters
        self.meaning = meaning
        self.settings = settings
        begin = .now
        client = ClientAddress.of(request, trusted: settings.trustedProxies)
        (address, counted) = (client.text, client.counted)
    }

    var route: APIRoute? { meaning.route }
    var changes: Bool { meaning.changes }
    var path: String { meaning.path }

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
