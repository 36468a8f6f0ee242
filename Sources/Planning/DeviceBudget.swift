package import Model

/// How many tunnels the account at each provider may have at once. A provider without an entry sets no number.
package struct DeviceBudget: Sendable, Equatable {
    package var limits: [ProviderName: Int]
    /// Tunnels at once of each account that is none of a provider's: of a WireGuard file's key.
    package var ofOneAccount = 1

    package init(_ limits: [ProviderName: Int] = [:]) { self.limits = limits }

    /// Whether an account has no tunnel left for one exit more.
    ///
    /// A container that no exit claims any more may still hold a tunnel, to whichever provider: until it is gone it counts for each.
    func isFull(_ provider: ProviderName, besides id: ExitID, exits: [ExitID: Exit], containers: [ExitContainer]) -> Bool {
        guard let limit = limits[provider] else { return false }
        let holding = exits.values.count { $0.id != id && $0.keepsContainer && $0.server?.provider == provider }
        let unclaimed = containers.count { container in
            guard container.isRunning else { return false }
            guard let owner = container.exit, owner != id, let exit = exits[owner] else { return true }
            return !(exit.keepsContainer && exit.generation == container.generation)
        }
        return holding + unclaimed >= limit
    }

    /// Why the accounts can't carry these pools; nil where they can.
    /// Pools on demand take what is left.
    package func excess(of pools: some Collection<Pool>, providers: [ProviderName]) -> String? {
        let pools = pools.filter { !$0.isOnDemand }
        for (provider, limit) in limits.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            let wanted = pools.filter { $0.provider == provider || providers == [provider] }.reduce(0) { $0 + $1.size + $1.standby }
            guard wanted > limit else { continue }
            return "the pools need \(wanted) tunnels of \(provider), standbys included, and its account allows \(limit)"
        }
        let all = providers.compactMap { limits[$0] }
        let wanted = pools.reduce(0) { $0 + $1.size + $1.standby }
        guard all.count == providers.count, !all.isEmpty, wanted > all.reduce(0, +) else { return nil }
        return "the pools need \(wanted) tunnels, standbys included, and all accounts together allow \(all.reduce(0, +))"
    }
}
