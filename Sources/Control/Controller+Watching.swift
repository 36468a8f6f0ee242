import Model
import Planning
import Platform

/// The probes of one exit's container. Of the controller alone; a class, because hundreds are looked through many times a second,
/// which must not copy them.
final class Watch {
    let generation: Int
    /// When a deep probe has last compared the exit's address, and its country; before the first, when the watch began.
    var uncomparedSince: Timestamp
    var unplacedSince: Timestamp
    var record: HealthRecord
    /// When the next probes begin; nil while one is under way or its outcome is judged.
    var due: ContinuousClock.Instant?
    var deepDue: ContinuousClock.Instant?
    /// When the last deep probe was begun.
    var deepBegan: ContinuousClock.Instant?
    /// When the fast probe under way is late.
    var suspectAt: ContinuousClock.Instant?
    /// The latest probes, and what reads the tunnel's handshakes.
    var probe: Task<Void, Never>?
    var deepProbe: Task<Void, Never>?
    var handshakes: Task<Void, Never>?
    /// The next fast probe comes at once, when the one under way is over.
    var isNudged = false
    /// Other exits were probed at the same moment: the next pause is a random part of one.
    var isInStep = true
    /// What the history hears of at the end of the period.
    var probes = 0
    var failures = 0
    var latencies: [Double] = []
    /// The reading of the tunnel's counters that is under way.
    var reading: Task<Void, Never>?
    /// It was said that this container counts no leaks.
    var isToldUncounted = false
    /// The number of the next probe, and of the last one that was late.
    var turn = 0
    var suspected = -1

    init(generation: Int, record: HealthRecord, begunAt: Timestamp) {
        self.generation = generation
        uncomparedSince = begunAt
        unplacedSince = begunAt
        self.record = record
    }

    /// When there is something to do about it.
    var next: ContinuousClock.Instant? {
        guard let first = due ?? suspectAt, let deepDue else { return due ?? suspectAt ?? deepDue }
        return min(first, deepDue)
    }

    /// The clock was set by so many seconds.
    func shift(by seconds: Double) {
        record.shift(by: seconds)
        uncomparedSince = uncomparedSince + seconds
        unplacedSince = unplacedSince + seconds
    }

    func end() {
        for task in [probe, deepProbe, handshakes] { task?.cancel() }
    }
}

/// Each exit with a proved tunnel has a watch: a fast probe at short intervals, a deep one seldom. One alarm wakes for all of
/// them: with hundreds of exits an alarm and a wake-up for each probe would cost more than the probe.
extension Controller {
    /// Begins and ends watches so that they are those of the exits that there are.
    func followWatches() {
        // One that follows shows the leader's verdicts; one that only waits for the store goes on looking for the truth.
        let probed = hasLoaded ? exits.filter(\.value.state.isProbed) : [:]
        for (id, watch) in watches where probed[id]?.generation != watch.generation {
            watch.end()
            watches[id] = nil
            forgetReadings(of: id)
            failovers.judged(id, isDead: false, at: ports.now())
        }
        for exit in probed.values where watches[exit.id] == nil {
            let (id, generation, now) = (exit.id, exit.generation, ports.instant)
            let watch = Watch(generation: generation, record: HealthRecord(known: exit.health), begunAt: ports.now())
            beginComparing(watch, exit)
            // Not all exits in step.
            watch.due = now + .seconds(Double.random(in: 0...0.5) * settings.probeSeconds)
            watch.deepDue = beat(after: settings.deepSeconds * Double.random(in: 0.2...1))
            watch.handshakes = spawn { await $0.readHandshakes(of: id, generation) }
            watches[id] = watch
            probesDue.signal()
        }
    }

    func isWatched(_ id: ExitID, _ generation: Int) -> Bool { !Task.isCancelled && watches[id]?.generation == generation }

    /// Begins probes when they are due, and counts those that are late, until it is cancelled.
    func keepWatch() async {
        while !Task.isCancelled {
            watch(ports.instant)
            let next = watches.values.lazy.compactMap(\.next).min()
            watchWakesAt = next
            await probesDue.wait(until: next, by: ports.time)
        }
    }

    private func watch(_ now: ContinuousClock.Instant) {
        noticeClock()
        func isOver(_ moment: ContinuousClock.Instant?) -> Bool { moment.map { $0 <= now } ?? false }
        for (id, watch) in watches where isOver(watch.next) {
            if isOver(watch.suspectAt) { suspect(id) }
            if isOver(watch.due) { beginProbe(id, now) }
            if isOver(watch.deepDue) { beginDeepProbe(id) }
        }
    }

    /// All exits are probed at once.
    func nudgeWatches() {
        for watch in watches.values {
            watch.isInStep = true
            if watch.due == nil { watch.isNudged = true } else { watch.due = ports.instant }
        }
        probesDue.signal()
    }

    /// One exit is probed at once, if it isn't being probed.
    func nudgeWatch(_ id: ExitID) {
        guard let watch = watches[id], watch.due != nil else { return }
        watch.due = ports.instant
        probesDue.signal()
    }

    func scheduleProbe(_ id: ExitID, _ generation: Int) {
        guard isWatched(id, generation), let watch = watches[id] else { return }
        let failures = watch.record.failures
        // A failure wants to be confirmed at once; a dead exit need not be asked so often.
        var seconds = failures > 0 && failures < 12 ? 0.02 : probeInterval(of: id) * (watch.isInStep ? Double.random(in: 0...1) : 1)
        if watch.isNudged { seconds = 0 }
        watch.isInStep = watch.isNudged
        watch.isNudged = false
        let due = beat(after: seconds)
        watch.due = due
        wakeWatch(at: due)
    }

    /// - Parameter isUrgent: what was found is to be confirmed soon.
    func scheduleDeepProbe(_ id: ExitID, _ generation: Int, isUrgent: Bool = false) {
        guard isWatched(id, generation) else { return }
        let due = beat(after: isUrgent ? min(1, settings.deepSeconds) : settings.deepSeconds * Double.random(in: 0.9...1.1))
        watches[id]?.deepDue = due
        wakeWatch(at: due)
    }

    /// The deep probe comes at once, if the last one was not a moment ago: an exit that flaps is not to be a burden to the address services.
    func hastenDeepProbe(_ id: ExitID) {
        guard let watch = watches[id], watch.deepDue != nil else { return }
        guard watch.deepBegan.map({ ports.instant - $0 >= .seconds(min(5, settings.deepSeconds)) }) ?? true else { return }
        watch.deepDue = ports.instant
        probesDue.signal()
    }

    /// Puts the fast probe off as if it had just been made.
    func skipProbe(_ id: ExitID, _ generation: Int) {
        guard let due = watches[id]?.due, due > ports.instant else { return }
        scheduleProbe(id, generation)
    }

    private func wakeWatch(at moment: ContinuousClock.Instant) {
        if watchWakesAt.map({ moment < $0 }) ?? true { probesDue.signal() }
    }

    /// Seconds between two fast probes of an exit: longer where there are so many exits that probing would be felt, and then
    /// twice as long for one that nobody uses.
    private func probeInterval(of id: ExitID) -> Double {
        guard sharedSeconds > settings.probeSeconds else { return settings.probeSeconds }
        return usedSlots.contains(id) ? sharedSeconds : 2 * sharedSeconds
    }

    /// Seconds between two probes of an exit at the rate that all exits share.
    private var sharedSeconds: Double { Double(watches.count) / settings.probesPerSecond }

    /// The end of a pause. Long ones end on the beat of a clock that all exits share, and never later for it: probes of many exits
    /// go out together, and wake this process once. The beat is slower where the pauses are longer.
    private func beat(after seconds: Double) -> ContinuousClock.Instant {
        let end = ports.instant + .seconds(seconds)
        guard seconds >= 0.25 else { return end }
        let beat = Duration.seconds(sharedSeconds > settings.probeSeconds ? sharedSeconds / 5 : 0.05)
        return started + beat * ((end - started) / beat).rounded(.down)
    }
}
