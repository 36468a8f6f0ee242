import FoundationEssentials
import HTTPTransport
import Model
import Platform

extension Provider {
    /// NordVPN. Source: recorded answers of its API; address, resolvers and keepalive are those of its own Linux client.
    /// `/v2/servers` says in 9 MB what `/v1/servers` says in 32; both are read.
    package static let nordvpn = Provider(
        .nordvpn, url: "https://api.nordvpn.com", listPath: "/v2/servers?limit=0",
        facts: TunnelFacts(clientAddress: "10.5.0.2/32", dns: ["103.86.96.100", "103.86.99.100"], mtu: 1380, keepalive: 25),
        devices: 10, special: [.dedicatedIP, .double, .onion, .offline],
        keyOfToken: { client, token in
            let basic = Base64.encode(Array("token:\(token.revealed)".utf8))
            let body = try await client.get("/v1/users/services/credentials", authorization: "Basic \(basic)")
            struct Answer: Decodable {
                let privateKey: String
                enum CodingKeys: String, CodingKey { case privateKey = "nordlynx_private_key" }
            }
            guard let key = try? JSONDecoder().decode(Answer.self, from: Data(body)).privateKey, Base64.isWireGuardKey(key) else {
                throw ProviderError(code: .badAnswer, provider: "nordvpn", message: "its answer about credentials holds no WireGuard key")
            }
            return Secret(key)
        },
        shape: { NordVPNList(included: $0.included) })
}

/// `/v1/servers`, a list of rows that hold everything, and `/v2/servers`, whose rows point into tables that come after them.
private struct NordVPNList: ListShape {
    static let fields: [StaticString] = [
        "id", "hostname", "station", "status", "load", "technologies", "identifier", "metadata", "name", "value", "pivot", "groups",
        "locations", "country", "code", "city", "specifications", "group_ids", "location_ids",
    ]
    /// The number that a list without names has for WireGuard, and those of the special groups.
    private static let wireGuardID = 35
    private static let groupIDs = [1: SpecialServers.double, 3: .onion, 9: .dedicatedIP]
    private static let groupNames = [
        "legacy_dedicated_ip": SpecialServers.dedicatedIP, "legacy_double_vpn": .double, "legacy_onion_over_vpn": .onion,
    ]

    let included: Set<SpecialServers>

    private struct WireGuard {
        var isOnline: Bool
        var key: String?
    }

    private struct Place {
        var country: CountryCode?
        var city: String?
    }

    /// What a row says before its groups and places are known.
    private struct Row {
        var hostname: String
        var station: String
        /// Nil where the list does not say.
        var load: Int?
        var isOnline: Bool
        var isVirtual: Bool
    }

    /// A row of version 2 that waits for the tables.
    private struct Waiting {
        var row: Row
        var technologies: [(id: Int, state: WireGuard)]
        var groups: [Int]
        var places: [Int]
    }

    private var waiting: [Waiting] = []
    private var wireGuardIDs: Set<Int> = []
    private var specialIDs: [Int: SpecialServers] = [:]
    private var p2pIDs: Set<Int> = []
    private var places: [Int: Place] = [:]

    init(included: Set<SpecialServers>) { self.included = included }

    mutating func read(_ row: ListRow, of section: String, into list: inout ServerList) {
        switch section {
        case "": readWhole(row, into: &list)
        case "servers": readPointing(row, into: &list)
        case "technologies": if row["identifier"]?.isText("wireguard_udp") ?? false, let id = row["id"]?.integer { wireGuardIDs.insert(id) }
        case "groups":
            guard let id = row["id"]?.integer, let name = row["identifier"]?.text else { return }
            specialIDs[id] = Self.groupNames[name]
            if name == "legacy_p2p" { p2pIDs.insert(id) }
        case "locations": if let id = row["id"]?.integer { places[id] = place(row) }
        default: break
        }
    }

    private func head(_ row: ListRow) -> Row? {
        guard let hostname = row["hostname"]?.text, let station = row["station"]?.text,
            let status = row["status"], status.text != nil
        else { return nil }
        let isVirtual = row["specifications"]?.elements?.contains { $0["identifier"]?.isText("virtual_location") ?? false } ?? false
        return Row(
            hostname: hostname, station: station, load: row["load"]?.load, isOnline: status.isText("online"), isVirtual: isVirtual)
    }

    /// Metadata by its name: other technologies have other values there, and the first is not always the key.
    private func state(_ technology: ListRow) -> WireGuard {
        let status = technology["pivot"]?["status"] ?? technology["status"]
        let key = technology["metadata"]?.elements?.first { $0["name"]?.isText("public_key") ?? false }?["value"]?.text
        return WireGuard(isOnline: status?.isText("online") ?? false, key: key)
    }

    private func place(_ row: ListRow) -> Place {
        Place(country: (row["country"]?["code"]?.text).flatMap { CountryCode($0) }, city: row["country"]?["city"]?["name"]?.text)
    }

    private func readWhole(_ row: ListRow, into list: inout ServerList) {
        guard let head = head(row), let technologies = row["technologies"]?.elements, let groups = row["groups"]?.elements,
            let locations = row["locations"]?.elements
        else { return list.drop("unreadable") }
        let wireGuard = technologies.first { technology in
            if let name = technology["identifier"] { return name.isText("wireguard_udp") }
            return technology["id"]?.integer == Self.wireGuardID
        }
        var special: SpecialServers?
        var isP2P = false
        for group in groups {
            let name = group["identifier"]?.text
            if name == "legacy_p2p" { isP2P = true }
            special = special ?? name.flatMap { Self.groupNames[$0] }
            if name == nil, let id = group["id"]?.integer { special = special ?? Self.groupIDs[id] }
        }
        let found = locations.lazy.map { self.place($0) }.first { $0.country != nil }
        add(head, wireGuard: wireGuard.map { state($0) }, special: special, isP2P: isP2P, place: found, into: &list)
    }

    private mutating func readPointing(_ row: ListRow, into list: inout ServerList) {
        guard let head = head(row), let technologies = row["technologies"]?.elements, let groups = row["group_ids"]?.elements,
            let locations = row["location_ids"]?.elements
        else { return list.drop("unreadable") }
        var states: [(id: Int, state: WireGuard)] = []
        for technology in technologies { if let id = technology["id"]?.integer { states.append((id, state(technology))) } }
        waiting.append(
            Waiting(
                row: head, technologies: states, groups: groups.compactMap { $0.integer }, places: locations.compactMap { $0.integer }))
    }

    mutating func finish(into list: inout ServerList) {
        for entry in waiting {
            let wireGuard = entry.technologies.first { wireGuardIDs.contains($0.id) }?.state
            let special = entry.groups.compactMap { specialIDs[$0] }.first
            let place = entry.places.compactMap { places[$0] }.first { $0.country != nil }
            add(
                entry.row, wireGuard: wireGuard, special: special, isP2P: entry.groups.contains(where: p2pIDs.contains), place: place,
                into: &list)
        }
        waiting = []
    }

    private func add(
        _ row: Row, wireGuard: WireGuard?, special: SpecialServers?, isP2P: Bool, place: Place?, into list: inout ServerList
    ) {
        var tags: [String] = []
        if let special {
            guard included.contains(special) else { return list.drop(special.rawValue) }
            tags.append(special.rawValue)
        }
        if !row.isOnline || wireGuard?.isOnline == false {
            guard included.contains(.offline) else { return list.drop(row.isOnline ? "wireguard_offline" : "offline") }
            tags.append(SpecialServers.offline.rawValue)
        }
        guard let wireGuard else { return list.drop("no_wireguard") }
        if isP2P { tags.append("p2p") }
        if row.isVirtual { tags.append("virtual") }
        list.add(
            hostname: row.hostname, address: row.station, key: wireGuard.key ?? "", country: place?.country, city: place?.city,
            load: row.load,
            tags: tags)
    }
}
