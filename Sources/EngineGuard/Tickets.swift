import Synchronization

/// The ids of programs that were begun through this guard: nobody else's may be started or seen. Thread-safe.
final class Tickets: Sendable {
    private struct Ticket {
        var expires: ContinuousClock.Instant
        var isStarted = false
    }

    private let tickets = Mutex<[String: Ticket]>([:])
    private let limit: Int
    private let seconds: Double

    /// - Parameters:
    ///   - limit: ids that are kept; the oldest go first.
    ///   - seconds: for which one is kept.
    init(limit: Int = 4_096, seconds: Double = 300) {
        self.limit = limit
        self.seconds = seconds
    }

    /// The engine's ids: 64 hexadecimal digits.
    static func isID(_ text: some StringProtocol) -> Bool {
        text.utf8.count == 64 && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    func add(_ id: String) {
        let now = ContinuousClock.now
        tickets.withLock { tickets in
            if tickets.count >= limit { tickets = tickets.filter { $0.value.expires > now } }
            if tickets.count >= limit, let oldest = tickets.min(by: { $0.value.expires < $1.value.expires }) { tickets[oldest.key] = nil }
            tickets[id] = Ticket(expires: now + .seconds(seconds))
        }
    }

    /// True once for each id.
    func start(_ id: String) -> Bool {
        tickets.withLock { tickets in
            guard let ticket = tickets[id], ticket.expires > .now, !ticket.isStarted else { return false }
            tickets[id]?.isStarted = true
            return true
        }
    }

    func has(_ id: String) -> Bool { tickets.withLock { $0[id].map { $0.expires > .now } ?? false } }
}
