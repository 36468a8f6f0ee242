package import Model

/// The accounts of the providers, and how many tunnels each may have at once.
package struct DeviceBudget: Sendable, Equatable {
    /// An account that the configuration has given a name.
    package struct Named: Sendable, Equatable {
        package var name: String
        /// Nil where the provider sets no number.
        package var limit: Int?

        package init(_ name: String, _ limit: Int?) {
            self.name = name
            self.limit = limit
        }
    }

    /// Of providers' only accounts that have no name; one without an entry sets no number.
    package var limits: [ProviderName: Int]
    /// Of each provider whose accounts have names, in the order of the configuration, at least one.
    package var accounts: [ProviderName: [Named]] = [:]
    /// Tunnels at once of each account that is none of a provider's: of a WireGuard file's key.
    package var ofOneAccount = 1

    package init(_ limits: [ProviderName: Int] = [:]) { self.limits = limits }

    /// The accounts that the configuration has for a provider.
    package func accounts(of provider: ProviderName) -> [ProviderAccount] {
        accounts[provider]?.map { ProviderAccount(provider, $0.name) } ?? [ProviderAccount(provider)]
    }

    /// False where the configuration has no such account any more.
    package func has(_ account: ProviderAccount) -> Bool { accounts(of: account.provider).contains(account) }

    /// Nil where there is no number.
    package func limit(of account: ProviderAccount) -> Int? {
        guard let named = accounts[account.provider] else { return limits[account.provider] }
        return named.first { $0.name == account.name }?.limit
    }

    /// All tunnels that a provider's accounts may have at once; nil where one of them has no number.
    package func limit(of provider: ProviderName) -> Int? {
        let limits = accounts(of: provider).map { limit(of: $0) }
        return limits.contains(nil) ? nil : limits.reduce(0) { $0 + ($1 ?? 0) }
    }

    /// Whose key the tunnel to a server has: the first account's where nothing says it.
    package func account(of server: Server) -> ProviderAccount {
        guard server.account == nil, let first = accounts[server.provider]?.first else { return server.holder }
        return ProviderAccount(server.provider, first.name)
    }

    /// True where a server may have tunnels of several accounts.
    func isShared(_ provider: ProviderName) -> Bool { accounts[provider].map { $0.count > 1 } ?? false }

    /// Why the accounts can't carry these pools; nil where they can.
    /// Pools on demand take what is left.
    package func excess(of pools: some Collection<Pool>, providers: [ProviderName]) -> String? {
        let pools = pools.filter { !$0.isOnDemand }
        let limits = providers.reduce(into: [ProviderName: Int]()) { $0[$1] = limit(of: $1) }
        for (provider, limit) in limits.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            let wanted = pools.filter { $0.provider == provider || providers == [provider] }.reduce(0) { $0 + $1.size + $1.standby }
            guard wanted > limit else { continue }
            let count = accounts(of: provider).count
            let whose = count == 1 ? "its account allows \(limit)" : "its \(count) accounts together allow \(limit)"
            return "the pools need \(wanted) tunnels of \(provider), standbys included, and \(whose)"
        }
        let all = providers.compactMap { limits[$0] }
        let wanted = pools.reduce(0) { $0 + $1.size + $1.standby }
        guard all.count == providers.count, !all.isEmpty, wanted > all.reduce(0, +) else { return nil }
        return "the pools need \(wanted) tunnels, standbys included, and all accounts together allow \(all.reduce(0, +))"
    }
}
