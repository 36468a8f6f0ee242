/// How often one address service is asked. Pure: time is an input.
///
/// A budget of N requests a day is kept in any 24 hours: a tenth of it can be saved up, and the rest comes evenly over the day. Half of what
/// can be saved up is kept for what can't wait.
package struct ServiceBudget: Sendable {
    /// What a request is for.
    package enum Need: Sendable {
        /// A comparison from time to time.
        case routine
        /// A finding to confirm, or an exit that was away for a moment.
        case urgent
        /// An exit that may not serve before. It is never refused: what it takes beyond the budget is missing later.
        case vital
    }

    /// Requests that can be saved up.
    package let capacity: Double
    /// Requests a second.
    package let rate: Double
    private var tokens: Double
    private var countedAt: ContinuousClock.Instant

    /// One that begins anew has half of what can be saved up: a controller that is started again and again takes no more for it.
    package init(perDay: Int, _ now: ContinuousClock.Instant) {
        capacity = max(1, Double(perDay) / 10)
        rate = (Double(perDay) - capacity) / 86_400
        tokens = max(1, capacity / 2)
        countedAt = now
    }

    /// Whole requests that are left for a need; negative where exits that had to start took more.
    package mutating func left(for need: Need, _ now: ContinuousClock.Instant) -> Int {
        tokens = min(capacity, tokens + rate * ((now - countedAt) / .seconds(1)))
        countedAt = now
        // One that can save up a single request keeps none of it back.
        let kept = need == .routine && capacity >= 2 ? capacity / 2 : 0
        return Int((tokens - kept).rounded(.down))
    }

    /// How much of what can be saved up there is, 0 to 1; less where more was taken.
    package mutating func share(_ now: ContinuousClock.Instant) -> Double {
        _ = left(for: .routine, now)
        return tokens / capacity
    }

    /// - Returns: false where nothing is left for this need.
    package mutating func take(for need: Need, _ now: ContinuousClock.Instant) -> Bool {
        guard left(for: need, now) >= 1 || need == .vital else { return false }
        tokens -= 1
        return true
    }
}
