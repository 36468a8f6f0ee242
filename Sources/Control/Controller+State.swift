import Model
import Planning
import Platform

/// The loop's state: how it changes, is saved and is shown.
extension Controller {
    /// Makes these the exits, tells what changed, and remembers to save it.
    func take(_ new: [ExitID: Exit]) {
        if exits != new { for id in Set(exits.keys).union(new.keys) where exits[id] != new[id] { noteChange(of: id, to: new[id]) } }
        exits = new
        followWatches()
        publishView()
    }

    private func noteChange(of id: ExitID, to new: Exit?) {
        tell(from: exits[id], to: new)
        if let new { learn(from: exits[id], to: new) }
        if !Self.differOnlyInFigures(exits[id], new) { unsaved.insert(id) }
    }

    /// True where only the figures of a probe differ, which is nothing that a restart must remember.
    private static func differOnlyInFigures(_ old: Exit?, _ new: Exit?) -> Bool {
        guard var old, let new else { return false }
        guard old.health.verdict == new.health.verdict else { return false }
        old.health = new.health
        old.carriedBytes = new.carriedBytes
        return old == new
    }

    /// Changes one exit, unless it has moved on since the operation began.
    func change(_ id: ExitID, generation: Int, _ body: (inout Exit) -> Void) {
        guard let old = exits[id], old.generation == generation else { return }
        var exit = old
        body(&exit)
        changedWhileLooking.insert(id)
        guard exit != old else { return }
        // Every probe comes here: it must not cost more where there are more exits.
        noteChange(of: id, to: exit)
        exits[id] = exit
        if exit.state.isProbed != old.state.isProbed || exit.generation != old.generation { followWatches() }
        view.show(shown(exit))
    }

    func saveExits() async {
        await saves.pass {
            guard !unsaved.isEmpty else { return }
            let ids = unsaved
            unsaved = []
            do {
                try await ports.store.save(ids.compactMap { exits[$0] }, removed: ids.filter { exits[$0] == nil })
                noteWritten()
            } catch {
                // Failover goes on from memory; the store hears of it when it is back.
                unsaved.formUnion(ids)
                note(.store, error)
            }
        }
    }

    /// Saves the exits before anything is done with them: what is begun is then known to whoever comes after us. But a dead exit doesn't
    /// wait for a store that hangs, and one that is known to be away is not waited for at all.
    func saveForStep() async {
        guard saving != nil || !unsaved.isEmpty else { return }
        let save =
            saving
            ?? spawn { controller in
                // Once more for what has changed while the first was under way.
                for _ in 0..<2 { await controller.saveExits() }
                controller.saving = nil
            }
        saving = save
        if problems[.store] == nil { _ = await ports.result(of: save, within: settings.saveSeconds) }
    }

    /// Saves an exit as it will be, before it is; whatever happens, the next pass saves it as it is.
    func saveAhead(_ exit: Exit) async throws {
        defer { unsaved.insert(exit.id) }
        try await saves.pass { try await ports.store.save([exit], removed: []) }
    }

    func publishView() {
        view.set(
            Snapshot(
                hasObserved: hasObserved || isFollowing, desired: desired, exits: exits.mapValues(shown), problems: problems,
                breakers: breakers, alerts: alerts.values.sorted { $0.id < $1.id }, leader: ports.leadership.leader))
    }

    private func shown(_ exit: Exit) -> Exit {
        guard exit.state.takesTraffic, exit.health.verdict != .dead, !plugged.contains(exit.id) else { return exit }
        var shown = exit
        shown.state = .verifying
        return shown
    }

    /// Remembers what is wrong with a part, and says so once.
    func note(_ part: Dependency, _ error: any Error) {
        // Whoever stops us in the middle of a question is no trouble of the part's.
        if Task.isCancelled || error is NotLeader { return }
        checks.note(part, ports.now())
        let full = error as? StoreFull
        if full != nil { storeRefusedAt = ports.instant }
        remedies[part] = full?.remedy
        let words = "\(error)"
        if problems[part] == nil {
            // Where an alert of an earlier controller's stands, it has been so all the time.
            problemsSince[part] = alerts["part:\(part.rawValue)"]?.since ?? ports.now()
            record(.partTroubled, .warning, "trouble with the \(part.rawValue)", log: ["error": words])
        }
        guard problems[part] != words else { return }
        problems[part] = words
        publishView()
    }

    /// The store has taken a write. At its limit it takes one and refuses the next, so that one which was full is well again only after a
    /// while without a refusal.
    func noteWritten() {
        if let refusedAt = storeRefusedAt, ports.instant - refusedAt < .seconds(settings.roomSeconds) { return }
        storeRefusedAt = nil
        clear(.store)
    }

    /// A part has answered. A full store answers too, and is not well for that.
    func clear(_ part: Dependency) {
        checks.note(part, ports.now())
        guard problems[part] != nil, part != .store || storeRefusedAt == nil else { return }
        problems[part] = nil
        remedies[part] = nil
        problemsSince[part] = nil
        record(.partRecovered, .info, "the \(part.rawValue) is well again")
        publishView()
    }
}
