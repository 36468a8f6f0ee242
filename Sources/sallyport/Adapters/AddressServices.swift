import Model
import Planning
import Platform
import Synchronization

/// The services that say who asks; how often each may be asked, and which of them want to be left alone. All exits share that, for a service's
/// limits are of the whole account or network. Thread-safe.
final class AddressServices: Sendable {
    struct Settings: Sendable, Equatable {
        /// Services of the operator's own, which are asked without a budget, and first.
        var own: [String] = []
        var urls: [String]
        /// Requests a day of each service that is not the operator's own, and of those with another budget, by host; 0 for no limit.
        var perDay = 0
        var perDayOf: [String: Int] = [:]
        /// Seconds between two probes of an exit that may want to ask.
        var probeSeconds = 15.0

        /// Nil for no limit.
        func budget(of url: String) -> Int? {
            guard !own.contains(url) else { return nil }
            let perDay = perDayOf[AddressServices.host(url)] ?? perDay
            return perDay == 0 ? nil : perDay
        }

        /// Of all that are not the operator's own, requests a day; nil where one has no limit.
        var sum: Double? {
            let budgets = urls.filter { !own.contains($0) }.map(budget)
            return budgets.contains(nil) ? nil : Double(budgets.compactMap(\.self).reduce(0, +))
        }
    }

    private struct Rest {
        var until: ContinuousClock.Instant
        /// Refusals in a row.
        var count: Int
    }

    private struct State {
        var rests: [String: Rest] = [:]
        /// Those whose last address came without a country.
        var placeless: Set<String> = []
        /// Of those that have one.
        var budgets: [String: ServiceBudget]
        var turns: ServiceTurns
    }

    let urls: [String]
    private let log: Log
    private let now: @Sendable () -> ContinuousClock.Instant
    private let state: Mutex<State>

    /// Seconds for which one that refuses is left alone: the first time, and at most; what it asks for itself counts within a second range.
    static let restSeconds = 60.0...3_600.0
    static let askedSeconds = 10.0...86_400.0
    /// Seconds that whoever asks first after a rest has, before the others ask too.
    static let trialSeconds = 10.0

    init(_ settings: Settings, log: Log = .none, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {
        urls = settings.own + settings.urls.filter { !settings.own.contains($0) }
        self.log = log
        self.now = now
        let begin = now()
        let budgets = urls.compactMap { url in settings.budget(of: url).map { (url, ServiceBudget(perDay: $0, begin)) } }
        // An exit that is probed is there again after a probe, which may take as long as all of its time-outs.
        let turns = ServiceTurns(patience: 2 * settings.probeSeconds + 30)
        state = Mutex(State(budgets: Dictionary(budgets) { first, _ in first }, turns: turns))
    }

    // MARK: - Names

    /// How a service is named in what people read: without a user, a password or a query, which may hold a token.
    static func name(_ url: String) -> String {
        let rest = url.firstRange(of: "://").map { url[$0.upperBound...] } ?? url[...]
        let plain = rest.prefix { $0 != "?" && $0 != "#" }
        let host = plain.prefix { $0 != "/" }
        guard let user = host.lastIndex(of: "@") else { return String(plain) }
        return String(plain[plain.index(after: user)...])
    }

    /// Its host, in lower case, without a port.
    static func host(_ url: String) -> String {
        let authority = name(url).prefix { $0 != "/" }
        guard !authority.hasPrefix("[") else { return String(authority.prefix { $0 != "]" }.dropFirst()).lowercased() }
        return authority.prefix { $0 != ":" }.lowercased()
    }

    // MARK: - Who may be asked

    /// Those that may be asked now: without a budget first, in their order, then those with the largest part of theirs left.
    var ready: [String] {
        let now = now()
        return state.withLock { state in
            let ready = urls.filter { state.rests[$0].map { $0.until <= now } ?? true }
            let shares = ready.map { url in state.budgets[url]?.share(now) ?? 2 }
            return zip(shares, ready.indices).sorted { ($1.0, $0.1) < ($0.0, $1.1) }.map { ready[$0.1] }
        }
    }

    var resting: [String] {
        let now = now()
        return state.withLock { state in urls.filter { state.rests[$0].map { $0.until > now } ?? false } }
    }

    /// True where it is asked as often as is wanted.
    func isFree(_ url: String) -> Bool { state.withLock { $0.budgets[url] == nil } }

    /// True where it says, as far as is known, in which country it sees somebody.
    func saysCountry(_ url: String) -> Bool { state.withLock { !$0.placeless.contains(url) } }

    /// True where an exit may ask those with a budget now: each gets its turn, however many there are.
    func takeTurn(_ exit: ExitID) -> Bool {
        let now = now()
        return state.withLock { state in
            var free = 0
            for url in urls where state.rests[url].map({ $0.until <= now }) ?? true {
                free += max(0, state.budgets[url]?.left(for: .routine, now) ?? 0)
            }
            return state.turns.take(exit, free: free, now)
        }
    }

    /// Takes the right to ask now, which a budget is charged with. False where it is empty, where the service has begun to rest since, or
    /// where another one tries it after its rest.
    /// - Parameter isDisturbed: it is asked although it rests.
    func begin(_ url: String, _ need: ServiceBudget.Need, isDisturbed: Bool = false) -> Bool {
        let now = now()
        return state.withLock { state in
            if !isDisturbed, let rest = state.rests[url], rest.until > now { return false }
            guard state.budgets[url]?.take(for: need, now) ?? true else { return false }
            if !isDisturbed, state.rests[url] != nil { state.rests[url]?.until = now + .seconds(Self.trialSeconds) }
            if let left = state.budgets[url]?.left(for: .urgent, now) {
                Metrics.addressBudget.set(Double(left), Self.name(url))
            }
            return true
        }
    }

    // MARK: - What they answer

    /// What became of a request, for the metrics.
    enum Outcome: String {
        case address, refused, failed
        /// An answer that says nothing of use.
        case useless
        /// None came; which may be the exit's fault.
        case unanswered
    }

    /// Takes what a service has answered.
    /// - Parameters:
    ///   - retryAfter: the header of that name.
    ///   - answer: nil where it says no address.
    func note(_ url: String, status: Int, retryAfter: String? = nil, _ answer: EchoAnswer?) {
        let now = now()
        let asked = retryAfter.flatMap(RetryAfter.seconds)
        let isRefusal = [403, 429].contains(status) || (!(200..<400).contains(status) && asked != nil)
        let isFault = (500..<600).contains(status)
        let outcome: Outcome = answer != nil ? .address : isFault ? .failed : isRefusal ? .refused : .useless
        count(url, outcome)
        let change = state.withLock { state -> (hadRest: Bool, seconds: Double?) in
            let old = state.rests[url]
            if let answer {
                state.rests[url] = nil
                if answer.country == nil { state.placeless.insert(url) } else { state.placeless.remove(url) }
                return (old != nil, nil)
            }
            guard isRefusal || isFault else { return (old != nil, nil) }
            let count = (old?.count ?? 0) + 1
            let seconds = Self.rest(asked: asked, count)
            state.rests[url] = Rest(until: now + .seconds(seconds), count: count)
            return (old != nil, seconds)
        }
        show(url, status, hadRest: change.hadRest, isAnswered: answer != nil, seconds: change.seconds)
    }

    func count(_ url: String, _ outcome: Outcome) { Metrics.addressRequests.add(1, Self.name(url), outcome.rawValue) }

    /// Said once when it begins, and once when it ends, however many refusals there are between.
    private func show(_ url: String, _ status: Int, hadRest: Bool, isAnswered: Bool, seconds: Double?) {
        let name = Self.name(url)
        if let seconds {
            Metrics.addressResting.set(1, name)
            guard !hadRest else { return }
            log.warning(
                "an address service refuses; it is left alone for a while, and longer each time",
                ["service": name, "status": "\(status)", "seconds": "\(Int(seconds))"])
        } else if isAnswered {
            Metrics.addressResting.set(0, name)
            if hadRest { log.info("an address service answers again", ["service": name]) }
        }
    }

    /// Seconds for which a service that refuses is left alone: what it asks for, or longer each time.
    private static func rest(asked: Double?, _ count: Int) -> Double {
        guard let asked else { return min(restSeconds.upperBound, restSeconds.lowerBound * Double(1 << min(count - 1, 10))) }
        return min(askedSeconds.upperBound, max(askedSeconds.lowerBound, asked))
    }
}
