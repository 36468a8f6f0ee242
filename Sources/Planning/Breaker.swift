package import Model

/// Remembers that something fails, and leaves it alone for a while: a server, a provider's API, a credential. A value: time
/// is an input, so what decides can be tested and kept in the store.
package struct Breaker: Hashable, Codable, Sendable {
    package enum State: String, Codable, Sendable, CaseIterable {
        /// Nothing is held against it.
        case closed
        /// Left alone until the cool-down ends.
        case open
        /// The cool-down is over: a few trials may go, and decide.
        case halfOpen = "half_open"
    }

    package struct Rules: Hashable, Sendable {
        /// Failures in a row that open it, 1 or more.
        package var threshold: Int
        /// Seconds of the first cool-down; each one after that is twice as long, up to the longest.
        package var firstCoolDown: Double
        package var longestCoolDown: Double
        /// Trials that may be under way at once while half open, and must succeed in a row to close it.
        package var trials: Int
        /// Seconds for which one that was closed for now still knows how often it had opened.
        package var memory = 3600.0
        /// Where there is one, a share of failures opens it instead of `threshold`, and each cool-down lasts `firstCoolDown` exactly.
        package var window: Window?

        package init(
            threshold: Int = 3, firstCoolDown: Double = 30, longestCoolDown: Double = 3600, trials: Int = 1, window: Window? = nil
        ) {
            self.threshold = threshold
            self.firstCoolDown = firstCoolDown
            self.longestCoolDown = longestCoolDown
            self.trials = trials
            self.window = window
        }
    }

    /// The latest tries, of which a share must not fail.
    package struct Window: Hashable, Sendable {
        package var seconds: Double
        /// 0 to 1.
        package var share: Double
        /// Tries below which nothing is concluded.
        package var tries: Int

        package init(seconds: Double, share: Double, tries: Int) {
            self.seconds = seconds
            self.share = share
            self.tries = tries
        }
    }

    private struct Try: Hashable, Codable {
        var at: Timestamp
        var hasFailed: Bool
    }

    /// Failures in a row while closed.
    package private(set) var failures = 0
    /// Openings in a row, without a success between them that lasted.
    package private(set) var openings = 0
    package private(set) var openUntil: Timestamp?
    /// Trials begun and succeeded since it became half open.
    private var begun = 0
    private var succeeded = 0
    /// What failed last, as a word for machines.
    package private(set) var reason: String?
    package private(set) var changedAt: Timestamp?
    /// Tries while closed, where a window counts; what an older version stored has none.
    private var tries: [Try]?

    package init() {}

    /// A server that failed once is left alone at once: there are others.
    package static let ofServers = Rules(threshold: 1, firstCoolDown: 60, longestCoolDown: 3600, trials: 1)
    /// A credential is opened by whoever counts the servers that refuse it.
    package static let ofCredentials = Rules(threshold: 1, firstCoolDown: 60, longestCoolDown: 1800, trials: 1)
    /// A provider's API: half of its calls in ten seconds, three at least, open it for 30 s; then three trials must succeed.
    package static let ofProviders = Rules(
        threshold: 1, firstCoolDown: 30, longestCoolDown: 30, trials: 3, window: Window(seconds: 10, share: 0.5, tries: 3))

    package func state(_ now: Timestamp) -> State {
        guard let openUntil else { return .closed }
        return now < openUntil ? .open : .halfOpen
    }

    /// True where nothing stands against a try now; while half open only as long as trials are left.
    package func allows(_ now: Timestamp, _ rules: Rules = Rules()) -> Bool {
        switch state(now) {
        case .closed: true
        case .open: false
        // A trial whose end was never told must not hold it half open for ever.
        case .halfOpen: begun - succeeded < rules.trials || openUntil.map { now - $0 > rules.longestCoolDown } ?? true
        }
    }

    /// Call before a try; counts trials while half open.
    package mutating func begin(_ now: Timestamp) { if state(now) == .halfOpen { begun += 1 } }

    package mutating func succeed(_ now: Timestamp, _ rules: Rules = Rules()) {
        switch state(now) {
        case .closed:
            failures = 0
            note(false, now, rules)
        // A success of something that began before it opened proves nothing for now.
        case .open: return
        case .halfOpen:
            succeeded += 1
            begun = max(begun, succeeded)
            if succeeded >= rules.trials {
                let now = now
                self = Breaker()
                changedAt = now
            }
        }
    }

    /// Closes it for what has worked for a while, which may fail again: one that opens within `memory` of this goes on with longer
    /// cool-downs. So what comes up, works for a moment and fails, again and again, is tried ever more seldom.
    package mutating func rest(_ now: Timestamp) {
        (openUntil, failures, begun, succeeded, tries) = (nil, 0, 0, 0, nil)
        changedAt = now
    }

    /// True for what an older version has held against a server whose exit was ended from outside.
    package var blamesNobody: Bool {
        [.containerExited, .containerGone, .proxyDown].contains(reason.flatMap(ExitReason.init(rawValue:)))
    }

    /// True for a credential whose access token the provider's API has refused; false where servers refuse the key.
    package var isOfToken: Bool { reason == ExitReason.credentialsRejected.rawValue }

    /// True where nothing of it needs to be remembered.
    package func isForgettable(_ now: Timestamp, _ rules: Rules = Rules()) -> Bool {
        guard openUntil == nil, failures == 0 else { return false }
        return openings == 0 || changedAt.map { now - $0 >= rules.memory } ?? true
    }

    /// The clock was set by so many seconds.
    package mutating func shift(by seconds: Double) {
        openUntil = openUntil.map { $0 + seconds }
        changedAt = changedAt.map { $0 + seconds }
        tries = tries?.map { Try(at: $0.at + seconds, hasFailed: $0.hasFailed) }
    }

    /// - Parameters:
    ///   - salt: spreads cool-downs by 25 percent, so that many breakers don't close in step.
    ///   - atLeast: seconds that whoever refused asked for (`Retry-After`). Where a window counts, they open it at once.
    package mutating func fail(
        _ why: String, _ now: Timestamp, _ rules: Rules = Rules(), salt: UInt64 = 0, atLeast: Double = 0
    ) {
        reason = why
        switch state(now) {
        case .closed:
            failures += 1
            note(true, now, rules)
            if isTooMuch(rules) || rules.window != nil && atLeast > 0 { open(now, rules, salt, atLeast) }
        case .open: return
        case .halfOpen: open(now, rules, salt, atLeast)
        }
    }

    /// Counts a try, where a window does.
    private mutating func note(_ hasFailed: Bool, _ now: Timestamp, _ rules: Rules) {
        guard let window = rules.window else { return }
        // A try of the future is one from before the clock was set.
        let recent = (tries ?? []).filter { $0.at <= now && now - $0.at < window.seconds }.suffix(99)
        tries = recent + [Try(at: now, hasFailed: hasFailed)]
    }

    private func isTooMuch(_ rules: Rules) -> Bool {
        guard let window = rules.window else { return failures >= rules.threshold }
        let tries = tries ?? []
        return tries.count >= window.tries && Double(tries.count(where: \.hasFailed)) >= window.share * Double(tries.count)
    }

    private mutating func open(_ now: Timestamp, _ rules: Rules, _ salt: UInt64, _ atLeast: Double) {
        if openUntil == nil, changedAt.map({ now - $0 >= rules.memory }) ?? true { openings = 0 }
        openings += 1
        (begun, succeeded, tries) = (0, 0, nil)
        changedAt = now
        guard rules.window == nil else {
            openUntil = now + (atLeast > 0 ? atLeast : rules.firstCoolDown)
            return
        }
        let pause = BackOff(first: rules.firstCoolDown, longest: rules.longestCoolDown).pause(attempts: openings, salt: salt)
        openUntil = now + max(pause, atLeast)
    }
}
