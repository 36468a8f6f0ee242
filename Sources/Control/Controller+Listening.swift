import Model
import Planning
import Platform

/// What was heard of the engine, and when: a stream of events that hangs is told by what it has not told.
struct EngineEar {
    private(set) var lastEvent: ContinuousClock.Instant?
    /// The stream that is followed now.
    var stream: Task<Void, any Error>?
    private var beganAt: ContinuousClock.Instant
    private var seen: Set<String>?
    /// When the list that was seen last, and the one that is on its way, were asked for: each tells of no later moment for sure.
    private var seenAt: ContinuousClock.Instant
    private var askedAt: ContinuousClock.Instant
    /// A change that a list has shown: not before the first moment, and not after the second.
    private var change: (after: ContinuousClock.Instant, at: ContinuousClock.Instant)?

    /// Seconds that an event may come later than the list that shows the same.
    private static let patience = Duration.seconds(2)

    init(now: ContinuousClock.Instant = .now) { (beganAt, seenAt, askedAt) = (now, now, now) }

    /// A stream is followed from now on.
    mutating func begin(_ stream: Task<Void, any Error>?, now: ContinuousClock.Instant = .now) {
        self.stream = stream
        beganAt = now
        change = nil
    }

    /// A list is asked for now.
    mutating func asks(now: ContinuousClock.Instant = .now) { askedAt = now }

    mutating func hear(now: ContinuousClock.Instant = .now) { lastEvent = now }

    /// A list has come: what does it show that was not so before?
    mutating func saw(_ containers: [ExitContainer], now: ContinuousClock.Instant = .now) {
        let states = Set(containers.map { "\($0.name) \($0.isRunning)" })
        if let seen, seen != states, change.map({ wasHeard($0.after) }) ?? true { change = (seenAt, now) }
        (seen, seenAt) = (states, askedAt)
    }

    /// True where something happened a while ago while the stream was followed, and it has told nothing.
    mutating func isDeaf(now: ContinuousClock.Instant = .now) -> Bool {
        guard let (after, at) = change, now - at > Self.patience else { return false }
        change = nil
        return beganAt < after && !wasHeard(after)
    }

    private func wasHeard(_ time: ContinuousClock.Instant) -> Bool { lastEvent.map { $0 >= time } ?? false }
}

extension Controller {
    /// Listens to the engine's events. They only ring: whatever they don't tell shows in the next look.
    func followEngine() async {
        var pause = 0.2
        while !Task.isCancelled {
            do {
                let changes = try await parts.engine.changes()
                let stream = Task {
                    for try await _ in changes {
                        ear.hear()
                        ring()
                    }
                }
                ear.begin(stream)
                try await withTaskCancellationHandler {
                    try await stream.value
                } onCancel: {
                    stream.cancel()
                }
                pause = 0.2
            } catch {
                parts.log.debug("the engine's events ended", ["error": "\(error)"])
            }
            try? await Task.sleep(for: .seconds(pause))
            pause = min(5, pause * 2)
            ring()
        }
    }

    /// Follows the events anew where their stream is found to hang.
    func checkEar() {
        guard ear.isDeaf() else { return }
        parts.log.warning("the engine's events stand still; they are followed anew")
        ear.stream?.cancel()
    }
}
