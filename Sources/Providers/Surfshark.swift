import Model

extension Provider {
    /// Surfshark. Source: recorded clusters of its API, versions 3 and 4. One key of the owner's works on every cluster.
    package static let surfshark = Provider(
        .surfshark, url: "https://api.surfshark.com", listPath: "/v4/server/clusters/all",
        facts: TunnelFacts(clientAddress: "10.14.0.2/16", dns: ["162.252.172.57", "149.154.159.92"], mtu: 1380, keepalive: 25),
        devices: nil, special: [.double, .fixed, .obfuscated],
        shape: { SurfsharkList(included: $0.included) })
}

/// `/v4/server/clusters`: the addresses in it are encrypted, so a cluster is dialled by its name.
private struct SurfsharkList: ListShape {
    static let fields: [StaticString] = [
        "id", "countryCode", "location", "load", "type", "connectionName", "pubKey", "tags", "transitCluster",
    ]

    let included: Set<SpecialServers>

    mutating func read(_ row: ListRow, of section: String, into list: inout ServerList) {
        guard section.isEmpty, let id = row["id"]?.text, let type = row["type"]?.text, let name = row["connectionName"]?.text,
            let country = row["countryCode"]?.text
        else { return list.drop("unreadable") }
        var tags = row["tags"]?.elements?.compactMap(\.text).filter { $0.utf8.count <= 32 } ?? []
        // The row of a pair is named after its second server; the first one is the one that we talk to.
        var entry = row
        var hostname = name
        if type != "generic", type != "wireguard" {
            guard let special = SpecialServers(rawValue: type) else { return list.drop("unknown_type") }
            guard included.contains(special) else { return list.drop(special.rawValue) }
            tags.append(type)
            if special == .double {
                guard let transit = row["transitCluster"], let name = transit["connectionName"]?.text else {
                    return list.drop("no_transit")
                }
                (entry, hostname) = (transit, name)
            }
        }
        list.add(
            hostname: hostname, address: hostname, key: entry["pubKey"]?.text, country: CountryCode(country), city: row["location"]?.text,
            load: row["load"]?.load, tags: tags, identity: id)
    }
}
