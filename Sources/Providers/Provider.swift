package import Model

/// One provider: how its list is asked for and read, and the facts of its tunnels. A value for each is in a file of its own.
package struct Provider: Sendable {
    package let name: ProviderName
    /// Where its API is.
    package let url: String
    /// Path and query of its list.
    package let listPath: String
    /// Address in the tunnel, resolvers, MTU, keepalive; the address is empty where each customer has another.
    package let facts: TunnelFacts
    /// UDP port of its servers.
    package let port: Int
    /// Tunnels that one account may have at once; nil where the provider sets no number.
    package let devices: Int?
    /// Its own way from an access token to the private key; nil where the operator must have a key.
    let keyOfToken: (@Sendable (ProviderClient, Secret) async throws -> Secret)?
    /// The servers that are left out unless they are asked for.
    package let special: [SpecialServers]
    let shape: @Sendable (ListOptions) -> any ListShape

    init(
        _ name: ProviderName, url: String, listPath: String, facts: TunnelFacts, port: Int = 51820, devices: Int?,
        special: [SpecialServers] = [], keyOfToken: (@Sendable (ProviderClient, Secret) async throws -> Secret)? = nil,
        shape: @escaping @Sendable (ListOptions) -> any ListShape
    ) {
        self.name = name
        self.url = url
        self.listPath = listPath
        self.facts = facts
        self.port = port
        self.devices = devices
        self.special = special
        self.keyOfToken = keyOfToken
        self.shape = shape
    }

    package var takesTokens: Bool { keyOfToken != nil }
    /// Each customer has an address of their own in the tunnel, beside the key.
    package var needsAddress: Bool { facts.clientAddress.isEmpty }

    /// All that can be configured.
    package static let all: [Provider] = [.nordvpn, .surfshark, .mullvad, .ivpn, .airvpn, .windscribe]
}
