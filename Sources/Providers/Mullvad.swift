import Model

extension Provider {
    /// Mullvad. Source: a recorded row of its list. Each server has a key of its own, each customer's key an address of its own.
    package static let mullvad = Provider(
        .mullvad, url: "https://api.mullvad.net", listPath: "/www/relays/all/",
        facts: TunnelFacts(clientAddress: "", dns: ["10.64.0.1"], mtu: 1380, keepalive: 25), devices: 5, special: [.offline],
        shape: { MullvadList(included: $0.included) })
}

/// `/www/relays/all/`: a list of relays of every kind. It tells no load.
private struct MullvadList: ListShape {
    static let fields: [StaticString] = [
        "hostname", "country_code", "city_name", "fqdn", "active", "owned", "provider", "ipv4_addr_in", "type", "pubkey",
    ]

    let included: Set<SpecialServers>

    mutating func read(_ row: ListRow, of section: String, into list: inout ServerList) {
        guard section.isEmpty, let hostname = row["hostname"]?.text, let type = row["type"]?.text, let active = row["active"]?.bool,
            let address = row["ipv4_addr_in"]?.text, let country = row["country_code"]?.text
        else { return list.drop("unreadable") }
        guard type == "wireguard" else { return list.drop("no_wireguard") }
        var tags = (row["owned"]?.bool ?? false) ? ["owned"] : []
        if !active {
            guard included.contains(.offline) else { return list.drop("offline") }
            tags.append(SpecialServers.offline.rawValue)
        }
        list.add(
            hostname: row["fqdn"]?.text ?? "\(hostname).relays.mullvad.net", address: address, key: row["pubkey"]?.text,
            country: CountryCode(country), city: row["city_name"]?.text, load: nil, tags: tags, network: row["provider"]?.text)
    }
}
