import Model
import Planning
import Platform

/// When each exit's probes begin. Confined to the controller's actor. One alarm wakes for all exits: with hundreds of them an alarm and a wake-up
/// for each probe would cost more than the probe.
final class ProbeScheduler {
    /// What is due of an exit.
    enum Due {
        /// The fast probe under way is late.
        case suspicion
        case fast, deep
    }

    /// Sent when something is due earlier than was known.
    let earlier = WakeSignal()
    /// Exits that carry connections.
    var used: Set<ExitID> = []
    private(set) var monitors: [ExitID: ProbeMonitor] = [:]
    /// When it was last said that probes can't be made.
    private var unableReportedAt: Timestamp?
    /// Seconds between two deep probes of an exit that failed for a moment for which the address services' reserve is used.
    private static let urgentSeconds = 60.0
    private let settings: ProbeSettings
    private let time: any TimeSource
    /// The beat begins here.
    private let start: ContinuousClock.Instant
    private var wakesAt: ContinuousClock.Instant?

    init(settings: ProbeSettings, time: any TimeSource) {
        self.settings = settings
        self.time = time
        start = time.instant
    }

    // MARK: - Monitors

    /// Ends the monitors of exits that are not among these, in their present generation.
    /// - Returns: those that it has ended.
    func end(allBut probed: [ExitID: Exit]) -> [ExitID] {
        let ended = monitors.filter { probed[$0.key]?.generation != $0.value.generation }
        for (id, monitor) in ended {
            monitor.end()
            monitors[id] = nil
        }
        return Array(ended.keys)
    }

    /// Begins to monitor an exit: not all in step.
    func begin(_ exit: Exit) -> ProbeMonitor {
        let monitor = ProbeMonitor(generation: exit.generation, record: HealthRecord(known: exit.health), begunAt: time.now())
        monitor.fast.due = time.instant + .seconds(Double.random(in: 0...0.5) * settings.probeSeconds)
        monitor.deep.due = beat(after: settings.deepSeconds * Double.random(in: 0.2...1))
        monitors[exit.id] = monitor
        earlier.signal()
        return monitor
    }

    /// The exit's monitor, if it is of this generation.
    func monitor(_ id: ExitID, _ generation: Int) -> ProbeMonitor? { monitors[id].flatMap { $0.generation == generation ? $0 : nil } }

    func endAll() { _ = end(allBut: [:]) }

    /// True once a minute: that probes can't be made is the same for all exits, many times a second.
    func mayReportUnable() -> Bool {
        let now = time.now()
        guard unableReportedAt.map({ now - $0 >= 60 }) ?? true else { return false }
        unableReportedAt = now
        return true
    }

    /// The wall clock was set by so many seconds.
    func shift(by seconds: Double) {
        for monitor in monitors.values { monitor.shift(by: seconds) }
        unableReportedAt = unableReportedAt.map { $0 + seconds }
    }

    // MARK: - What is due

    /// When something is due next; nil where nothing is.
    func next() -> ContinuousClock.Instant? {
        wakesAt = monitors.values.lazy.compactMap(\.next).min()
        return wakesAt
    }

    func due() -> [(id: ExitID, due: Due)] {
        let now = time.instant
        func isOver(_ moment: ContinuousClock.Instant?) -> Bool { moment.map { $0 <= now } ?? false }
        var result: [(id: ExitID, due: Due)] = []
        for (id, monitor) in monitors where isOver(monitor.next) {
            if isOver(monitor.fast.suspectAt) { result.append((id, .suspicion)) }
            if isOver(monitor.fast.due) { result.append((id, .fast)) }
            if isOver(monitor.deep.due) { result.append((id, .deep)) }
        }
        return result
    }

    // MARK: - Sooner or later

    /// All exits are probed at once.
    func hastenAll() {
        for monitor in monitors.values {
            monitor.fast.isInStep = true
            if monitor.fast.due == nil { monitor.fast.isHastened = true } else { monitor.fast.due = time.instant }
        }
        earlier.signal()
    }

    /// One exit is probed at once, if it isn't being probed.
    func hasten(_ id: ExitID) {
        guard let monitor = monitors[id], monitor.fast.due != nil else { return }
        monitor.fast.due = time.instant
        earlier.signal()
    }

    /// The deep probe comes at once, if the last one was not a moment ago: an exit that flaps is not to be a burden to the address services.
    func hastenDeep(_ id: ExitID) {
        guard let monitor = monitors[id], monitor.deep.due != nil else { return }
        guard monitor.deep.begunAt.map({ time.instant - $0 >= .seconds(min(5, settings.deepSeconds)) }) ?? true else { return }
        if monitor.deep.urgentAt.map({ time.instant - $0 >= .seconds(Self.urgentSeconds) }) ?? true {
            (monitor.deep.isUrgent, monitor.deep.urgentAt) = (true, time.instant)
        }
        monitor.deep.due = time.instant
        earlier.signal()
    }

    /// Puts the fast probe off as if it had just been made.
    func postpone(_ id: ExitID) {
        guard let monitor = monitors[id], let due = monitor.fast.due, due > time.instant else { return }
        schedule(id)
    }

    /// The next fast probe, after one that is over.
    func schedule(_ id: ExitID) {
        guard let monitor = monitors[id] else { return }
        let failures = monitor.record.failures
        // A failure wants to be confirmed at once; a dead exit need not be asked so often.
        var seconds = failures > 0 && failures < 12 ? 0.02 : interval(of: id) * (monitor.fast.isInStep ? Double.random(in: 0...1) : 1)
        if monitor.fast.isHastened { seconds = 0 }
        monitor.fast.isInStep = monitor.fast.isHastened
        monitor.fast.isHastened = false
        let due = beat(after: seconds)
        monitor.fast.due = due
        wake(at: due)
    }

    /// The next deep probe, after one that is over.
    /// - Parameter isUrgent: what was found is to be confirmed soon.
    func scheduleDeep(_ id: ExitID, isUrgent: Bool = false) {
        guard let monitor = monitors[id] else { return }
        let due = beat(after: isUrgent ? min(1, settings.deepSeconds) : settings.deepSeconds * Double.random(in: 0.9...1.1))
        monitor.deep.due = due
        monitor.deep.isUrgent = isUrgent
        wake(at: due)
    }

    private func wake(at moment: ContinuousClock.Instant) {
        if wakesAt.map({ moment < $0 }) ?? true { earlier.signal() }
    }

    /// Seconds between two fast probes of an exit: longer where there are so many exits that probing would be felt, and then twice as long for
    /// one that nobody uses.
    private func interval(of id: ExitID) -> Double {
        guard sharedSeconds > settings.probeSeconds else { return settings.probeSeconds }
        return used.contains(id) ? sharedSeconds : 2 * sharedSeconds
    }

    /// Seconds between two probes of an exit at the rate that all exits share.
    private var sharedSeconds: Double { Double(monitors.count) / settings.probesPerSecond }

    /// The end of a pause. Long ones end on the beat of a clock that all exits share, and never later for it: probes of many exits go out
    /// together, and wake this process once. The beat is slower where the pauses are longer.
    private func beat(after seconds: Double) -> ContinuousClock.Instant {
        let end = time.instant + .seconds(seconds)
        guard seconds >= 0.25 else { return end }
        let beat = Duration.seconds(sharedSeconds > settings.probeSeconds ? sharedSeconds / 5 : 0.05)
        return start + beat * ((end - start) / beat).rounded(.down)
    }
}
