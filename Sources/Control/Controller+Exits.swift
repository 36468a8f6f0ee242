import Model
import Planning
import Platform

/// How the exits change, and how the state is shown.
extension Controller {
    /// Makes these the exits, tells what changed, and remembers to save it.
    func take(_ new: [ExitID: Exit]) {
        if exits != new { for id in Set(exits.keys).union(new.keys) where exits[id] != new[id] { noteChange(of: id, to: new[id]) } }
        exits = new
        followMonitors()
        publishView()
    }

    /// Changes one exit, unless it has moved on since the operation began.
    /// - Parameter isSeen: false where an observation that is under way may not know of the change yet, so that the exit is left alone in its pass.
    func change(_ id: ExitID, generation: Int, isSeen: Bool = false, _ body: (inout Exit) -> Void) {
        guard let old = exits[id], old.generation == generation else { return }
        var exit = old
        body(&exit)
        if !isSeen { term.revisions.changed(id) }
        guard exit != old else { return }
        // Every probe comes here: it must not cost more where there are more exits.
        noteChange(of: id, to: exit)
        exits[id] = exit
        if exit.state.isProbed != old.state.isProbed || exit.generation != old.generation { followMonitors() }
        view.show(shown(exit))
    }

    private func noteChange(of id: ExitID, to new: Exit?) {
        recordTransition(from: exits[id], to: new)
        if let new { learn(from: exits[id], to: new) }
        if !Self.differOnlyInFigures(exits[id], new) { term.store.exits.mark(id) }
    }

    /// True where only the figures of a probe differ, which is nothing that a restart must remember.
    private static func differOnlyInFigures(_ old: Exit?, _ new: Exit?) -> Bool {
        guard var old, let new else { return false }
        guard old.health.verdict == new.health.verdict else { return false }
        old.health = new.health
        old.proof.carriedBytes = new.proof.carriedBytes
        return old == new
    }

    // MARK: - What is shown

    func publishView() {
        var snapshot = Snapshot(
            hasObserved: term.hasObserved || term.store.shownVersion != nil, desired: desired, exits: exits.mapValues(shown),
            problems: term.alerts.troubles.mapValues(\.message), breakers: term.breakers.all,
            alerts: term.alerts.open.values.sorted { $0.subject < $1.subject }, leader: ports.leadership.leader)
        snapshot.idle = term.onDemand.idleness(closingAfter: rules.onDemand.idleSeconds)
        snapshot.accounts = accountsInUse()
        view.set(snapshot)
    }

    /// An exit is shown to serve when the gateway has it.
    private func shown(_ exit: Exit) -> Exit {
        guard exit.state.takesTraffic, exit.health.verdict != .dead, !(term.gateway.plugged?.contains(exit.id) ?? true) else { return exit }
        var shown = exit
        shown.state = .verifying
        return shown
    }
}
