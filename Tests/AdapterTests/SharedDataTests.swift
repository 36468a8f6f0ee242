import FoundationEssentials
import Model
import Platform
import Providers
import TestSupport
import Testing

/// Real and full-size lists, where they lie beside the repository.
@Suite(.enabled(if: Repository.sharedData != nil, "there is no ../shared/data beside the repository"), .timeLimit(.minutes(2)))
struct SharedDataTests {
    private func unpack(_ path: String) async throws -> [UInt8] {
        let data = try #require(Repository.sharedData)
        let folder = try TemporaryFolder()
        // Programs.run keeps a megabyte of output, and a list has 32.
        let unpacked = try await Programs.run(
            "sh", ["-c", "gzip -dc \"$1\" >\"$2\"", "sh", "\(data)/\(path).json.gz", "\(folder.path)/list.json"])
        #expect(unpacked.status == 0, "\(unpacked.output)")
        return [UInt8](try Data(contentsOf: URL(filePath: "\(folder.path)/list.json")))
    }

    private func check(_ list: ServerList, kept: Int, dropped: [String: Int]) {
        #expect(list.servers.count == kept)
        #expect(list.dropped == dropped)
        #expect(list.rows == kept + dropped.values.reduce(0, +))
        for server in list.servers {
            #expect(Base64.isWireGuardKey(server.publicKey) && (0...100).contains(server.load ?? 0))
            #expect(Server.isIPv4(server.address) || server.address == server.hostname)
        }
    }

    @Test(
        arguments: [
            (
                "generated/nordvpn_v1_servers", .nordvpn, 7372,
                [
                    "bad_public_key": 22, "dedicated_ip": 1459, "double": 144, "duplicate": 3, "no_wireguard": 215, "offline": 70,
                    "onion": 5,
                    "unknown_country": 3, "wireguard_offline": 106,
                ]
            ),
            (
                "generated/nordvpn_v1_servers_fields", .nordvpn, 7372,
                [
                    "bad_public_key": 22, "dedicated_ip": 1444, "double": 144, "duplicate": 3, "no_wireguard": 215, "onion": 5,
                    "unknown_country": 3, "wireguard_offline": 106,
                ]
            ),
            (
                "generated/nordvpn_v2_servers", .nordvpn, 7372,
                [
                    "bad_public_key": 22, "dedicated_ip": 1459, "double": 144, "duplicate": 3, "no_wireguard": 215, "offline": 70,
                    "onion": 5,
                    "unknown_country": 3, "wireguard_offline": 106,
                ]
            ),
            ("generated/surfshark_v4_clusters_all", .surfshark, 139, ["bad_public_key": 3, "double": 12, "static": 36]),
            ("generated/mullvad_www_relays_all", .mullvad, 524, ["offline": 19]),
            ("recorded/nordvpn_v2_servers_limit100_2025-02-24", .nordvpn, 73, ["dedicated_ip": 27]),
            ("recorded/nordvpn_v1_recommendations_2025-02-24", .nordvpn, 20, [:]),
            // Without keys, and places outside of `locations`: another shape.
            ("recorded/nordvpn_2020-06-28_4986_servers_from_clixml", .nordvpn, 0, ["no_wireguard": 4986]),
            // Version 3 has no keys.
            ("recorded/surfshark_v3_server_clusters_2022-07-16", .surfshark, 0, ["bad_public_key": 137, "double": 12]),
        ] as [(String, Provider, Int, [String: Int])])
    func `every list is read, and each row that is left out has a reason`(
        path: String, provider: Provider, kept: Int, dropped: [String: Int]
    ) async throws {
        let list = try ListReader.read(try await unpack(path), of: provider)
        check(list, kept: kept, dropped: dropped)
    }

    @Test func `loads with decimals cost no server of IVPN's its load`() throws {
        let path = try #require(Repository.sharedData) + "/../inputs/ivpn-stats-built.json"
        let list = try ListReader.read(Array(try Files.read(path).utf8), of: .ivpn)
        #expect(list.servers.count == 88 && list.servers.allSatisfy { $0.load != nil })
    }

    @Test func `every city of Surfshark's can be asked for by letters and digits`() throws {
        let path = try #require(Repository.sharedData) + "/../inputs/surfshark-cities.json"
        let list = try ListReader.read(Array(try Files.read(path).utf8), of: .surfshark)
        #expect(list.servers.contains { $0.city == "Asunción" })
        for city in list.servers.compactMap(\.city) {
            let folded = CityName.folded(city)
            #expect(!folded.isEmpty && folded.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) }, "\(city)")
        }
    }

    @Test func `both versions of NordVPN's list give the same servers`() async throws {
        let first = try ListReader.read(try await unpack("generated/nordvpn_v1_servers"), of: .nordvpn).servers
        let second = try ListReader.read(try await unpack("generated/nordvpn_v2_servers"), of: .nordvpn).servers
        #expect(Set(first) == Set(second))
    }

    @Test(arguments: ["ivpn", "windscribe", "mullvad", "protonvpn", "airvpn", "nordvpn", "surfshark"])
    func `the countries of every recorded server are known by their names`(provider: String) async throws {
        struct List: Decodable {
            struct Row: Decodable {
                let country: String?
                let region: String?
                let hostname: String?
                let wgpubkey: String?
            }
            let servers: [Row]
        }
        let list = try JSONDecoder().decode(List.self, from: Data(try await unpack("recorded/gluetun_wireguard_\(provider)_2026-06-08")))
        #expect(!list.servers.isEmpty)
        let unknown = Set(list.servers.compactMap { $0.country ?? $0.region }.filter { CountryCode(named: $0) == nil })
        #expect(list.servers.allSatisfy { Base64.isWireGuardKey($0.wgpubkey ?? "") })
        // Regions of Windscribe's, whose own list has a country's code beside each.
        #expect(
            unknown.subtracting(["Canada East", "Canada West", "Fake Greenland", "US Central", "US East", "US West"]).isEmpty, "\(unknown)")
    }

    @Test(arguments: ["2025-02-24", "2026-08-11"]) func `every country that NordVPN has named is one`(date: String) async throws {
        struct Country: Decodable { let code: String }
        let countries = try JSONDecoder().decode(
            [Country].self, from: Data(try await unpack("recorded/nordvpn_v1_servers_countries_\(date)")))
        #expect(countries.count > 100 && countries.allSatisfy { CountryCode($0.code) != nil })
    }

    @Test func `every oddity of the generated lists is there, and NordVPN still has the groups and technologies that we go by`()
        async throws
    {
        struct Oddity: Decodable {
            let count: Int
            let hostnames: [String]
        }
        struct Oddities: Decodable { let nordvpn: [String: Oddity] }
        struct Named: Decodable { let identifier: String }
        var text = String(decoding: try await unpack("generated/oddities"), as: UTF8.self)
        // One of them names no rows, but says which.
        text.replace("\"all rows with groups[].identifier legacy_dedicated_ip\"", with: "[]")
        let oddities = try JSONDecoder().decode(Oddities.self, from: Data(text.utf8)).nordvpn
        let kept = Set(try ListReader.read(try await unpack("generated/nordvpn_v1_servers"), of: .nordvpn).servers.map(\.hostname))
        for name in [
            "no_wireguard_technology", "server_status_offline", "server_status_maintenance", "wireguard_pivot_maintenance",
            "wireguard_pivot_offline", "public_key_metadata_empty", "public_key_missing_other_metadata", "public_key_empty_string",
            "public_key_31_bytes", "public_key_bad_base64", "locations_empty",
        ] {
            let oddity = try #require(oddities[name])
            #expect(oddity.count == oddity.hostnames.count && kept.isDisjoint(with: oddity.hostnames), "\(name)")
        }
        let groups = try JSONDecoder().decode([Named].self, from: Data(try await unpack("recorded/nordvpn_v1_servers_groups_2025-02-24")))
        #expect(Set(groups.map(\.identifier)).isSuperset(of: ["legacy_double_vpn", "legacy_onion_over_vpn", "legacy_dedicated_ip"]))
        let technologies = try JSONDecoder().decode(
            [Named].self, from: Data(try await unpack("recorded/nordvpn_v1_technologies_2025-02-24")))
        #expect(technologies.contains { $0.identifier == "wireguard_udp" })
    }
}
