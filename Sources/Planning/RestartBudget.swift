package import Model

/// How many containers a pool may begin in a while, so that a fault that moving can't mend doesn't become a storm.
package struct RestartBudget: Sendable, Equatable {
    /// Seconds that a launch counts.
    package var window: Double
    /// Launches in the window, for each exit that the pool wants, and at least so many.
    package var launchesAnExit: Int
    package var least: Int

    package init(window: Double = 60, launchesAnExit: Int = 3, least: Int = 6) {
        self.window = window
        self.launchesAnExit = launchesAnExit
        self.least = least
    }

    /// When the pool may begin its next container: `now`, or later where it has used up what it has.
    package func next(after launches: [Timestamp], of pool: Pool?, now: Timestamp) -> Timestamp {
        let limit = max(least, launchesAnExit * ((pool?.size ?? 0) + (pool?.standby ?? 0)))
        let counted = launches.filter { now - $0 < window }.sorted()
        guard counted.count >= limit else { return now }
        return counted[counted.count - limit] + window
    }
}
