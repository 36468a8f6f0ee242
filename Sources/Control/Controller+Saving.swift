import Model
import Planning
import Platform

/// The stored state: how it is read, and what is written into it.
extension Controller {
    /// Reads the stored state; without it nothing may be planned, or everything that runs would look like an orphan.
    package func load() async throws {
        let term = term
        async let seen = gatewayAsFound()
        let state = try await ports.store.load()
        let gateway = await seen
        let listed = await ports.catalog.countries()
        // An operator's change may have needed it at the same time.
        guard term === self.term, !term.isLoaded else { return }
        adopt(state)
        noteListed(listed, found: gateway)
        // An exit is saved as serving before it is plugged in, and the last controller may have ended between the two.
        let isAsPlanned = gateway.map { !GatewayLayout.of(desired: desired, exits: exits).differs(from: $0) } ?? false
        term.gateway.plugged = isAsPlanned ? Set(exits.values.filter { $0.state.takesTraffic }.map(\.id)) : []
        term.store.isLoaded = true
        clear(.store)
        followMonitors()
        publishView()
    }

    /// Makes what the store holds the state.
    func adopt(_ state: StoredState) {
        let now = ports.now()
        let old = desired
        desired = Desired(pools: state.pools, users: state.users, blocked: state.blocked)
        (desired.onDemand, desired.elsewhere) = (old.onDemand, old.elsewhere)
        exits = state.exits.mapValues { exit in
            var exit = exit
            exit.clampTimes(to: now)
            return exit
        }
        term.breakers = BreakerRegistry(stored: state.breakers, now: now)
        term.alerts.recall(state.alerts, now: now)
        term.addresses.ledger = AddressLedger(held: state.addresses)
    }

    // MARK: - Exits

    /// Saves the exits before anything is done with them: what is begun is then known to whoever comes after us. But a dead exit doesn't wait
    /// for a store that hangs, and one that is known to be away is not waited for at all.
    func saveForStep() async {
        guard term.store.savingExits != nil || !term.store.exits.pending.isEmpty else { return }
        let save = term.store.savingExits ?? spawn { await $0.saveExitsTwice() }
        term.store.savingExits = save
        if problem(.store) == nil { _ = await ports.result(of: save, within: settings.saveSeconds) }
    }

    /// Once more for what has changed while the first was under way.
    private func saveExitsTwice() async {
        let term = term
        for _ in 0..<2 { await saveExits() }
        term.store.savingExits = nil
    }

    func saveExits() async {
        await saves.withLock {
            let term = term
            let ids = term.store.exits.begin()
            let isWritten = await write(ids) {
                try await ports.store.save($0.compactMap { exits[$0] }, removed: $0.filter { exits[$0] == nil })
                noteWritten()
            }
            term.store.exits.end(ids, isWritten: isWritten)
        }
    }

    /// Saves an exit as it will be, before it is; whatever happens, the next pass saves it as it is.
    func saveAhead(_ exit: Exit) async throws {
        defer { term.store.exits.mark(exit.id) }
        try await saves.withLock { try await ports.store.save([exit], removed: []) }
    }

    // MARK: - Breakers and alerts

    /// Saves breakers and alerts beside the loop, which must not wait for a store that hangs.
    func saveMemories() {
        guard term.store.savingMemories == nil, !term.breakers.writes.isEmpty || !term.alerts.writes.isEmpty else { return }
        term.store.savingMemories = spawn { await $0.saveMemoriesNow() }
    }

    private func saveMemoriesNow() async {
        let term = term
        let keys = term.breakers.writes.begin()
        let hasBreakers = await write(keys) { try await ports.store.save(breakers: term.breakers.values(of: $0)) }
        term.breakers.writes.end(keys, isWritten: hasBreakers)
        let subjects = term.alerts.writes.begin()
        let hasAlerts = await write(subjects) {
            let (open, cleared) = term.alerts.values(of: $0)
            try await ports.store.save(alerts: open, cleared: cleared)
        }
        term.alerts.writes.end(subjects, isWritten: hasAlerts)
        term.store.savingMemories = nil
    }

    /// One write of what is pending; false where the store does not take it. Failover goes on from memory, and a later write brings the store what
    /// it has missed.
    func write<Key: Sendable>(_ keys: Set<Key>, _ body: (Set<Key>) async throws -> Void) async -> Bool {
        guard !keys.isEmpty else { return true }
        do { try await body(keys) } catch {
            note(.store, error)
            return false
        }
        return true
    }
}
