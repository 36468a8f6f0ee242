import Model
import Platform

/// A server list in the shapes of NordVPN's API: the lab's servers, and as many rows beside them, of servers that don't exist, as one likes;
/// with 9,394 it is as long as the real one.
/// The same layout and keys give the same list.
struct LabCatalog: Sendable {
    struct Row: Sendable {
        let id: Int
        let hostname: String
        let address: String
        let country: CountryCode
        let city: String
        let load: Int
        var status = "online"
        var wireGuard: String? = "online"
        var key: String
        var group = 11
        var isP2P = false
    }

    let rows: [Row]
    /// "US/New York" to a location's id.
    private let locations: [String: Int]

    /// - Parameter size: rows beside the lab's own.
    init(_ layout: LabLayout, _ keys: LabKeys, size: Int = 9_394) {
        var generator = Seeded(state: 20_261_121)
        let invented = (0..<size).map { Self.invented($0, layout, keys, &generator) }
        rows = invented + layout.servers.enumerated().map { Self.own($0, $1, keys) }
        var locations: [String: Int] = [:]
        for row in rows where locations["\(row.country)/\(row.city)"] == nil {
            locations["\(row.country)/\(row.city)"] = 1 + locations.count
        }
        self.locations = locations
    }

    /// The countries of invented rows: those with many servers first.
    private static let countries = [
        "us", "gb", "ca", "de", "fr", "nl", "au", "jp", "se", "ch", "it", "es", "pl", "be", "at", "dk", "no", "fi", "cz", "ie", "pt",
        "ro", "br", "mx", "ar", "cl", "za", "sg", "hk", "in", "kr", "tw", "nz", "tr", "ua", "gr", "hu", "bg", "hr", "ee", "lv", "lt",
        "is", "lu", "rs", "sk", "si", "il", "ae", "th", "vn", "id", "my", "ph", "eg", "ke", "ng", "ma", "co", "pe",
    ].compactMap { CountryCode($0) }

    /// A server that answers nobody, so that the list is as long as a real one.
    private static func invented(_ index: Int, _ layout: LabLayout, _ keys: LabKeys, _ generator: inout Seeded) -> Row {
        // Many in the first countries, few in the last, as it is with the real ones.
        let rank = min(countries.count - 1, Int(Double(countries.count) * pow3(Double.random(in: 0..<1, using: &generator))))
        let country = countries[rank]
        let town = Int.random(in: 1...(rank < 4 ? 12 : 2), using: &generator)
        let city = layout.servers.filter { $0.country == country }.map(\.city).dropFirst(town - 1).first ?? "\(country.name) City \(town)"
        var row = Row(
            id: 900_000 + index, hostname: "\(country.lowercased)\(index + 1).lab.test", address: layout.nowhere(index),
            country: country, city: city, load: Int.random(in: 20...90, using: &generator),
            key: keys.cities[city]?.publicKey ?? key(of: city))
        spoil(&row, index, Int.random(in: 0..<100, using: &generator))
        return row
    }

    /// Makes some rows into such as a catalog must drop.
    /// - Parameter chance: 0 to 99.
    private static func spoil(_ row: inout Row, _ index: Int, _ chance: Int) {
        switch chance {
        case 0..<2: row.status = "offline"
        case 2..<4: row.wireGuard = "maintenance"
        case 4..<6: row.wireGuard = nil
        case 6..<20:
            // Dedicated addresses: the lowest loads of all, and never an answer.
            row = Row(
                id: row.id, hostname: row.hostname, address: row.address, country: row.country, city: row.city, load: index % 4,
                key: row.key, group: 9)
        case 20: row.key = "not a key"
        default: break
        }
    }

    private static func own(_ index: Int, _ server: LabServer, _ keys: LabKeys) -> Row {
        Row(
            id: 990_000 + index, hostname: server.hostname, address: server.address, country: server.country, city: server.city,
            load: server.load, key: keys.cities[server.city]?.publicKey ?? "", isP2P: server.isP2P)
    }

    /// `/v2/servers`: rows that point into tables.
    func version2(limit: Int) -> String {
        let servers = chosen(limit).map { row -> String in
            let location = locations["\(row.country)/\(row.city)"] ?? 0
            let wireGuard =
                row.wireGuard.map {
                    #",{"id":35,"metadata":[{"name":"public_key","value":"\#(row.key)"}],"status":"\#($0)"}"#
                } ?? ""
            return
                #"{"id":\#(row.id),"created_at":"2026-01-01 00:00:00","updated_at":"2026-11-21 00:00:00","name":"\#(row.country.name) #\#(row.id)","#
                + #""station":"\#(row.address)","ipv6_station":"","hostname":"\#(row.hostname)","status":"\#(row.status)","load":\#(row.load),"ips":[],"#
                + #""specifications":[{"id":8,"title":"Version","identifier":"version","values":[{"id":257,"value":"2.1.0"}]}],"#
                + #""technologies":[{"id":5,"status":"online"}\#(wireGuard)],"group_ids":[\#(row.group),\#(row.isP2P ? "15," : "")21],"service_ids":[1],"location_ids":[\#(location)]}"#
        }
        let groups =
            #"[{"id":9,"identifier":"legacy_dedicated_ip","title":"Dedicated IP"},{"id":11,"identifier":"legacy_standard","title":"Standard VPN servers"},{"id":15,"identifier":"legacy_p2p","title":"P2P"},{"id":21,"identifier":"the_americas","title":"The Americas"}]"#
        let technologies = #"[{"id":5,"identifier":"openvpn_tcp","metadata":null},{"id":35,"identifier":"wireguard_udp","metadata":null}]"#
        let places = locations.sorted { $0.value < $1.value }.map { entry -> String in
            let parts = entry.key.split(separator: "/", maxSplits: 1)
            return
                #"{"id":\#(entry.value),"latitude":1.5,"longitude":21,"country":{"id":1,"name":"\#(CountryCode(String(parts[0]))?.name ?? "")","#
                + #""code":"\#(parts[0])","city":{"id":\#(entry.value),"name":"\#(parts[1])","latitude":1.5,"longitude":21,"dns_name":"city","hub_score":0}}}"#
        }
        return
            #"{"servers":[\#(servers.joined(separator: ","))],"groups":\#(groups),"services":[{"id":1,"identifier":"vpn","name":"VPN"}],"#
            + #""locations":[\#(places.joined(separator: ","))],"technologies":\#(technologies)}"#
    }

    /// `/v1/servers`: rows that hold everything.
    func version1(limit: Int) -> String {
        let dates = #""created_at":"2026-01-01 00:00:00","updated_at":"2026-11-21 00:00:00""#
        let servers = chosen(limit).map { row -> String in
            let location = locations["\(row.country)/\(row.city)"] ?? 0
            let technology = { (id: Int, name: String, identifier: String, metadata: String, status: String) in
                #"{"id":\#(id),"name":"\#(name)","identifier":"\#(identifier)",\#(dates),"metadata":[\#(metadata)],"pivot":{"technology_id":\#(id),"server_id":\#(row.id),"status":"\#(status)"}}"#
            }
            var technologies = [
                technology(3, "OpenVPN UDP", "openvpn_udp", "", "online"), technology(5, "OpenVPN TCP", "openvpn_tcp", "", "online"),
                technology(21, "HTTP Proxy (SSL)", "proxy_ssl", #"{"name":"proxy_hostname","value":"\#(row.hostname)"}"#, "online"),
            ]
            if let status = row.wireGuard {
                technologies.append(technology(35, "Wireguard", "wireguard_udp", #"{"name":"public_key","value":"\#(row.key)"}"#, status))
            }
            let group = { (id: Int, identifier: String) in
                #"{"id":\#(id),\#(dates),"title":"\#(identifier)","identifier":"\#(identifier)","type":{"id":3,\#(dates),"title":"Legacy category","identifier":"legacy_group_category"}}"#
            }
            let groups =
                [group(row.group, row.group == 9 ? "legacy_dedicated_ip" : "legacy_standard")]
                + (row.isP2P ? [group(15, "legacy_p2p")] : [])
            return
                #"{"id":\#(row.id),\#(dates),"name":"\#(row.country.name) #\#(row.id)","station":"\#(row.address)","ipv6_station":"","hostname":"\#(row.hostname)","#
                + #""load":\#(row.load),"status":"\#(row.status)","locations":[{"id":\#(location),\#(dates),"latitude":1.5,"longitude":21,"#
                + #""country":{"id":1,"name":"\#(row.country.name)","code":"\#(row.country)","city":{"id":\#(location),"name":"\#(row.city)","latitude":1.5,"longitude":21,"dns_name":"city","hub_score":0}}}],"#
                + #""services":[{"id":1,"name":"VPN","identifier":"vpn",\#(dates)},{"id":5,"name":"Proxy","identifier":"proxy",\#(dates)}],"technologies":[\#(technologies.joined(separator: ","))],"#
                + #""groups":[\#(groups.joined(separator: ","))],"#
                + #""specifications":[{"id":8,"title":"Version","identifier":"version","values":[{"id":257,"value":"2.1.0"}]}],"#
                + #""ips":[{"id":\#(row.id),\#(dates),"server_id":\#(row.id),"ip_id":\#(row.id),"type":"entry","ip":{"id":\#(row.id),"ip":"\#(row.address)","version":4}}]}"#
        }
        return "[\(servers.joined(separator: ","))]"
    }

    /// Surfshark's `/v4/server/clusters/all`: one cluster for each city.
    func clusters() -> String {
        var seen: Set<String> = []
        let clusters = rows.reversed().filter { $0.group == 11 && seen.insert("\($0.country)/\($0.city)").inserted }.map { row -> String in
            let name = "\(row.country.lowercased)-\(row.id).lab.test"
            return
                #"{"country":"\#(row.country.name)","countryCode":"\#(row.country)","region":"","regionCode":"EU","load":\#(row.load),"#
                + #""createdAt":"2026-01-01T00:00:00+00:00","updatedAt":"2026-11-21T00:00:00+00:00","id":"\#(row.id)","#
                + #""coordinates":{"longitude":1.5,"latitude":21},"info":[{"id":"i","entry":{"value":"U2FsdGVkX18="}}],"type":"generic","#
                + #""location":"\#(row.city)","connectionName":"\#(name)","pubKey":"\#(row.key)","tags":["physical"],"transitCluster":null,"flagUrl":""}"#
        }
        return "[\(clusters.joined(separator: ","))]"
    }

    /// `/v1/servers/countries`
    func countries() -> String {
        let counts = rows.reduce(into: [CountryCode: Int]()) { $0[$1.country, default: 0] += 1 }
        let entries = counts.sorted { $0.key < $1.key }.enumerated().map { index, entry in
            #"{"id":\#(index + 1),"name":"\#(entry.key.name)","code":"\#(entry.key)","serverCount":\#(entry.value),"cities":[]}"#
        }
        return "[\(entries.joined(separator: ","))]"
    }

    private func chosen(_ limit: Int) -> ArraySlice<Row> { limit == 0 ? rows[...] : rows.prefix(limit) }

    /// A key that looks right and belongs to nobody.
    private static func key(of city: String) -> String {
        let digest = Digest.sha256("lab/\(city)")
        let bytes = stride(from: 0, to: 64, by: 2).compactMap { index in
            UInt8(digest.dropFirst(index).prefix(2), radix: 16)
        }
        return Base64.encode(bytes)
    }
}

private func pow3(_ number: Double) -> Double { number * number * number }

/// A linear congruential generator (Knuth, MMIX): all that a list that must only look plausible needs.
private struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ (state >> 29)
    }
}
