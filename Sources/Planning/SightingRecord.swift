package import Model

/// What is remembered of how an exit is seen from outside: when it was compared with this machine's own address and with its country,
/// and whether traffic was seen to leave beside its tunnel.
package struct SightingRecord: Sendable {
    private var comparedAt: Timestamp?
    private var placedAt: Timestamp?
    private var problem: String?
    private var otherAddress: String?
    private var leaks = LeakCount.unread
    /// How a leak was seen first, which nothing takes back; nil where none was.
    package private(set) var leak: String?

    init(_ known: Health) {
        comparedAt = known.comparedAt
        placedAt = known.placedAt
    }

    /// What a deep probe could compare, whatever it found; `problem` says why it could not.
    /// - Parameter awaitsTurn: it has not asked all services, and so knows no more than the one before.
    package mutating func compare(
        address: Bool, country: Bool, problem: String?, otherAddress: String?, awaitsTurn: Bool = false, _ now: Timestamp
    ) {
        if address { comparedAt = now }
        if country { placedAt = now }
        guard !awaitsTurn else { return }
        self.problem = problem
        self.otherAddress = otherAddress
    }

    /// What the exit's own firewall has counted.
    mutating func take(_ leaks: LeakCount) {
        if leaks != .unread { self.leaks = leaks }
        if let words = leaks.leak { leaked(words) }
    }

    mutating func leaked(_ words: String) { leak = leak ?? words }

    mutating func shift(by seconds: Double) {
        comparedAt = comparedAt.map { $0 + seconds }
        placedAt = placedAt.map { $0 + seconds }
    }

    func show(in health: inout Health, _ now: Timestamp) {
        (health.comparedAt, health.placedAt) = (comparedAt, placedAt)
        health.comparedAge = comparedAt.map { max(0, now - $0) }
        (health.comparisonProblem, health.otherAddress) = (problem, otherAddress)
        health.leak = leak
        switch leaks {
        case .unread: break
        case .notCounted, .removed: health.countsLeaks = false
        case .counted(let packets, let bytes):
            (health.countsLeaks, health.leakedPackets, health.leakedBytes) = (true, packets, bytes)
        }
    }
}
