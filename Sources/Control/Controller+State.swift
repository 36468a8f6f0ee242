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
        if !Self.differOnlyInFigures(exits[id], new) { exitWrites.mark(id) }
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

    /// One write of what is pending; false where the store does not take it. Failover goes on from memory, and a later write brings the store
    /// what it has missed.
    func write<Key: Sendable>(_ keys: Set<Key>, _ body: (Set<Key>) async throws -> Void) async -> Bool {
        guard !keys.isEmpty else { return true }
        do { try await body(keys) } catch {
            note(.store, error)
            return false
        }
        return true
    }

    func saveExits() async {
        await saves.pass {
            let ids = exitWrites.begin()
            let isWritten = await write(ids) {
                try await ports.store.save($0.compactMap { exits[$0] }, removed: $0.filter { exits[$0] == nil })
                noteWritten()
            }
            exitWrites.end(ids, isWritten: isWritten)
        }
    }

    /// Saves the exits before anything is done with them: what is begun is then known to whoever comes after us. But a dead exit doesn't
    /// wait for a store that hangs, and one that is known to be away is not waited for at all.
    func saveForStep() async {
        guard saving != nil || !exitWrites.pending.isEmpty else { return }
        let save =
            saving
            ?? spawn { controller in
                // Once more for what has changed while the first was under way.
                for _ in 0..<2 { await controller.saveExits() }
                controller.saving = nil
            }
        saving = save
        if alerts.troubles[.store] == nil { _ = await ports.result(of: save, within: settings.saveSeconds) }
    }

    /// Saves an exit as it will be, before it is; whatever happens, the next pass saves it as it is.
    func saveAhead(_ exit: Exit) async throws {
        defer { exitWrites.mark(exit.id) }
        try await saves.pass { try await ports.store.save([exit], removed: []) }
    }

    func publishView() {
        view.set(
            Snapshot(
                hasObserved: hasObserved || isFollowing, desired: desired, exits: exits.mapValues(shown),
                problems: alerts.troubles.mapValues(\.message),
                breakers: breakers.all, alerts: alerts.open.values.sorted { $0.subject < $1.subject }, leader: ports.leadership.leader))
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
        guard let change = alerts.note(part, "\(error)", remedy: full?.remedy, ports.now()) else { return }
        if change == .began { record(.partTroubled, .warning, "trouble with the \(part.rawValue)", log: ["error": "\(error)"]) }
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
        guard part != .store || storeRefusedAt == nil, alerts.clear(part) else { return }
        record(.partRecovered, .info, "the \(part.rawValue) is well again")
        publishView()
    }
}
