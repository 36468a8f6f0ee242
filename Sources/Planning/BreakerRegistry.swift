package import Model

/// What is remembered of servers and credentials that have failed. Pure: time is an input.
package struct BreakerRegistry: Sendable {
    /// What a change has made of a breaker, where that is an event.
    package enum Transition: Equatable, Sendable {
        case opened(Breaker)
        case closed
    }

    /// Only those that have something to remember.
    package private(set) var all: [BreakerKey: Breaker] = [:]
    package var writes = WriteBehind<BreakerKey>()

    package init() {}

    /// - Parameter stored: as the store has them. Times that are ahead of `now` are moved back, and what an older version held against
    ///   a server whose exit was ended from outside is dropped, also from the store.
    package init(stored: [BreakerKey: Breaker], now: Timestamp) {
        all = stored.filter { !$0.value.blamesNobody }.mapValues { breaker in
            var breaker = breaker
            breaker.clampTimes(to: now)
            return breaker
        }
        writes.mark(stored.keys.filter { all[$0] == nil })
    }

    package subscript(key: BreakerKey) -> Breaker? { all[key] }

    // MARK: - What happened

    /// Something that the key is about has failed.
    package mutating func fail(_ key: BreakerKey, _ reason: ExitReason, _ now: Timestamp) -> Transition? {
        change(key, now) { $0.fail(reason.rawValue, now, key.rules, salt: UInt64(truncatingIfNeeded: now.milliseconds)) }
    }

    /// A try begins, which is a trial where the breaker is half open.
    package mutating func begin(_ key: BreakerKey, _ now: Timestamp) {
        guard all[key] != nil else { return }
        _ = change(key, now) { $0.begin(now) }
    }

    /// It has worked for a while. One that is not closed is closed, and still knows for a time how often it has opened.
    package mutating func rest(_ key: BreakerKey, _ now: Timestamp) -> Transition? {
        guard let breaker = all[key], breaker.state(now) != .closed else { return nil }
        return change(key, now) { $0.rest(now) }
    }

    /// It is proved to be good: whatever has failed before is forgotten.
    package mutating func reset(_ key: BreakerKey, _ now: Timestamp) -> Transition? { change(key, now) { $0 = Breaker() } }

    private mutating func change(_ key: BreakerKey, _ now: Timestamp, _ body: (inout Breaker) -> Void) -> Transition? {
        let old = all[key]
        var breaker = old ?? Breaker()
        body(&breaker)
        // A closed one that remembers nothing is the same as none.
        let new = breaker.isForgettable(now, key.rules) ? nil : breaker
        guard new != old else { return nil }
        all[key] = new
        writes.mark(key)
        let (before, after) = (old?.state(now) ?? .closed, breaker.state(now))
        if after == .open, before != .open { return .opened(breaker) }
        return after == .closed && before != .closed ? .closed : nil
    }

    // MARK: - Time and the store

    /// Seconds after its cool-down for which a breaker is remembered where nobody tries again.
    private static let memory = 86_400.0

    /// Forgets those that have been closed for long, and those that nobody has tried for a day after their cool-down.
    package mutating func forgetOld(_ now: Timestamp) {
        for (key, breaker) in all {
            guard breaker.isForgettable(now, key.rules) || breaker.openUntil.map({ now - $0 > Self.memory }) ?? false else { continue }
            all[key] = nil
            writes.mark(key)
        }
    }

    /// The clock was set by so many seconds.
    package mutating func shift(by seconds: Double) {
        for key in all.keys { all[key]?.shift(by: seconds) }
        markAll()
    }

    /// Marks all of them, for a store that has lost them.
    package mutating func markAll() { writes.mark(all.keys) }

    /// What the store is to have of these; nil for one that is forgotten.
    package func values(of keys: Set<BreakerKey>) -> [BreakerKey: Breaker?] {
        Dictionary(uniqueKeysWithValues: keys.map { ($0, all[$0]) })
    }
}

extension BreakerKey {
    /// When what this key is about is left alone, and for how long.
    package var rules: Breaker.Rules {
        switch self {
        case .credential: Breaker.ofCredentials
        case .list, .account: Breaker.ofProviders
        case .server, .other: Breaker.ofServers
        }
    }
}
