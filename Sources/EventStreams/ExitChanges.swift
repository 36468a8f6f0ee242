import Model

/// Which changes of exits are worth telling: every change at once, but for the figures of probes, which change twice a second.
struct ExitChanges {
    /// Seconds between two events of one exit that differ in figures alone.
    static let pause = Duration.seconds(5)

    private var told: [ExitID: (exit: Exit, at: ContinuousClock.Instant)] = [:]

    /// The exits to be told of now, and those that are gone.
    mutating func changes(to exits: [ExitID: Exit], now: ContinuousClock.Instant) -> (changed: [Exit], gone: [ExitID]) {
        let changed = exits.values.filter { exit in
            guard let old = told[exit.id] else { return true }
            guard old.exit != exit else { return false }
            return Self.withoutFigures(old.exit) != Self.withoutFigures(exit) || now - old.at >= Self.pause
        }
        let gone = told.keys.filter { exits[$0] == nil }
        for exit in changed { told[exit.id] = (exit, now) }
        for id in gone { told[id] = nil }
        return (changed.sorted { $0.id < $1.id }, gone.sorted())
    }

    /// True where an exit is not as it was told: its figures are held back.
    func isBehind(_ exits: [ExitID: Exit]) -> Bool { exits.values.contains { told[$0.id]?.exit != $0 } }

    private static func withoutFigures(_ exit: Exit) -> Exit {
        var exit = exit
        exit.health = Health(verdict: exit.health.verdict, reason: exit.health.reason)
        exit.proof.carriedBytes = 0
        return exit
    }
}
