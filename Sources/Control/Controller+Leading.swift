import Model
import Planning
import Platform

/// One of several controllers leads; the others show what the store says, and stand by.
extension Controller {
    /// Claims the lease again and again, until it is cancelled.
    func keepLease() async {
        guard !ports.leadership.isAlone else { return }
        let settings = ports.leadership.settings
        while !Task.isCancelled {
            await claimLease()
            try? await ports.sleep(seconds: ports.leadership.isLeader ? settings.renewSeconds : settings.followSeconds)
        }
    }

    /// One claim, and what follows from its answer.
    package func claimLease() async {
        switch await ports.leadership.claim() {
        case .leads(let isNew, let isForgotten):
            if isNew { lead() } else if isForgotten, term.isLoaded { await restoreStore() }
            if term.store.refusedAt != nil { await tryStore() }
            if term.isLoaded, term.store.exits.isEmpty { clear(.store) }
        case .follows(let leader, let version):
            if term.leader != leader { follow(leader) }
            term.store.refusedAt = nil
            if version != term.store.shownVersion {
                await show(version)
            } else {
                await showQuotas()
                await showHealth()
            }
        case .unanswered(let error):
            note(.store, error)
            // One that can't begin to lead for that has no loop that would call a human.
            if error is StoreFull, !term.isLoaded, term.store.shownVersion == nil { reviewAlerts() }
        }
    }

    /// Finds out whether a full store takes writes again.
    private func tryStore() async {
        do {
            try await ports.store.tryToWrite()
            noteWritten()
        } catch {
            note(.store, error)
        }
    }

    // MARK: - Terms

    private func lead() {
        guard !ports.leadership.isAlone else { return }
        Metrics.leaderTerms.add()
        record(
            .leaderChanged, .info, "controller \(ports.leadership.settings.instance) leads", cause: .lease,
            log: ["fence": String(ports.leadership.fence)])
        beginTerm(leader: nil)
        wake()
    }

    private func follow(_ leader: String) {
        ports.log.info("controller \(leader) leads; this one follows")
        beginTerm(leader: leader)
    }

    /// What the last term has begun and can't be voided with its state is ended here.
    private func beginTerm(leader: String?) {
        term = TermState(leader: leader, recoverySeconds: settings.recoverySeconds)
        for operation in operations.values { operation.cancel() }
        checks.endTerm()
        followMonitors()
    }

    // MARK: - Where another controller leads

    /// Shows what the store holds. Nothing is planned from it before we lead, and then it is read again.
    private func show(_ version: Int) async {
        let term = term
        do {
            let state = try await ports.store.load()
            let health = (try? await ports.store.health()) ?? [:]
            // We may lead by now, and know better.
            guard term === self.term, ports.leadership.leader != nil else { return }
            adopt(state)
            take(health)
            term.store.shownVersion = version
            clear(.store)
            publishView()
        } catch {
            note(.store, error)
        }
    }

    /// What users have used is no change of the store's, so that who is over a quota is asked for by itself.
    private func showQuotas() async {
        if let last = term.store.quotasReadAt, ports.instant - last < .seconds(settings.quotaSeconds) { return }
        term.store.quotasReadAt = ports.instant
        guard let blocked = try? await ports.store.blocked(among: desired.users), ports.leadership.leader != nil,
            blocked != desired.blocked
        else { return }
        desired.blocked = blocked
        publishView()
    }

    /// Figures of probes are no change of the store's either: the leader tells them as often as it writes the exits' histories.
    private func showHealth() async {
        if let last = term.store.healthReadAt, ports.instant - last < .seconds(settings.probing.historySeconds) { return }
        let term = term
        term.store.healthReadAt = ports.instant
        guard let health = try? await ports.store.health(), term === self.term, ports.leadership.leader != nil, !health.isEmpty else {
            return
        }
        take(health)
        publishView()
    }

    /// Another verdict comes with the exit's state, which is newer then.
    private func take(_ health: [ExitID: Health]) {
        for (id, health) in health where exits[id]?.health.verdict == health.verdict { exits[id]?.health = health }
    }

    // MARK: - A store that has lost its memory

    /// Writes everything into a store that has lost it.
    private func restoreStore() async {
        ports.log.warning("the store has lost its content; it is restored")
        do {
            for pool in desired.pools.values { try await ports.store.save(pool) }
            for user in desired.users { try await ports.store.save(user) }
        } catch {
            note(.store, error)
        }
        term.store.exits.mark(exits.keys)
        term.breakers.markAll()
        term.alerts.markAll()
        term.addresses.ledger.markAll()
        await saveExits()
    }
}
