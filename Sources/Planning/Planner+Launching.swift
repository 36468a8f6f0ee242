import Model

/// Which exit starts, when, and on which server.
extension Planner {
    /// Gives a waiting exit a server and starts it.
    mutating func begin(_ id: ExitID) {
        // The server that it had is in nobody's way, least of all its own.
        holdings?.remove(exits[id]?.server)
        defer { holdings?.add(exits[id]?.server) }
        guard let exit = exits[id], exit.state == .pending || exit.state == .failed else { return }
        if let retryAt = exit.retryAt, retryAt > now, !isFreed(exit) { return requeue(at: retryAt) }
        guard let listed = listedServers(for: exit), let server = server(for: exit, among: listed) else { return }
        // Where only a server is left whose last container still runs, that one goes first: two tunnels with one key on one
        // server would take the session from each other.
        if holdings?.isTunnelled(server) ?? false { return }
        start(exit, on: server)
    }

    /// True where an exit has waited for a tunnel and one is free: it may be given back at any moment, and then nobody waits longer.
    private mutating func isFreed(_ exit: Exit) -> Bool {
        guard exit.reason == .deviceLimit, let holdings, let listed = world.servers[exit.country] else { return false }
        return providers(in: exit.country, listed).contains { !acceptedAccounts(of: $0).allSatisfy(holdings.isFull) }
    }

    /// The servers that the catalog has listed for the exit's pool; nil where the catalog has to be asked first.
    private mutating func listedServers(for exit: Exit) -> [RankedServer]? {
        let problem = world.searchProblems[exit.country]
        if problem != nil { search(exit.country) }
        if let listed = world.servers[exit.country] { return listed }
        search(exit.country)
        if let problem { wait(exit, .providerUnavailable, problem, now + 1) }
        return nil
    }

    /// The server that an exit takes now; nil where the exit waits.
    private mutating func server(for exit: Exit, among listed: [RankedServer]) -> Server? {
        if let until = budget(exit.country) {
            wait(exit, .restartBudget, "its pool has started too many containers recently", until)
            return nil
        }
        let providers = providers(in: exit.country, listed)
        guard let accepting = serversThatAcceptKeys(listed, of: providers, for: exit),
            let open = serversWithFreeTunnels(accepting, of: providers, for: exit)
        else { return nil }
        return chosenServer(for: exit, from: withAccounts(open, for: exit, of: providers))
    }

    /// Without the servers of providers that refuse the key or token of each account; nil where an exit waits because all do.
    private mutating func serversThatAcceptKeys(
        _ servers: [RankedServer], of providers: Set<ProviderName>, for exit: Exit
    ) -> [RankedServer]? {
        let blocked = providers.filter { acceptedAccounts(of: $0).isEmpty }
        let accepting = Self.without(blocked, servers)
        guard accepting.isEmpty, let provider = blocked.min(by: { $0.rawValue < $1.rawValue }) else { return accepting }
        let accounts = rules.devices.accounts(of: provider)
        let isToken = accounts.contains { world.breakers[.credential($0)]?.isOfToken ?? false }
        let (token, key) = accounts.count == 1 ? ("the access token", "its key") : ("the access tokens", "the keys of all accounts")
        let detail =
            isToken
            ? "\(provider) refuses \(token): it is retried with long pauses until it is accepted"
            : "many servers of \(provider) refuse \(key): it is retried with long pauses until one accepts it"
        wait(exit, .credentialsRejected, detail, now + 1)
        return nil
    }

    /// Without the servers of providers of whose accounts none has a free tunnel; nil where no server is left for that.
    private mutating func serversWithFreeTunnels(
        _ servers: [RankedServer], of providers: Set<ProviderName>, for exit: Exit
    ) -> [RankedServer]? {
        let holdings = holdings ?? newHoldings
        let full = providers.filter { acceptedAccounts(of: $0).allSatisfy(holdings.isFull) }
        let open = Self.without(full, servers)
        guard open.isEmpty, !servers.isEmpty else { return open }
        if cancelReplacement(exit) { return nil }
        let names = Set(servers.map(\.server.provider)).sorted { $0.rawValue < $1.rawValue }
        let count = names.reduce(0) { $0 + acceptedAccounts(of: $1).count }
        let at = names.map(\.rawValue).joined(separator: " and ")
        let detail =
            count > names.count ? "none of the \(count) accounts at \(at) has a free tunnel" : "the account at \(at) has no free tunnel"
        wait(exit, .deviceLimit, detail, now + 1)
        return nil
    }

    private mutating func chosenServer(for exit: Exit, from open: [RankedServer]) -> Server? {
        switch choose(for: exit, from: open) {
        case .take(let best): return best
        case .ask(let servers): ask(exit.country, servers)
        case .isAsking: break
        case .silence(let count):
            let detail = "none of the \(count) tried servers of \(exit.country) answers a handshake" + crowd(of: open)
            wait(exit, .handshakeTimeout, detail, now + 1)
        case .none:
            if cancelReplacement(exit) { return nil }
            wait(exit, .noServer, lack(of: open, in: exit.country), now + rules.noServerSeconds)
        }
        return nil
    }

    /// What else explains that servers are silent: the account has as many tunnels as its provider allows, whatever the configuration says.
    private func crowd(of servers: [RankedServer]) -> String {
        guard let server = servers.first?.server, !server.hasOwnKey else { return "" }
        let account = rules.devices.account(of: server)
        let well = exits.values.count { exit in
            exit.health.verdict == .healthy && exit.state.isProbed && exit.server.map { rules.devices.account(of: $0) } == account
        }
        return well == 0
            ? "" : ", while \(well) of the account \(account) \(well == 1 ? "works" : "work"): it may allow no more tunnels at once"
    }

    private func lack(of open: [RankedServer], in country: CountryCode) -> String {
        if open.isEmpty { return "the catalog has no server for it" }
        let ofKeys = open.contains { $0.server.hasOwnKey } ? ", or its key is" : ""
        return "every server of \(country) is in use\(ofKeys)"
    }

    private mutating func start(_ exit: Exit, on server: Server) {
        var exit = exit
        exit.server = server
        exit.keyName = nil
        exit.generation += 1
        exit.move(to: .starting, now: now)
        exits[exit.id] = exit
        steps.append(.launch(exit.id))
        started.insert(exit.id)
        begun[exit.country, default: 0] += 1
        holdings?.begin(server, exit.country)
        for key in [BreakerKey.server(server.hostname), .credential(rules.devices.account(of: server))]
        where world.breakers[key]?.state(now) == .halfOpen {
            trials.insert(key)
        }
    }

    /// Whose servers a pool may take.
    mutating func providers(in country: CountryCode, _ known: [RankedServer]) -> Set<ProviderName> {
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

    func isAllowed(_ key: BreakerKey) -> Bool {
        world.breakers[key].map { $0.allows(now, key.rules) && !trials.contains(key) } ?? true
    }

    func isAllowed(_ server: Server) -> Bool { isAllowed(.server(server.hostname)) }

    private mutating func wait(_ exit: Exit, _ reason: ExitReason, _ detail: String, _ until: Timestamp) {
        var exit = exit
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

    /// An exit that is unwell, or waits for a tunnel that is being given back, may need a server in a moment: by then it is known who answers.
    /// And a key that was refused may be taken again long before the next trial is due: that costs a handshake to find out.
    mutating func askAhead(for pool: Pool) {
        let isWanted = exits.of(pool.country).contains {
            $0.state.takesTraffic && $0.health.failures > 1 || !$0.keepsContainer && $0.reason == .credentialsRejected
                || $0.state == .pending && $0.reason == .deviceLimit && exits.values.contains(where: \.givesWay)
        }
        guard isWanted, world.handshakes != nil else { return }
        guard world.servers[pool.country] != nil else { return search(pool.country) }
        ask(pool.country, questionsAhead(for: pool.country))
    }

    /// Where every server is taken, an exit that was to leave holds the one that its replacement needs: then it stays.
    private mutating func cancelReplacement(_ exit: Exit) -> Bool {
        let leavers = exits.of(exit.country).filter { $0.leaving && $0.state.takesTraffic }
        guard desired.pools[exit.country] != nil, let leaver = leavers.min(by: { $0.id < $1.id }) else { return false }
        exits[leaver.id]?.leaving = false
        exits[leaver.id]?.reason = nil
        exits[exit.id] = nil
        return true
    }
}
