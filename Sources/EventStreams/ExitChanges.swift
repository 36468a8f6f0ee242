import Model

/// Which changes of exits are worth an event: every change at once, but for the figures of probes, which change twice a second.
struct ExitChanges {
    /// Seconds between two events of one exit that differ in figures alone.
    static let pause = Duration.seconds(5)

    private var published: [ExitID: (exit: Exit, at: ContinuousClock.Instant)] = [:]

    /// The exits to publish now, and those that are gone.
    mutating func changes(to exits: [ExitID: Exit], now: ContinuousClock.Instant) -> (changed: [Exit], gone: [ExitID]) {
        let changed = exits.values.filter { exit in
            guard let old = published[exit.id] else { return true }
            guard old.exit != exit else { return false }
            return Self.withoutFigures(old.exit) != Self.withoutFigures(exit) || now - old.at >= Self.pause
        }
        let gone = published.keys.filter { exits[$0] == nil }
        for exit in changed { published[exit.id] = (exit, now) }
        for id in gone { published[id] = nil }
        return (changed.sorted { $0.id < $1.id }, gone.sorted())
    }

    /// True where an exit is not as it was published: its figures wait.
    func isBehind(_ exits: [ExitID: Exit]) -> Bool { exits.values.contains { published[$0.id]?.exit != $0 } }

    private static func withoutFigures(_ exit: Exit) -> Exit {
        var exit = exit
        exit.health = Health(verdict: exit.health.verdict, reason: exit.health.reason)
        exit.proof.carriedBytes = 0
        return exit
    }
}
