import Model
import Planning

/// The probes of one exit's container. Confined to the controller's actor; a class, because hundreds are gone through many times a second,
/// which must not copy them.
final class ProbeMonitor {
    struct Fast {
        /// When the next one begins; nil while one is under way or its outcome is judged.
        var due: ContinuousClock.Instant?
        /// When the one under way is late.
        var suspectAt: ContinuousClock.Instant?
        /// The next one comes at once, when the one under way is over.
        var isHastened = false
        /// Other exits were probed at the same moment: the next pause is a random part of one.
        var isInStep = true
        /// The number of the next one, and of the last one that was late.
        var number = 0
        var suspected = -1
        var task: Task<Void, Never>?
    }

    struct Deep {
        /// When the next one begins; nil while one is under way.
        var due: ContinuousClock.Instant?
        /// When the last one was begun.
        var begunAt: ContinuousClock.Instant?
        /// What the next one finds of address and country can't wait; and when that was last so without a finding.
        var isUrgent = false
        var urgentAt: ContinuousClock.Instant?
        /// When one has last compared the exit's address, and its country; before the first, when the monitor began.
        var addressComparedAt: Timestamp
        var countryComparedAt: Timestamp
        var task: Task<Void, Never>?
    }

    /// What is read inside of the exit.
    struct Tunnel {
        /// Reads the handshake's age again and again.
        var reader: Task<Void, Never>?
        /// The reading of the tunnel's counters that is under way.
        var reading: Task<Void, Never>?
        /// False of a version before exits had a status address.
        var hasStatus = true
        /// It was said that this container counts no leaks.
        var isToldUncounted = false
    }

    /// What the exit's history is told at the end of a period.
    struct Period {
        var probes = 0
        var failures = 0
        var latencies: [Double] = []
    }

    let generation: Int
    var record: HealthRecord
    var fast = Fast()
    var deep: Deep
    var tunnel = Tunnel()
    var period = Period()
    /// Asks targets now and then.
    var canaries: Task<Void, Never>?

    init(generation: Int, record: HealthRecord, begunAt: Timestamp) {
        self.generation = generation
        self.record = record
        deep = Deep(addressComparedAt: begunAt, countryComparedAt: begunAt)
    }

    /// When there is something to do about it.
    var next: ContinuousClock.Instant? {
        guard let first = fast.due ?? fast.suspectAt, let deepDue = deep.due else { return fast.due ?? fast.suspectAt ?? deep.due }
        return min(first, deepDue)
    }

    /// The wall clock was set by so many seconds.
    func shift(by seconds: Double) {
        record.shift(by: seconds)
        deep.addressComparedAt = deep.addressComparedAt + seconds
        deep.countryComparedAt = deep.countryComparedAt + seconds
    }

    func end() {
        for task in [fast.task, deep.task, tunnel.reader, canaries] { task?.cancel() }
    }
}
