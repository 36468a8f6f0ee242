import Model

/// The figures of one moment, of which a sample is made.
package struct FigureReading: Sendable {
    /// Figures of kind level.
    package var levels: [Figure: Double]
    /// What has been counted since the process began, for figures of the other kinds.
    package var totals: [Figure: Double]
    /// Numbers and sums, in seconds, of what takes time; its mean becomes a level in milliseconds.
    package var times: [Figure: (count: Double, sum: Double)]

    package init(levels: [Figure: Double], totals: [Figure: Double], times: [Figure: (count: Double, sum: Double)]) {
        self.levels = levels
        self.totals = totals
        self.times = times
    }
}

/// Makes samples of readings: the levels of now, and what was added since the reading before.
struct FigureMeter {
    private var before: (reading: FigureReading, moment: ContinuousClock.Instant)?

    /// Nil the first time, when counting begins.
    mutating func sample(_ reading: FigureReading, at now: Timestamp, moment: ContinuousClock.Instant = .now) -> FigureSample? {
        defer { before = (reading, moment) }
        guard let before else { return nil }
        var values = reading.levels
        for (figure, total) in reading.totals {
            if let old = before.reading.totals[figure] { values[figure] = max(0, total - old) }
        }
        for (figure, (count, sum)) in reading.times {
            if let old = before.reading.times[figure], count > old.count {
                values[figure] = max(0, sum - old.sum) / (count - old.count) * 1000
            }
        }
        return FigureSample(
            at: now, seconds: (moment - before.moment) / .seconds(1), values: values.reduce(into: [:]) { $0[$1.key.rawValue] = $1.value })
    }
}
