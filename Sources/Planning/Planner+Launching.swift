import Model

/// Which exit starts, when, and on which server.
extension Planner {
    /// Gives a waiting exit a server and starts it.
    mutating func begin(_ id: ExitID, _ containers: [ExitContainer]) {
        // The server that it had is in nobody's way, least of all its own.
        holdings?.remove(exits[id]?.server)
        defer { holdings?.add(exits[id]?.server) }
        guard var exit = exits[id], exit.state == .pending || exit.state == .failed else { return }
        if let retryAt = exit.retryAt, retryAt > now { return requeue(at: retryAt) }
        let problem = world.searchProblems[id.country]
        if problem != nil { search(id.country) }
        guard let known = world.servers[id.country] else {
            search(id.country)
            if let problem { wait(&exit, .providerUnavailable, problem, now + 1) }
            return
        }
        if let until = budget(id.country) { return wait(&exit, .restartBudget, "its pool has started too many containers recently", until) }
        let providers = providers(in: id.country, known)
        let blocked = providers.filter { !isAllowed(.credential($0)) }
        let candidates = Self.without(blocked, known)
        if candidates.isEmpty, let provider = blocked.min(by: { $0.rawValue < $1.rawValue }) {
            let isToken = world.breakers[.credential(provider)]?.isOfToken ?? false
            let detail =
                isToken
                ? "\(provider) refuses the access token: it is retried with long pauses until it is accepted"
                : "many servers of \(provider) refuse its key: it is retried with long pauses until one accepts it"
            return wait(&exit, .credentialsRejected, detail, now + 1)
        }
        let full = providers.filter { rules.devices.isFull($0, besides: id, exits: exits, containers: containers) }
        let open = Self.without(full, candidates)
        if open.isEmpty, !candidates.isEmpty {
            if keepLeaver(insteadOf: exit) { return }
            let names = Set(candidates.map(\.server.provider.rawValue)).sorted().joined(separator: " and ")
            return wait(&exit, .deviceLimit, "the account at \(names) has no free tunnel", now + 1)
        }
        let server: Server
        switch choose(for: exit, from: open) {
        case .take(let best): server = best
        case .ask(let servers): return ask(id.country, servers)
        case .isAsking: return
        case .silence(let count):
            let detail = "none of the \(count) tried servers of \(id.country) answers a handshake"
            return wait(&exit, .handshakeTimeout, detail, now + 1)
        case .none:
            if keepLeaver(insteadOf: exit) { return }
            let detail = candidates.isEmpty ? "the catalog has no server for it" : "every server of \(id.country) is in use"
            return wait(&exit, .noServer, detail, now + rules.noServerSeconds)
        }
        // Where only a server is left whose last container still runs, that one goes first: two tunnels with one key on one
        // server would take the session from each other.
        if holdings?.tunnelled.contains(server.address) ?? false { return }
        exit.server = server
        exit.generation += 1
        exit.move(to: .starting, now: now)
        exits[id] = exit
        steps.append(.launch(id))
        started.insert(id)
        begun[id.country, default: 0] += 1
        for key in [BreakerKey.server(server.hostname), .credential(server.provider)] where world.breakers[key]?.state(now) == .halfOpen {
            trials.insert(key)
        }
    }

    /// Whose servers a pool may take.
    private mutating func providers(in country: CountryCode, _ known: [RankedServer]) -> Set<ProviderName> {
        if let providers = listedProviders[country] { return providers }
        let providers = Set(known.lazy.map(\.server.provider))
        listedProviders[country] = providers
        return providers
    }

    private static func without(_ providers: Set<ProviderName>, _ servers: [RankedServer]) -> [RankedServer] {
        providers.isEmpty ? servers : servers.filter { !providers.contains($0.server.provider) }
    }

    /// Nil where the pool may begin another container now.
    private func budget(_ country: CountryCode) -> Timestamp? {
        let launches = (world.launches[country] ?? []) + Array(repeating: now, count: begun[country] ?? 0)
        let next = rules.budget.next(after: launches, of: desired.pools[country], now: now)
        return next > now ? next : nil
    }

    private func isAllowed(_ key: BreakerKey) -> Bool {
        world.breakers[key].map { $0.allows(now, key.rules) && !trials.contains(key) } ?? true
    }

    func isAllowed(_ server: Server) -> Bool { isAllowed(.server(server.hostname)) }

    private mutating func wait(_ exit: inout Exit, _ reason: ExitReason, _ detail: String, _ until: Timestamp) {
        exit.move(to: exit.state == .failed ? .failed : .pending, reason: reason, now: now)
        exit.detail = detail
        exit.retryAt = until
        requeue(at: until)
        exits[exit.id] = exit
    }

    mutating func search(_ country: CountryCode) {
        if !steps.contains(.findServers(country)) { steps.append(.findServers(country)) }
    }

    /// Once for all exits of a pool in a pass; the answers wake the loop.
    mutating func ask(_ country: CountryCode, _ servers: [Server]) {
        let isAsked = steps.contains { if case .ask(country, _) = $0 { true } else { false } }
        if !isAsked, !servers.isEmpty { steps.append(.ask(country, servers)) }
    }

    /// An exit that is unwell may need another server in a moment: by then it is known who answers. And a key that was refused may be taken
    /// again long before the next trial is due: that costs a handshake to find out.
    mutating func askAhead(for pool: Pool) {
        let isWanted = exits.of(pool.country).contains {
            $0.state.takesTraffic && $0.health.failures > 1 || !$0.keepsContainer && $0.reason == .credentialsRejected
        }
        guard isWanted, world.handshakes != nil else { return }
        guard world.servers[pool.country] != nil else { return search(pool.country) }
        ask(pool.country, questionsAhead(for: pool.country))
    }

    /// Where every server is taken, an exit that was to leave holds the one that its replacement needs: then it stays.
    private mutating func keepLeaver(insteadOf exit: Exit) -> Bool {
        let leavers = exits.of(exit.country).filter { $0.leaving && $0.state.takesTraffic }
        guard desired.pools[exit.country] != nil, let leaver = leavers.min(by: { $0.id < $1.id }) else { return false }
        exits[leaver.id]?.leaving = false
        exits[leaver.id]?.reason = nil
        exits[exit.id] = nil
        return true
    }
}
