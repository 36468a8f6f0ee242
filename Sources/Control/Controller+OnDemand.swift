package import Model
import Planning
import Platform

/// Pools on demand: requests open them, and they close when nobody uses them or another country needs their tunnel.
extension Controller {
    // MARK: - Opening

    /// A request asks for a country that has no exit. Its user was checked by the gateway.
    /// - Returns: nil where this controller can't say, so that the request asks again.
    package func open(_ country: CountryCode, for user: String) async -> DemandAnswer? {
        guard ports.leadership.isLeader, term.isLoaded else { return nil }
        let answer = await answer(to: user, country)
        if case .refused(let refusal) = answer { Metrics.onDemandRefusals.add(1, refusal.rawValue) }
        return answer
    }

    private func answer(to user: String, _ country: CountryCode) async -> DemandAnswer {
        guard let pool = desired.opened(country) else { return answerIfOpen(country) }
        guard let known = desired.users.first(where: { $0.name == user }), known.countries.isEmpty || known.countries.contains(country)
        else { return .refused(.countryNotAllowed) }
        let term = term
        guard term.onDemand.openings.take(user, limit: rules.onDemand.openingsPerMinute, now: ports.now()) else {
            return .refused(.openingLimit)
        }
        let (answer, isNew) = await open(pool, for: user)
        if !isNew { term.onDemand.openings.giveBack(user) }
        return answer
    }

    private func answerIfOpen(_ country: CountryCode) -> DemandAnswer {
        guard let pool = desired.pools[country], pool.isOnDemand else { return .refused(.noExit) }
        let members = exits.of(country)
        let isComing = members.isEmpty || members.contains { $0.state.takesTraffic || GatewayLayout.isComing($0, pool, exits) }
        return isComing ? .coming : .refused(.noExit)
    }

    /// - Returns: what the user is told, and whether a pool was opened.
    private func open(_ pool: Pool, for user: String) async -> (DemandAnswer, isNew: Bool) {
        let country = pool.country
        do {
            let ranked = try await ports.catalog.known(for: pool)
            if ranked.isEmpty { return (.refused(.noServer), false) }
            let providers = Set(ranked.map(\.server.provider))
            return try await changes.withLock {
                // Somebody else may have opened it meanwhile, or an operator has changed it.
                guard let pool = desired.opened(country) else { return (answerIfOpen(country), false) }
                let view = onDemandView
                guard view.hasRoom(providers) else { return (.refused(view.hasAccount(providers) ? .noTunnel : .noExit), false) }
                try await stored { try await ports.store.save(pool) }
                desired.pools[country] = pool
                noteOpened(pool, by: user, ranked)
                return (.coming, true)
            }
        } catch {
            ports.log.warning("\(country) can't be opened", ["error": "\(error)"])
            return (.refused(.noExit), false)
        }
    }

    private func noteOpened(_ pool: Pool, by user: String, _ ranked: [RankedServer]) {
        let country = pool.country
        Metrics.onDemandOpenings.add()
        record(.poolOpened, .info, "\(country) is opened for a request of user \(user)", country: country, cause: .demand)
        term.onDemand.opened(country, at: ports.instant, now: ports.now())
        term.searches.keep(ranked, for: country, now: ports.now())
        // What users ask for is no storm: how often they may has its own limit.
        resetBudget(country)
        // Counted from now on, so that the next question knows what is left.
        let takesBack = exits.of(country).contains(where: \.givesWay)
        if !takesBack, let exit = Planner.newExit(country: country, slots: pool.slotCount, among: exits, now: ports.now()) {
            var new = exits
            new[exit.id] = exit
            take(new)
        } else {
            publishView()
        }
        wake()
    }

    // MARK: - Closing

    /// Closes a pool; its exits give way.
    func close(_ pool: Pool) async throws {
        var pool = pool
        let country = pool.country
        if pool.onDemand == .passing {
            try await stored { try await ports.store.removePool(country) }
            desired.pools[country] = nil
        } else {
            pool.onDemand = .closed
            try await stored { try await ports.store.save(pool) }
            desired.pools[country] = pool
        }
        term.onDemand.closed(country)
        var new = exits
        for exit in exits.of(country) where !exit.leaving && exit.state != .stopped {
            new[exit.id]?.leaving = true
            new[exit.id]?.reason = .idle
        }
        take(new)
    }

    /// Closes what nobody uses, and what has to give way, beside the loop: the store comes first, and the loop does not wait for it.
    func reviewOnDemand(_ world: World) {
        guard world.gateway != nil, !term.onDemand.isClosing else { return }
        if view.current.idle != term.onDemand.idleness(closingAfter: rules.onDemand.idleSeconds) { publishView() }
        let onDemandView = onDemandView
        let idle = onDemandView.idle
        let evicted = onDemandView.evicted(servers: world.servers).filter { !idle.contains($0) }
        guard !idle.isEmpty || !evicted.isEmpty else { return }
        term.onDemand.isClosing = true
        spawn { await $0.close(idle, evicted) }
    }

    private func close(_ idle: [CountryCode], _ evicted: [CountryCode]) async {
        let term = term
        for country in idle { await close(country, .poolClosed, "nobody has used it for a while", term) }
        for country in evicted { await close(country, .poolEvicted, "another country needs its tunnel", term) }
        term.onDemand.isClosing = false
        wake()
    }

    private func close(_ country: CountryCode, _ kind: EventKind, _ why: String, _ term: TermState) async {
        do {
            try await changes.withLock {
                guard term === self.term, ports.leadership.isLeader, let pool = desired.pools[country], pool.isOnDemand, !pool.isClosed
                else { return }
                try await close(pool)
                Metrics.onDemandClosings.add(1, kind == .poolEvicted ? "evicted" : "idle")
                record(kind, .info, "\(country) is closed: \(why)", country: country, cause: .planner)
            }
        } catch {
            ports.log.warning("\(country) can't be closed", ["error": "\(error)"])
        }
    }

    private var onDemandView: OnDemandView {
        OnDemandView(
            desired: desired, exits: exits, usedAt: term.onDemand.usedAt, connected: term.onDemand.connected,
            refused: refusedAccounts, rules: rules, now: ports.now())
    }

    // MARK: - Countries

    /// Takes the countries that the catalog has servers in. A country that has left it keeps its place: who asks for it is told.
    /// - Parameter found: what an earlier controller's gateway runs. Where no list is known yet its countries count, so that it need not be
    ///   reloaded twice.
    func noteListed(_ listed: Set<CountryCode>?, found: GatewayObservation? = nil) {
        let rules = rules.onDemand
        guard rules.countries != .none else { return }
        if let countries = rules.countries(listed: listed) {
            desired.onDemand.formUnion(countries)
            desired.elsewhere = rules.countries == .all ? .withoutServers : .closed
            return
        }
        // A list that was known once stays known.
        if desired.elsewhere == .closed { desired.elsewhere = .notListed }
        if let found {
            desired.onDemand.formUnion(found.slots.compactMap { CountryCode(String($0.backend.dropFirst("pool-".count))) })
        }
    }
}
