package import Model

/// Where code takes its time from: a wall clock, a monotonic clock, and pauses by the latter. Tests give one that they move on themselves.
package protocol TimeSource: Sendable {
    /// The wall clock, which an administrator may set.
    func now() -> Timestamp
    /// The monotonic clock. It goes on while the machine sleeps.
    var instant: ContinuousClock.Instant { get }
    /// Returns at the deadline.
    /// - Throws: `CancellationError` when the task is cancelled.
    func sleep(until deadline: ContinuousClock.Instant) async throws
}

extension TimeSource {
    package func sleep(seconds: Double) async throws { try await sleep(until: instant + .seconds(seconds)) }
}

/// The machine's clocks.
package struct SystemTime: TimeSource {
    package init() {}
    package func now() -> Timestamp { SystemClock.now() }
    package var instant: ContinuousClock.Instant { .now }
    package func sleep(until deadline: ContinuousClock.Instant) async throws { try await Task.sleep(until: deadline, clock: .continuous) }
}
