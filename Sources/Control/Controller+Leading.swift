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
            if isNew { beginTerm() } else if isForgotten, hasLoaded { await giveBack() }
            if storeRefusedAt != nil { await tryStore() }
            if hasLoaded, exitWrites.isEmpty { clear(.store) }
        case .follows(let leader, let version):
            endTerm(leader)
            storeRefusedAt = nil
            if version != storeVersion || !isFollowing { await follow(version) } else { await followQuotas() }
        case .unanswered(let error):
            note(.store, error)
            // One that can't begin to lead for that has no loop that would call a human.
            if error is StoreFull, !hasLoaded, !isFollowing { reviewAlerts() }
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

    private func beginTerm() {
        guard !ports.leadership.isAlone else { return }
        Metrics.leaderTerms.add()
        record(
            .leaderChanged, .info, "controller \(ports.leadership.settings.instance) leads", cause: "lease",
            log: ["fence": String(ports.leadership.fence)])
        (followed, isFollowing) = (nil, false)
        forgetTerm()
        wake()
    }

    private func endTerm(_ leader: String) {
        guard followed != leader else { return }
        ports.log.info("controller \(leader) leads; this one stands by")
        followed = leader
        forgetTerm()
    }

    /// Nothing that a term has begun may go on in another one: what counts is in the store.
    private func forgetTerm() {
        term += 1
        for operation in operations.values { operation.cancel() }
        published = nil
        failovers = FailoverClock()
        checks.forget()
        hasLoaded = false
        (exitWrites, breakers.writes, alerts.writes) = (WriteBehind(), WriteBehind(), WriteBehind())
        knowsGatewaysAddresses = false
        followWatches()
    }

    /// Shows what the store holds. Nothing is planned from it before we lead, and then it is read again.
    private func follow(_ version: Int) async {
        do {
            let state = try await ports.store.load()
            // We may lead by now, and know better.
            guard ports.leadership.leader != nil else { return }
            adopt(state)
            (storeVersion, isFollowing) = (version, true)
            clear(.store)
            publishView()
        } catch {
            note(.store, error)
        }
    }

    /// What users have used is no change of the store's, so that who is over a quota is asked for by itself.
    private func followQuotas() async {
        if let last = quotasAskedAt, ports.instant - last < .seconds(settings.quotaSeconds) { return }
        quotasAskedAt = ports.instant
        guard let blocked = try? await ports.store.blocked(among: desired.users), ports.leadership.leader != nil,
            blocked != desired.blocked
        else { return }
        desired.blocked = blocked
        publishView()
    }

    /// Writes everything into a store that has lost it.
    private func giveBack() async {
        ports.log.warning("the store has lost what it held; it is given back")
        do {
            for pool in desired.pools.values { try await ports.store.save(pool) }
            for user in desired.users { try await ports.store.save(user) }
        } catch {
            note(.store, error)
        }
        exitWrites.mark(exits.keys)
        breakers.markAll()
        alerts.markAll()
        ledger.markAll()
        await saveExits()
    }
}
