package import Model

/// A wall clock that is set by hours, forward or back, must neither end a pause nor make it last for hours: what is to come and what
/// decides by its age moves with it. What is only shown of the past stays.
extension Exit {
    /// The clock was set by so many seconds.
    package mutating func shift(by seconds: Double) {
        since = since + seconds
        retryAt = retryAt.map { $0 + seconds }
        proof.at = proof.at.map { $0 + seconds }
        outclassedSince = outclassedSince.map { $0 + seconds }
        avoid = avoid.map { AvoidedServer(hostname: $0.hostname, until: $0.until + seconds) }
        health.checkedAt = health.checkedAt.map { $0 + seconds }
        health.degradedSince = health.degradedSince.map { $0 + seconds }
        health.comparedAt = health.comparedAt.map { $0 + seconds }
        health.placedAt = health.placedAt.map { $0 + seconds }
    }

    /// No pause of an exit is longer.
    private static let longestPause = 2_400.0

    /// Moves times of the future, which a clock that was ahead has stored, back to now: they would hold the exit up until the clock has come
    /// so far.
    package mutating func clampTimes(to now: Timestamp) {
        func past(_ time: Timestamp?) -> Timestamp? { time.map { min($0, now) } }
        since = min(since, now)
        proof.at = past(proof.at)
        outclassedSince = past(outclassedSince)
        health.checkedAt = past(health.checkedAt)
        health.degradedSince = past(health.degradedSince)
        health.comparedAt = past(health.comparedAt)
        health.placedAt = past(health.placedAt)
        if let retryAt, retryAt - now > Self.longestPause { self.retryAt = nil }
        avoid.removeAll { $0.until - now > Self.longestPause }
    }
}

extension Breaker {
    /// The same for what failed. A cool-down that somebody asked for may last hours; none lasts longer than a day.
    package mutating func clampTimes(to now: Timestamp) {
        guard let changedAt, changedAt > now else { return }
        shift(by: now - changedAt)
    }
}
