/// An account at a provider: whose key a tunnel has, and whose devices it counts among. Its text is `nordvpn`, or `nordvpn/alice`.
package struct ProviderAccount: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let provider: ProviderName
    /// Nil for a provider's only account, where the configuration gives it no name.
    package let name: String?

    package init(_ provider: ProviderName, _ name: String? = nil) {
        self.provider = provider
        self.name = name
    }

    package init(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        self.init(ProviderName(rawValue: parts[0]), parts.count == 2 ? parts[1] : nil)
    }

    /// What people read where the provider is named beside it.
    package var shownName: String { name ?? Self.unnamed }

    /// What an account without a name is called.
    package static let unnamed = "main"

    package var description: String { name.map { "\(provider)/\($0)" } ?? provider.rawValue }

    package static func < (left: ProviderAccount, right: ProviderAccount) -> Bool { left.description < right.description }
}

extension Server {
    /// Whose key its tunnel has, as it is written; an earlier version wrote no name.
    package var holder: ProviderAccount { ProviderAccount(provider, account) }

    /// True for a WireGuard file: its key is in the file, and its account is named after that.
    package var hasOwnKey: Bool { provider == .wireguard }
}
