import FoundationEssentials
import Model
import OpenAPI
import Platform
import Providers
import TestSupport
import Testing
import WireGuardFiles

@testable import sallyport

/// All that lies beside the repository is read: no file is passed over, and each row that is not kept has a reason. The figures are in
/// docs/providers.md.
@Suite(.enabled(if: Repository.sharedData != nil, "there is no ../shared/data beside the repository"), .timeLimit(.minutes(2)))
struct SharedFilesTests {
    // MARK: - None is passed over

    /// Lists, which SharedDataTests reads.
    private static let lists = [
        "generated/mullvad_www_relays_all", "generated/nordvpn_v1_servers", "generated/nordvpn_v1_servers_fields",
        "generated/nordvpn_v2_servers", "generated/surfshark_v4_clusters_all", "recorded/nordvpn_2020-06-28_4986_servers_from_clixml",
        "recorded/nordvpn_v1_recommendations_2025-02-24", "recorded/nordvpn_v2_servers_limit100_2025-02-24",
        "recorded/surfshark_v3_server_clusters_2022-07-16",
    ]
    /// What belongs to lists, and is read there too.
    private static let besideLists = [
        "generated/oddities", "recorded/nordvpn_v1_servers_countries_2025-02-24", "recorded/nordvpn_v1_servers_countries_2026-08-11",
        "recorded/nordvpn_v1_servers_groups_2025-02-24", "recorded/nordvpn_v1_technologies_2025-02-24",
    ]
    /// Lists of another program, by the provider: rows, those that are kept in its provider's shape, and why the others are not.
    private static let rowsOfOthers: [(provider: String, rows: Int, kept: Int, dropped: [String: Int])] = [
        // Each server is there twice, once with an IPv6 address alone.
        ("airvpn", 510, 255, ["bad_address": 255]),
        ("ivpn", 92, 92, [:]), ("mullvad", 543, 543, [:]), ("nordvpn", 9176, 9176, [:]), ("surfshark", 178, 178, [:]),
        ("protonvpn", 900, 900, [:]), ("windscribe", 342, 339, ["unknown_country": 3]),
    ]
    private static let inputs = [
        "README.md", "env-bom", "env-compose", "ipinfo-429.json", "ivpn-stats-built.json", "requests", "surfshark-cities.json",
        "token-bom.txt", "tools", "wg-mullvad.conf", "wg-surfshark-crlf.conf",
    ]

    private static func path(ofOthers provider: String) -> String { "recorded/gluetun_wireguard_\(provider)_2026-06-08" }

    private func shared(_ path: String) throws -> String { try #require(Repository.sharedData) + "/../\(path)" }

    @Test func `no file is passed over`() throws {
        let found = try ["generated", "recorded"].flatMap { folder in
            try Files.list(shared("data/\(folder)")).map { "\(folder)/\($0.replacing(".json.gz", with: ""))" }
        }
        let known = Self.lists + Self.besideLists + Self.rowsOfOthers.map { Self.path(ofOthers: $0.provider) }
        #expect(Set(found) == Set(known), "\(Set(found).symmetricDifference(known).sorted())")
        #expect(try Set(Files.list(shared("inputs"))) == Set(Self.inputs))
    }

    // MARK: - Lists of another program

    private struct Row: Decodable {
        let country: String?
        let region: String?
        let city: String?
        let isp: String?
        let hostname: String
        let name: String?
        let wgpubkey: String
        let ips: [String]

        enum CodingKeys: String, CodingKey {
            case country, region, city, isp, hostname, wgpubkey, ips
            case name = "server_name"
        }

        var place: String { country ?? region ?? "" }
        var address: String { ips.first { !$0.contains(":") } ?? ips.first ?? "" }
        /// What the provider's own list has beside a name like "US East".
        var code: String {
            let prefix = place.split(separator: " ").first.map(String.init) ?? ""
            return (CountryCode(named: place) ?? CountryCode(named: prefix) ?? CountryCode(prefix))?.rawValue ?? place
        }
    }

    private func rows(of provider: String) async throws -> [Row] {
        struct List: Decodable { let servers: [Row] }
        let folder = try TemporaryFolder()
        let packed = try shared("data/\(Self.path(ofOthers: provider)).json.gz")
        let unpacked = try await Programs.run("sh", ["-c", "gzip -dc \"$1\" >\"$2\"", "sh", packed, "\(folder.path)/list.json"])
        #expect(unpacked.status == 0, "\(unpacked.output)")
        return try JSONDecoder().decode(List.self, from: try Data(contentsOf: URL(filePath: "\(folder.path)/list.json"))).servers
    }

    private static func ofNordVPN(_ row: Row) -> Document {
        let wireGuard: Document = .object([
            "identifier": .string("wireguard_udp"), "pivot": .object(["status": .string("online")]),
            "metadata": .array([.object(["name": .string("public_key"), "value": .string(row.wgpubkey)])]),
        ])
        let place: Document = .object(["code": .string(row.code), "city": .object(["name": .string(row.city ?? "")])])
        return .object([
            "hostname": .string(row.hostname), "station": .string(row.address), "status": .string("online"),
            "technologies": .array([wireGuard]), "groups": .array([]), "locations": .array([.object(["country": place])]),
        ])
    }

    private static func ofWindscribe(_ row: Row) -> Document {
        let node: Document = .object(["hostname": .string(row.hostname), "ip3": .string(row.address)])
        let group: Document = .object([
            "city": .string(row.city ?? ""), "wg_pubkey": .string(row.wgpubkey), "nodes": .array([node]),
        ])
        return .object(["name": .string(row.place), "country_code": .string(row.code), "groups": .array([group])])
    }

    /// The same servers as the provider's own API would list them.
    private static func list(_ rows: [Row], of provider: Provider) -> Document {
        switch provider.name {
        case .nordvpn: .array(rows.map(ofNordVPN))
        case .surfshark:
            .array(
                rows.map { row in
                    .object([
                        "id": .string(row.hostname), "type": .string("generic"), "connectionName": .string(row.hostname),
                        "countryCode": .string(row.code), "location": .string(row.city ?? ""), "pubKey": .string(row.wgpubkey),
                    ])
                })
        case .mullvad:
            .array(
                rows.map { row in
                    .object([
                        "hostname": .string(row.hostname), "type": .string("wireguard"), "active": .bool(true),
                        "ipv4_addr_in": .string(row.address), "country_code": .string(row.code), "city_name": .string(row.city ?? ""),
                        "pubkey": .string(row.wgpubkey),
                    ])
                })
        case .windscribe: .object(["data": .array(rows.map(ofWindscribe))])
        default:
            .object([
                "servers": .array(
                    rows.map { row in
                        .object([
                            "hostnames": .object(["wireguard": .string(row.hostname)]), "is_active": .bool(true),
                            "country": .string(row.place), "country_name": .string(row.place), "city": .string(row.city ?? ""),
                            "location": .string(row.city ?? ""), "isp": .string(row.isp ?? ""), "wg_public_key": .string(row.wgpubkey),
                            "public_name": .string(row.name ?? ""), "ip_v4_in1": .string(row.address),
                        ])
                    })
            ])
        }
    }

    @Test(arguments: rowsOfOthers)
    func `each server of another program's list is one in its provider's shape`(
        provider: String, rows: Int, kept: Int, dropped: [String: Int]
    ) async throws {
        let found = try await self.rows(of: provider)
        #expect(found.count == rows)
        guard let known = Provider.all.first(where: { $0.name.rawValue == provider }) else {
            return try checkFiles(of: found, kept: kept)
        }
        let list = try ListReader.read(Self.list(found, of: known).jsonBytes, of: known)
        #expect(list.servers.count == kept && list.dropped == dropped && list.rows == rows, "\(list.servers.count) \(list.dropped)")
        #expect(list.servers.allSatisfy { $0.city != nil })
        // The list as it is has another shape, and is told as that.
        let whole = Data(try JSONEncoder().encode(["servers": found.map { ["hostname": $0.hostname, "wgpubkey": $0.wgpubkey] }]))
        do {
            let other = try ListReader.read([UInt8](whole), of: known)
            #expect(other.servers.isEmpty && Set(other.dropped.keys).isSubset(of: ["unreadable", "bad_public_key", "no_wireguard"]))
        } catch let error as ProviderError { #expect(error.message == "its server list is empty, or of an unknown shape") }
    }

    /// Of a provider without a list: a file for each server, named and commented as it hands them out.
    private func checkFiles(of rows: [Row], kept: Int) throws {
        let keys = (0..<50).map { _ in WireGuardKeys().privateKey.revealed }
        var (texts, countries): ([String: String], [String: CountryCode]) = ([:], [:])
        for (number, row) in rows.enumerated() {
            let name = "wg-\(number).conf"
            let country = try #require(CountryCode(named: row.place))
            countries[name] = country
            texts[name] = """
                [Interface]
                # Key for sallyport
                # Bouncing = 0
                # NAT-PMP (Port Forwarding) = off
                # VPN Accelerator = on
                PrivateKey = \(keys[number % keys.count])
                Address = 10.2.0.2/32
                DNS = 10.2.0.1

                [Peer]
                # \(try #require(row.name))
                PublicKey = \(row.wgpubkey)
                AllowedIPs = 0.0.0.0/0, ::/0
                Endpoint = \(row.address):51820
                """
        }
        let files = ServerFiles(texts, standard: WireGuardFolder.standard).files
        #expect(files.count(where: \.isUsable) == kept)
        let wrong = files.filter { $0.place?.country != countries[$0.name] }
        #expect(
            wrong.isEmpty,
            "\(wrong.count): \(wrong.prefix(5).map { "\($0.file.comments.last?.text ?? "") \($0.place?.country.rawValue ?? "")" })")
    }

    // MARK: - Inputs

    @Test(arguments: [("wg-mullvad.conf", 1, ["::/0 is here"]), ("wg-surfshark-crlf.conf", 1, [])])
    func `a WireGuard file is used, and what is not of it is told`(name: String, ignored: Int, words: [String]) throws {
        let file = WireGuardFile(try Files.readText(shared("inputs/\(name)")))
        #expect(file.problems.isEmpty && file.tunnel(WireGuardFolder.standard) != nil)
        let told = file.findings.filter { $0.kind == .ignored }.map(\.words)
        #expect(told.count == ignored && words.allSatisfy { word in told.contains { $0.contains(word) } }, "\(told)")
    }

    @Test func `the other inputs are read as they are meant`() throws {
        let token = OperatorText.bare(try Files.readText(shared("inputs/token-bom.txt")))
        #expect(token.utf8.count == 64 && token.allSatisfy { $0.isASCII && !$0.isWhitespace })
        let bom = try DotEnv.variables(in: try Files.readText(shared("inputs/env-bom")))
        #expect(bom == ["SALLYPORT_API_PORT": "9090", "SALLYPORT_LOG_FORMAT": "json"])
        let compose = try DotEnv.variables(in: try Files.readText(shared("inputs/env-compose")))
        #expect(compose.count == 4)
        let counts = try [("ivpn-stats-built", Provider.ivpn), ("surfshark-cities", .surfshark)].map { name, provider in
            let list = try ListReader.read(Array(try Files.read(shared("inputs/\(name).json")).utf8), of: provider)
            return "\(list.servers.count) of \(list.rows), \(list.dropped)"
        }
        #expect(counts == ["88 of 88, [:]", "5 of 5, [:]"])
    }
}
