package import Model

/// How many tunnels each account has at one moment: those of exits, and those of containers that still run. A value.
package struct DevicesInUse: Sendable, Equatable {
    private var counts: [ProviderAccount: Int] = [:]
    /// Exits of each pool, where a provider has several accounts.
    private var inPools: [CountryCode: [ProviderAccount: Int]] = [:]
    /// Containers that no exit claims any more may still hold a tunnel, to whichever account: until they are gone they count for each.
    private var unclaimed = 0

    package init(_ exits: [ExitID: Exit], _ containers: [ExitContainer]?, _ budget: DeviceBudget) {
        for exit in exits.values where exit.keepsContainer { if let server = exit.server { add(server, exit.country, budget) } }
        for container in containers ?? [] where container.isRunning {
            guard let owner = container.exit, let exit = exits[owner], exit.generation == container.generation, let server = exit.server
            else {
                unclaimed += 1
                continue
            }
            // One that its exit has given up has the same tunnel until it is gone.
            if !exit.keepsContainer { counts[budget.account(of: server), default: 0] += 1 }
        }
    }

    /// An exit begins a tunnel.
    mutating func add(_ server: Server, _ country: CountryCode, _ budget: DeviceBudget) {
        let account = budget.account(of: server)
        counts[account, default: 0] += 1
        if budget.isShared(server.provider) { inPools[country, default: [:]][account, default: 0] += 1 }
    }

    package func count(of account: ProviderAccount) -> Int { (counts[account] ?? 0) + unclaimed }

    func count(of account: ProviderAccount, in country: CountryCode) -> Int { inPools[country]?[account] ?? 0 }

    /// Whether an account has no tunnel left for one exit more.
    func isFull(_ account: ProviderAccount, _ budget: DeviceBudget) -> Bool {
        budget.limit(of: account).map { count(of: account) >= $0 } ?? false
    }
}
