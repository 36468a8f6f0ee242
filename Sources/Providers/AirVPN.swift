package import Model

extension ProviderName {
    package static let airvpn = ProviderName(rawValue: "airvpn")
}

extension Provider {
    /// AirVPN. Source: the fields that several other clients read of its list; no whole answer was at hand. Each customer's key has an address
    /// and a preshared key of its own.
    package static let airvpn = Provider(
        .airvpn, url: "https://airvpn.org", listPath: "/api/status/",
        facts: TunnelFacts(clientAddress: "", dns: ["10.128.0.1"], mtu: 1320, keepalive: 25), port: 1637, devices: 5, special: [.offline],
        shape: { AirVPNList(included: $0.included) })
}

/// `/api/status/`: an object with a list of servers, beside sums of them by country. All servers have one key, which the list doesn't say.
private struct AirVPNList: ListShape {
    static let fields: [StaticString] = ["public_name", "country_code", "country_name", "location", "ip_v4_in1", "health", "currentload"]

    /// As in all 510 rows of another client's list of 2026-06.
    private static let key = "PyLCXAQT8KkM4T+dUsOQfn+Ub3pGxfGlxkIApuig+hk="

    let included: Set<SpecialServers>

    mutating func read(_ row: ListRow, of section: String, into list: inout ServerList) {
        guard section == "servers" else { return }
        guard let name = row["public_name"]?.text, let address = row["ip_v4_in1"]?.text,
            let country = (row["country_code"] ?? row["country_name"])?.text
        else { return list.drop("unreadable") }
        var tags: [String] = []
        if row["health"]?.isText("error") ?? false {
            guard included.contains(.offline) else { return list.drop("offline") }
            tags.append(SpecialServers.offline.rawValue)
        }
        // "Toronto, Ontario"
        let city = row["location"]?.text?.prefix { $0 != "," }
        list.add(
            hostname: "\(name.lowercased()).airservers.org", address: address, key: Self.key,
            country: CountryCode(country) ?? CountryCode(named: country), city: city.map(String.init), load: row["currentload"]?.load,
            tags: tags)
    }
}
