/// A VPN company whose servers we may use, by its name in configuration and in the API: "nordvpn".
package struct ProviderName: Hashable, Codable, Sendable, CustomStringConvertible, RawRepresentable {
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
    package var description: String { rawValue }

    package static let nordvpn = ProviderName(rawValue: "nordvpn")
    package static let surfshark = ProviderName(rawValue: "surfshark")
    package static let mullvad = ProviderName(rawValue: "mullvad")
    package static let ivpn = ProviderName(rawValue: "ivpn")
    package static let windscribe = ProviderName(rawValue: "windscribe")
    /// No company: the operator's own folder of WireGuard files.
    package static let wireguard = ProviderName(rawValue: "wireguard")
}

/// One WireGuard server in a provider's catalog.
package struct Server: Hashable, Codable, Sendable {
    package var provider: ProviderName
    package var hostname: String
    /// IPv4 address of its WireGuard endpoint, in dotted form; a host name where the provider tells only that, which is then
    /// resolved again at each use.
    package var address: String
    /// UDP port of its WireGuard endpoint.
    package var port: Int
    /// Base64 of 32 bytes. Not an identity: NordVPN has one key for each city.
    package var publicKey: String
    package var country: CountryCode
    package var city: String?
    /// The provider's own figure, 0 to 100 percent; nil where it tells none.
    package var load: Int?
    /// Measured round trip from this machine; nil when it was not measured or did not answer.
    package var latencyMilliseconds: Double?
    /// Words about it, in order: "p2p", "virtual", "dedicated_ip".
    package var tags: [String]
    /// Whose network it stands in, as the provider says.
    package var network: String?
    /// Whose key its tunnel has: the account's name, which tells nothing of the key. Of a list only the servers of exits have one, and only where
    /// the configuration names the provider's accounts.
    package var account: String?

    package init(
        provider: ProviderName, hostname: String, address: String, port: Int, publicKey: String, country: CountryCode,
        city: String?, load: Int?, latencyMilliseconds: Double? = nil, tags: [String] = [], network: String? = nil, account: String? = nil
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
        self.tags = tags
        self.network = network
        self.account = account
    }

    /// True for four numbers of 0 to 255, which is the only form of address that may reach an exit's firewall.
    package static func isIPv4(_ text: String) -> Bool {
        var parts = 0
        var value = -1
        var digits = 0
        for byte in text.utf8 {
            if byte == 0x2E {
                guard digits > 0 else { return false }
                (parts, value, digits) = (parts + 1, -1, 0)
            } else if (0x30...0x39).contains(byte), digits == 0 || value > 0 {
                (value, digits) = (max(0, value) * 10 + Int(byte - 0x30), digits + 1)
                guard value <= 255 else { return false }
            } else {
                return false
            }
        }
        return parts == 3 && digits > 0
    }

    /// True while its address is a name.
    package var needsResolving: Bool { !Server.isIPv4(address) }

    enum CodingKeys: String, CodingKey {
        case provider, hostname, address, port, country, city, load, tags, network, account
        case publicKey = "public_key"
        case latencyMilliseconds = "latency_ms"
    }
}

extension Server {
    /// Reads what an older version has stored, too: it knew no tags.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            provider: try container.decode(ProviderName.self, forKey: .provider),
            hostname: try container.decode(String.self, forKey: .hostname),
            address: try container.decode(String.self, forKey: .address), port: try container.decode(Int.self, forKey: .port),
            publicKey: try container.decode(String.self, forKey: .publicKey),
            country: try container.decode(CountryCode.self, forKey: .country),
            city: try container.decodeIfPresent(String.self, forKey: .city), load: try container.decodeIfPresent(Int.self, forKey: .load),
            latencyMilliseconds: try container.decodeIfPresent(Double.self, forKey: .latencyMilliseconds),
            tags: try container.decodeIfPresent([String].self, forKey: .tags) ?? [],
            network: try container.decodeIfPresent(String.self, forKey: .network),
            account: try container.decodeIfPresent(String.self, forKey: .account))
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
