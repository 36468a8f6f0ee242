internal import Synchronization

/// When something last came through the tunnel, to any of the loops. Thread-safe.
final class TunnelActivity: Sendable {
    private let last = Atomic<Int>(.min)

    /// - Parameter now: milliseconds of the loops' clock, which they share.
    func note(_ now: Int) { last.store(now, ordering: .relaxed) }

    func hasHeard(since start: Int) -> Bool { last.load(ordering: .relaxed) >= start }
}
