import Model
import Synchronization

/// The services of `verification.urls`, which say who asks, in their order; and which of them want to be left alone. All exits share
/// that, for a service's limits are of the whole account or network. Thread-safe.
final class AddressServices: Sendable {
    private struct Rest {
        var until: ContinuousClock.Instant
        /// Refusals in a row.
        var count: Int
    }

    private struct State {
        var rests: [String: Rest] = [:]
        /// Those whose last address came without a country.
        var placeless: Set<String> = []
        /// When one that rests was last asked all the same.
        var disturbedAt: ContinuousClock.Instant?
    }

    let urls: [String]
    private let now: @Sendable () -> ContinuousClock.Instant
    private let state = Mutex(State())

    /// Seconds for which one that refuses is left alone: the first time, and at most; what it asks for itself counts within a second range.
    static let restSeconds = 60.0...600.0
    static let askedSeconds = 10.0...3_600.0
    /// Seconds that whoever asks first after a rest has, before the others ask too.
    static let trialSeconds = 10.0
    /// Seconds between two requests to services that rest, where there is no other.
    static let disturbanceSeconds = 15.0

    init(_ urls: [String], now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {
        self.urls = urls
        self.now = now
    }

    /// How a service is named in what people read: without a user, a password or a query, which may hold a token.
    static func name(_ url: String) -> String {
        let rest = url.firstRange(of: "://").map { url[$0.upperBound...] } ?? url[...]
        let plain = rest.prefix { $0 != "?" && $0 != "#" }
        let host = plain.prefix { $0 != "/" }
        guard let user = host.lastIndex(of: "@") else { return String(plain) }
        return String(plain[plain.index(after: user)...])
    }

    /// Those that may be asked now.
    var ready: [String] {
        let now = now()
        return state.withLock { state in urls.filter { state.rests[$0].map { $0.until <= now } ?? true } }
    }

    var resting: [String] {
        let ready = ready
        return urls.filter { !ready.contains($0) }
    }

    /// True where it says, as far as is known, in which country it sees somebody.
    func saysCountry(_ url: String) -> Bool { state.withLock { !$0.placeless.contains(url) } }

    /// Takes the right to ask now: false where it has begun to rest since, or where another one tries it after its rest.
    func begin(_ url: String) -> Bool {
        let now = now()
        return state.withLock { state in
            guard let rest = state.rests[url] else { return true }
            guard rest.until <= now else { return false }
            state.rests[url]?.until = now + .seconds(Self.trialSeconds)
            return true
        }
    }

    /// The service to ask where all rest, which only one asker gets each `disturbanceSeconds`: to see that an exit carries an answer.
    func disturbed() -> String? {
        let now = now()
        return state.withLock { state in
            guard state.disturbedAt.map({ now - $0 >= .seconds(Self.disturbanceSeconds) }) ?? true else { return nil }
            state.disturbedAt = now
            return urls.min { state.rests[$0]?.until ?? now < state.rests[$1]?.until ?? now }
        }
    }

    /// Takes what a service has answered.
    /// - Parameters:
    ///   - retryAfter: the header of that name.
    ///   - answer: nil where it says no address.
    func note(_ url: String, status: Int, retryAfter: String? = nil, _ answer: EchoAnswer?) {
        let now = now()
        let asked = retryAfter.flatMap { Int($0) }.map { Double($0) }
        let isRefusal = [403, 429].contains(status) || (!(200..<400).contains(status) && asked != nil)
        state.withLock { state in
            if let answer {
                state.rests[url] = nil
                if answer.country == nil { state.placeless.insert(url) } else { state.placeless.remove(url) }
            } else if isRefusal {
                let count = (state.rests[url]?.count ?? 0) + 1
                state.rests[url] = Rest(until: now + .seconds(Self.rest(asked: asked, count)), count: count)
            }
        }
    }

    /// Seconds for which a service that refuses is left alone: what it asks for, or longer each time.
    private static func rest(asked: Double?, _ count: Int) -> Double {
        guard let asked else { return min(restSeconds.upperBound, restSeconds.lowerBound * Double(1 << min(count - 1, 10))) }
        return min(askedSeconds.upperBound, max(askedSeconds.lowerBound, asked))
    }
}
