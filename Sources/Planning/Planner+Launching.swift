import Model

/// Which exit starts, when, and on which server.
extension Planner {
    /// Gives a waiting exit a server and starts it.
    mutating func begin(_ id: ExitID, _ containers: [ExitContainer]) {
        guard var exit = exits[id], exit.state == .pending || exit.state == .failed else { return }
        if let retryAt = exit.retryAt, retryAt > now { return look(at: retryAt) }
        guard let known = world.servers[id.country] else { return search(id.country) }
        if let until = budget(id.country) { return wait(&exit, .restartBudget, "its pool has begun too many containers lately", until) }
        let blocked = Set(known.map(\.provider).filter { !isAllowed(Breaker.name(credential: $0), Breaker.ofCredentials) })
        let candidates = known.filter { !blocked.contains($0.provider) }
        if candidates.isEmpty, let provider = blocked.min(by: { $0.rawValue < $1.rawValue }) {
            let until = world.breakers[Breaker.name(credential: provider)]?.openUntil ?? now
            let detail = "many servers of \(provider) refuse its key: it is tried seldom until one accepts it"
            return wait(&exit, .credentialsRejected, detail, max(until, now + 1))
        }
        let open = candidates.filter { !rules.devices.isFull($0.provider, besides: id, exits: exits, containers: containers) }
        if open.isEmpty, !candidates.isEmpty {
            if keepLeaver(insteadOf: exit) { return }
            let names = Set(candidates.map(\.provider.rawValue)).sorted().joined(separator: " and ")
            return wait(&exit, .deviceLimit, "the account at \(names) has as many tunnels as it may have", now + 1)
        }
        guard let server = choose(for: exit, from: open, containers) else {
            if keepLeaver(insteadOf: exit) { return }
            let detail = candidates.isEmpty ? "the catalog has no server for it" : "every server of \(id.country) is in use"
            return wait(&exit, .noServer, detail, now + rules.noServerSeconds)
        }
        // Where only a server is left whose last container still runs, that one goes first: two tunnels with one key on one
        // server would take the session from each other.
        if tunnelled(by: containers).contains(server.address) { return }
        exit.server = server
        exit.generation += 1
        exit.move(to: .starting, now: now)
        exits[id] = exit
        steps.append(.launch(id))
        started.insert(id)
        begun[id.country, default: 0] += 1
        for name in [Breaker.name(server: server.hostname), Breaker.name(credential: server.provider)]
        where world.breakers[name]?.state(now) == .halfOpen { trials.insert(name) }
    }

    /// Nil where the pool may begin another container now.
    private func budget(_ country: CountryCode) -> Timestamp? {
        let launches = (world.launches[country] ?? []) + Array(repeating: now, count: begun[country] ?? 0)
        let next = rules.budget.next(after: launches, of: desired.pools[country], now: now)
        return next > now ? next : nil
    }

    func isAllowed(_ name: String, _ rules: Breaker.Rules) -> Bool {
        world.breakers[name].map { $0.allows(now, rules) && !trials.contains(name) } ?? true
    }

    private mutating func wait(_ exit: inout Exit, _ reason: ExitReason, _ detail: String, _ until: Timestamp) {
        exit.move(to: exit.state == .failed ? .failed : .pending, reason: reason, now: now)
        exit.detail = detail
        exit.retryAt = until
        look(at: until)
        exits[exit.id] = exit
    }

    mutating func search(_ country: CountryCode) {
        if !steps.contains(.findServers(country)) { steps.append(.findServers(country)) }
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

    /// The best server that no other exit holds; one that failed lately only where there is no other.
    private func choose(for exit: Exit, from candidates: [Server], _ containers: [ExitContainer]) -> Server? {
        let held = Set(exits.values.filter { $0.id != exit.id && $0.state != .stopped }.compactMap(\.server).map(\.address))
        let avoided = exit.avoid.filter { $0.until > now }
        let tunnelled = tunnelled(by: containers)
        let free = candidates.filter { !held.contains($0.address) }
        let fresh = free.filter { server in
            !avoided.contains { $0.hostname == server.hostname }
                && isAllowed(Breaker.name(server: server.hostname), Breaker.ofServers)
        }
        return fresh.first { !tunnelled.contains($0.address) } ?? fresh.first
            ?? avoided.lazy.compactMap { entry in free.first { $0.hostname == entry.hostname } }.first
            ?? free.min { (openUntil($0), $0.hostname) < (openUntil($1), $1.hostname) }
    }

    private func openUntil(_ server: Server) -> Timestamp {
        world.breakers[Breaker.name(server: server.hostname)]?.openUntil ?? now
    }

    /// The servers to which a tunnel of ours still leads, whoever's it is.
    private func tunnelled(by containers: [ExitContainer]) -> Set<String> {
        Set(containers.filter(\.isRunning).compactMap(\.server))
    }
}
