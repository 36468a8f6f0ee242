/// A VPN company whose servers we may use, by its name in configuration and in the API: "nordvpn".
package struct ProviderName: Hashable, Codable, Sendable, CustomStringConvertible, RawRepresentable {
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
    package var description: String { rawValue }

    package init(from decoder: any Decoder) throws { rawValue = try decoder.singleValueContainer().decode(String.self) }
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }

    package static let nordvpn = ProviderName(rawValue: "nordvpn")
}

/// One WireGuard server in a provider's catalog.
package struct Server: Hashable, Codable, Sendable {
    package var provider: ProviderName
    package var hostname: String
    /// IPv4 address of its WireGuard endpoint, in dotted form.
    package var address: String
    /// UDP port of its WireGuard endpoint.
    package var port: Int
    /// Base64 of 32 bytes. Not an identity: NordVPN has one key for each city.
    package var publicKey: String
    package var country: CountryCode
    package var city: String?
    /// The provider's own figure, 0 to 100 percent.
    package var load: Int
    /// Measured round trip from this machine; nil when it was not measured or did not answer.
    package var latencyMilliseconds: Double?

    package init(
        provider: ProviderName, hostname: String, address: String, port: Int, publicKey: String, country: CountryCode,
        city: String?, load: Int, latencyMilliseconds: Double? = nil
    ) {
        self.provider = provider
        self.hostname = hostname
        self.address = address
        self.port = port
        self.publicKey = publicKey
        self.country = country
        self.city = city
        self.load = load
        self.latencyMilliseconds = latencyMilliseconds
    }

    enum CodingKeys: String, CodingKey {
        case provider, hostname, address, port, country, city, load
        case publicKey = "public_key"
        case latencyMilliseconds = "latency_ms"
    }
}

/// How a pool picks among the servers of its country.
package enum Strategy: String, Codable, Sendable, CaseIterable {
    /// The lowest load; latency breaks ties.
    case load
    /// The lowest measured latency; load breaks ties.
    case latency
    /// Load in steps of ten percent, then measured latency.
    case balanced
    /// Any of the ten best by `balanced`.
    case random
}
