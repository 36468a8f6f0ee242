import Model

extension Provider {
    /// IVPN. Source: the fields that other clients read of its list; no whole answer was at hand. It names servers, not addresses.
    package static let ivpn = Provider(
        .ivpn, url: "https://api.ivpn.net", listPath: "/v4/servers/stats",
        facts: TunnelFacts(clientAddress: "", dns: ["172.16.0.1"], mtu: 1380, keepalive: 25), port: 58237, devices: 7, special: [.offline],
        shape: { IVPNList(included: $0.included) })
}

/// `/v4/servers/stats`: an object with a list of servers. Countries are codes or names.
private struct IVPNList: ListShape {
    static let fields: [StaticString] = [
        "hostnames", "wireguard", "is_active", "country", "country_code", "city", "isp", "wg_public_key", "load",
    ]

    let included: Set<SpecialServers>

    mutating func read(_ row: ListRow, of section: String, into list: inout ServerList) {
        guard section == "servers" else { return }
        guard let hostnames = row["hostnames"], hostnames.isObject, let isActive = row["is_active"]?.bool,
            let country = (row["country_code"] ?? row["country"])?.text
        else { return list.drop("unreadable") }
        guard let hostname = hostnames["wireguard"]?.text, !hostname.isEmpty else { return list.drop("no_wireguard") }
        var tags: [String] = []
        if !isActive {
            guard included.contains(.offline) else { return list.drop("offline") }
            tags.append(SpecialServers.offline.rawValue)
        }
        list.add(
            hostname: hostname, address: hostname, key: row["wg_public_key"]?.text,
            country: CountryCode(country) ?? CountryCode(named: country), city: row["city"]?.text, load: row["load"]?.load, tags: tags,
            network: row["isp"]?.text)
    }
}
