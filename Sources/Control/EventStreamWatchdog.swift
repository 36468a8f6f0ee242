import Model

/// Finds out that the engine's event stream has stalled: lists of containers show a change that the stream did not report. A value; time is
/// an input.
struct EventStreamWatchdog {
    private(set) var lastEvent: ContinuousClock.Instant?
    /// The stream that is followed now.
    private(set) var stream: Task<Void, any Error>?
    private var followedSince: ContinuousClock.Instant
    private var seen: Set<String>?
    /// When the latest list was requested, and the one that is on its way. A list shows the state of no later moment for sure.
    private var seenAt: ContinuousClock.Instant
    private var requestedAt: ContinuousClock.Instant
    /// A change that a list has shown: it happened after the first moment, and before the second.
    private var change: (after: ContinuousClock.Instant, before: ContinuousClock.Instant)?

    /// Seconds that an event may come later than the list that shows the same.
    private static let patience = Duration.seconds(2)

    init(now: ContinuousClock.Instant) { (followedSince, seenAt, requestedAt) = (now, now, now) }

    /// A stream is followed from now on.
    mutating func follow(_ stream: Task<Void, any Error>?, now: ContinuousClock.Instant) {
        self.stream = stream
        followedSince = now
        change = nil
    }

    mutating func received(now: ContinuousClock.Instant) { lastEvent = now }

    mutating func requestedList(now: ContinuousClock.Instant) { requestedAt = now }

    mutating func received(_ list: [ExitContainer], now: ContinuousClock.Instant) {
        let states = Set(list.map { "\($0.name) \($0.isRunning)" })
        if let seen, seen != states, change.map({ wasReported($0.after) }) ?? true { change = (seenAt, now) }
        (seen, seenAt) = (states, requestedAt)
    }

    /// True, once, where a change is over 2 s old, happened while the stream was followed, and was not reported.
    mutating func isStalled(now: ContinuousClock.Instant) -> Bool {
        guard let (after, before) = change, now - before > Self.patience else { return false }
        change = nil
        return followedSince < after && !wasReported(after)
    }

    private func wasReported(_ time: ContinuousClock.Instant) -> Bool { lastEvent.map { $0 >= time } ?? false }
}
