import Model

/// Finds out that somebody has set the wall clock, by a clock that nobody can set. A value.
struct WallClockSteps {
    /// Seconds. Less is a clock that is put right little by little, and costs nobody anything.
    private static let smallest = 2.0

    private var last: (wall: Timestamp, steady: ContinuousClock.Instant)?

    /// Seconds by which the wall clock was set since it was last compared, forward or back; nil where it was not.
    mutating func step(wall: Timestamp, steady: ContinuousClock.Instant) -> Double? {
        defer { last = (wall, steady) }
        guard let last else { return nil }
        let step = (wall - last.wall) - (steady - last.steady) / .seconds(1)
        return abs(step) >= Self.smallest ? step : nil
    }
}
