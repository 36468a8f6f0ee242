import Model

extension Provider {
    /// Windscribe. Source: the fields that other clients read of its list; no whole answer was at hand.
    package static let windscribe = Provider(
        .windscribe, url: "https://assets.windscribe.com", listPath: "/serverlist/mob-v2/1/0",
        facts: TunnelFacts(clientAddress: "", dns: ["10.255.255.1"], mtu: 1380, keepalive: 25), port: 1194, devices: nil,
        shape: { _ in WindscribeList() })
}

/// `/serverlist/mob-v2/1/<n>`: a country a row, in it groups with a key for each, in them the machines.
private struct WindscribeList: ListShape {
    static let fields: [StaticString] = ["name", "country_code", "groups", "city", "wg_pubkey", "nodes", "hostname", "ip3", "health"]

    mutating func read(_ row: ListRow, of section: String, into list: inout ServerList) {
        guard section == "data" else { return }
        guard let name = row["name"]?.text, let groups = row["groups"]?.elements else { return list.drop("unreadable") }
        // A region may be called "US East"; then the code says which country that is.
        let country = (row["country_code"]?.text).flatMap { CountryCode($0) } ?? CountryCode(named: name)
        for group in groups { read(group, country, into: &list) }
    }

    private func read(_ group: ListRow, _ country: CountryCode?, into list: inout ServerList) {
        guard let nodes = group["nodes"]?.elements else { return list.drop("unreadable") }
        for node in nodes {
            guard let hostname = node["hostname"]?.text, let address = node["ip3"]?.text else {
                list.drop("unreadable")
                continue
            }
            list.add(
                hostname: hostname, address: address, key: group["wg_pubkey"]?.text, country: country, city: group["city"]?.text,
                load: (node["health"] ?? group["health"])?.load)
        }
    }
}
