package import Model
package import Planning

/// An account at one moment, by name only.
package struct AccountUse: Sendable, Equatable {
    package var account: ProviderAccount
    /// Exits that have a tunnel of it.
    package var inUse: Int
    /// Tunnels that it may have at once; nil for no limit.
    package var limit: Int?
    /// Not closed while its key or token is refused.
    package var state: Breaker.State
    package var reason: String?
}
