import Model

/// Which account of a provider an exit's tunnel has, and when an exit has to move to another one.
extension Planner {
    // MARK: - A waiting exit

    /// Accounts of which nothing is known that speaks against a tunnel more.
    func acceptedAccounts(of provider: ProviderName) -> [ProviderAccount] {
        rules.devices.accounts(of: provider).filter { isAllowed(.credential($0)) }
    }

    /// The account for an exit's next tunnel to a provider; nil where each is refused or full.
    ///
    /// One that has just failed this exit comes last; then counts how many exits of the pool each has, so that a refused key is never a whole
    /// pool's end; then what share of its devices is in use.
    private func account(for exit: Exit?, in country: CountryCode, of provider: ProviderName, _ holdings: Holdings) -> ProviderAccount? {
        let accounts = acceptedAccounts(of: provider).filter { !holdings.isFull($0) }
        guard accounts.count > 1 else { return accounts.first }
        func order(_ account: ProviderAccount) -> (Int, Int, Int, Double) {
            let limit = rules.devices.limit(of: account) ?? 1_000_000
            let inUse = holdings.devices.count(of: account)
            // A key that was refused is tried again by handshakes first: an exit takes it only where there is no other.
            let isDoubtful = world.breakers[.credential(account)].map { $0.state(now) != .closed } ?? false
            return (
                isDoubtful ? 1 : 0, hasFailed(exit, account) ? 1 : 0, holdings.devices.count(of: account, in: country),
                Double(inUse) / Double(max(1, limit))
            )
        }
        return accounts.map { (account: $0, order: order($0)) }.min { $0.order < $1.order }?.account
    }

    /// Seconds for which the account of an exit's lost tunnel comes last for its next one.
    private static let failedSeconds = 60.0

    private func hasFailed(_ exit: Exit?, _ account: ProviderAccount) -> Bool {
        guard let failure = exit?.lastFailure, now - failure.at < Self.failedSeconds, let server = failure.server else { return false }
        switch failure.reason {
        case .blackhole, .handshakeTimeout, .credentialsRejected, .verifyTimeout: return rules.devices.account(of: server) == account
        default: return false
        }
    }

    /// The servers with the account that a tunnel to each would have, where the providers' accounts have names.
    mutating func withAccounts(_ servers: [RankedServer], for exit: Exit, of providers: Set<ProviderName>) -> [RankedServer] {
        let holdings = holdings ?? newHoldings
        let choices = providers.reduce(into: [:]) { $0[$1] = account(for: exit, in: exit.country, of: $1, holdings) }
        return named(servers, in: exit.country, by: choices)
    }

    /// For a question ahead of time: the account that an exit would have, or one that was refused, where exits wait for that.
    mutating func withAccountsAhead(_ servers: [RankedServer], in country: CountryCode) -> [RankedServer] {
        let holdings = holdings ?? newHoldings
        let isRefused = exits.of(country).contains { !$0.keepsContainer && $0.reason == .credentialsRejected }
        let choices = providers(in: country, servers).reduce(into: [ProviderName: ProviderAccount]()) { choices, provider in
            let refused = isRefused ? rules.devices.accounts(of: provider).first { !isAllowed(.credential($0)) } : nil
            choices[provider] = refused ?? account(for: nil, in: country, of: provider, holdings)
        }
        return named(servers, in: country, by: choices)
    }

    private mutating func named(
        _ servers: [RankedServer], in country: CountryCode, by choices: [ProviderName: ProviderAccount]
    ) -> [RankedServer] {
        guard choices.values.contains(where: { $0.name != nil }) else { return servers }
        // The same list for many exits of a pool: it is long, and they mostly take one of two accounts.
        let key = NamedList(country: country, count: servers.count, choices: choices)
        if let known = namedLists[key] { return known }
        let list = servers.map { entry in
            guard let name = choices[entry.server.provider]?.name else { return entry }
            var entry = entry
            entry.server.account = name
            return entry
        }
        namedLists[key] = list
        return list
    }

    /// What a list with accounts was made of.
    struct NamedList: Hashable {
        let country: CountryCode
        let count: Int
        let choices: [ProviderName: ProviderAccount]
    }

    // MARK: - An exit that runs

    /// Writes down whose key an exit has, where an earlier version did not, or where the account is called otherwise by now.
    func settleAccount(of exit: inout Exit) {
        guard var server = exit.server, !server.hasOwnKey else { return }
        let account = rules.devices.account(of: server)
        if let key = exit.keyName {
            guard world.keyNames[account] != key else { return write(account, server, &exit) }
            let renamed = rules.devices.accounts(of: server.provider).first { world.keyNames[$0] == key }
            if let renamed { write(renamed, server, &exit) }
        } else if rules.devices.has(account) {
            exit.keyName = world.keyNames[account]
            server.account = account.name
            exit.server = server
        }
    }

    private func write(_ account: ProviderAccount, _ server: Server, _ exit: inout Exit) {
        guard server.account != account.name else { return }
        exit.server?.account = account.name
    }

    /// Why an exit that works has to move to another account, or to another key of its own; nil where it has not.
    func accountTrouble(of exit: Exit) -> (reason: ExitReason, detail: String)? {
        guard let server = exit.server, !server.hasOwnKey else { return nil }
        let account = rules.devices.account(of: server)
        guard rules.devices.has(account) else { return (.rotated, "its account \(account) is not configured any more") }
        if let key = exit.keyName, let current = world.keyNames[account], current != key {
            return (.rotated, "the key of its account \(account) was exchanged")
        }
        // Where there is no other account, an exit that works is better than none.
        guard rules.devices.isShared(server.provider), let breaker = world.breakers[.credential(account)], breaker.state(now) != .closed
        else { return nil }
        return (.credentialsRejected, "its account \(account) is refused")
    }

    /// True where another tunnel can be had for the exit's pool before the exit goes.
    func hasRoom(besides exit: Exit) -> Bool {
        guard let listed = world.servers[exit.country] else { return false }
        let holdings = holdings ?? newHoldings
        let trouble = exit.server.map { rules.devices.account(of: $0) }
        let providers = Set(listed.lazy.map(\.server.provider))
        return providers.contains { provider in
            let accounts = acceptedAccounts(of: provider).filter { account in
                let isRefused = world.breakers[.credential(account)].map { $0.state(now) != .closed } ?? false
                return !holdings.isFull(account) && !(isRefused && account == trouble)
            }
            return accounts.contains { account in
                listed.contains { entry in
                    guard entry.server.provider == provider else { return false }
                    var server = entry.server
                    if !server.hasOwnKey { server.account = account.name }
                    return !holdings.isHeld(server)
                }
            }
        }
    }
}
