import Model

/// For how long pools have been without an exit that they have lost. A value: time is an input.
struct FailoverClock {
    private struct Loss {
        var since: Timestamp
        var cause: EventCause
    }

    /// When an exit that takes traffic was judged dead.
    private var deadSince: [ExitID: Timestamp] = [:]
    /// What each pool has lost and not got back, the oldest first.
    private var losses: [CountryCode: [Loss]] = [:]

    /// Takes a new verdict.
    mutating func judged(_ id: ExitID, isDead: Bool, at now: Timestamp) { deadSince[id] = isDead ? deadSince[id] ?? now : nil }

    /// An exit that took traffic is given up. Where it was judged dead before, its users have waited since then.
    mutating func lost(_ id: ExitID, at now: Timestamp, cause: EventCause) {
        let since = deadSince.removeValue(forKey: id) ?? now
        losses[id.country, default: []].append(Loss(since: since, cause: cause))
    }

    /// The gateway sends traffic to another exit of a pool: seconds since the oldest loss, and what caused that; nil without one.
    mutating func serves(_ country: CountryCode, at now: Timestamp) -> (seconds: Double, cause: EventCause)? {
        guard let loss = losses[country]?.first else { return nil }
        losses[country]?.removeFirst()
        // The wall clock may have gone back.
        return (max(0, now - loss.since), loss.cause)
    }

    /// The wall clock was set by so many seconds.
    mutating func shift(by seconds: Double) {
        deadSince = deadSince.mapValues { $0 + seconds }
        losses = losses.mapValues { $0.map { Loss(since: $0.since + seconds, cause: $0.cause) } }
    }

    /// Forgets what a pool does not wait for any more.
    mutating func trim(_ country: CountryCode, to count: Int) {
        losses[country] = losses[country].flatMap { count == 0 ? nil : Array($0.suffix(count)) }
    }
}
