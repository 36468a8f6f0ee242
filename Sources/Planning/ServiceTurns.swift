package import Model

/// Which exit may ask the address services next: who has waited longest. Pure: time is an input.
package struct ServiceTurns: Sendable {
    private struct Waiter {
        let exit: ExitID
        var seenAt: ContinuousClock.Instant
    }

    /// Seconds after which one that has not come again counts as gone.
    private let patience: Double
    /// Longest first.
    private var waiting: [Waiter] = []

    package init(patience: Double) { self.patience = patience }

    /// Takes an exit's turn, or a place in the row.
    /// - Parameter free: requests that may be made now.
    /// - Returns: true where it is the exit's turn; then it is in the row no more.
    package mutating func take(_ exit: ExitID, free: Int, _ now: ContinuousClock.Instant) -> Bool {
        waiting.removeAll { $0.exit != exit && now - $0.seenAt > .seconds(patience) }
        let place = waiting.firstIndex { $0.exit == exit } ?? waiting.endIndex
        if place == waiting.endIndex { waiting.append(Waiter(exit: exit, seenAt: now)) } else { waiting[place].seenAt = now }
        guard place < free else { return false }
        waiting.remove(at: place)
        return true
    }
}
