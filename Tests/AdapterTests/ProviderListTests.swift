import Model
import Platform
import Providers
import Testing

/// The lists of every provider, by small documents in their shapes.
@Suite struct ProviderListTests {
    private static let key = "9TYCXhc1dpXaJ8OgwsqNEVTuEUZmUfDhCSDrxuUBGUY="
    private static let other = "yWPoYOUuQAnPjJxHYYQ4EUAbsSHWDbp0QKX0J5eKPWE="

    private func read(_ text: String, _ provider: Provider, including included: Set<SpecialServers> = []) throws -> ServerList {
        try ListReader.read(Array(text.utf8), of: provider, options: ListOptions(included: included))
    }

    // MARK: - NordVPN, version 1

    private func nordvpn(
        technologies: String? = nil, groups: String = #"[{"id":11,"identifier":"legacy_standard"},{"id":15,"identifier":"legacy_p2p"}]"#,
        country: String = #"{"id":228,"name":"United States","code":"US","city":{"id":1,"name":"Dallas"}}"#
    ) -> String {
        let technologies =
            technologies
            ?? #"[{"id":21,"identifier":"proxy_ssl","metadata":[{"name":"proxy_hostname","value":"us1.nordvpn.com"}],"pivot":{"status":"online"}},"#
            + #"{"id":35,"identifier":"wireguard_udp","metadata":[{"name":"port","value":"1"},{"name":"public_key","value":"\#(Self.key)"}],"pivot":{"status":"online"}}]"#
        return
            #"[{"id":1,"name":"United States #1","station":"198.18.0.1","ipv6_station":"","hostname":"us1.nordvpn.com","load":7,"status":"online","#
            + #""locations":[{"id":5,"latitude":21,"longitude":1.5,"country":\#(country)}],"technologies":\#(technologies),"groups":\#(groups),"#
            + #""specifications":[{"id":8,"identifier":"version","values":[{"id":257,"value":"2.1.0"}]},{"identifier":"virtual_location","values":[]}]}]"#
    }

    @Test func `version 1 of NordVPN's list gives the same servers as version 2`() throws {
        let list = try read(nordvpn(), .nordvpn)
        #expect(
            list.servers == [
                Server(
                    provider: .nordvpn, hostname: "us1.nordvpn.com", address: "198.18.0.1", port: 51820, publicKey: Self.key,
                    country: try #require(CountryCode("US")), city: "Dallas", load: 7, tags: ["p2p", "virtual"])
            ])
    }

    @Test func `a technology is known by its name, and by its number only where names are left out`() throws {
        let nameless =
            #"[{"id":21,"metadata":[{"name":"public_key","value":"\#(Self.other)"}],"pivot":{"status":"online"}},"#
            + #"{"id":35,"metadata":[{"name":"public_key","value":"\#(Self.key)"}],"pivot":{"status":"online"}}]"#
        #expect(try read(nordvpn(technologies: nameless), .nordvpn).servers.first?.publicKey == Self.key)
        // Another technology may take over the number, but not the name.
        let renumbered =
            #"[{"id":35,"identifier":"openvpn_udp","metadata":[],"pivot":{"status":"online"}},"#
            + #"{"id":99,"identifier":"wireguard_udp","metadata":[{"name":"public_key","value":"\#(Self.key)"}],"pivot":{"status":"online"}}]"#
        #expect(try read(nordvpn(technologies: renumbered), .nordvpn).servers.first?.publicKey == Self.key)
        let nameless9 = #"[{"id":9,"title":"Dedicated IP"}]"#
        #expect(try read(nordvpn(groups: nameless9), .nordvpn).dropped == ["dedicated_ip": 1])
    }

    @Test func `special servers are there when they are asked for, and marked`() throws {
        let dedicated = nordvpn(groups: #"[{"id":9,"identifier":"legacy_dedicated_ip"}]"#)
        #expect(try read(dedicated, .nordvpn).dropped == ["dedicated_ip": 1])
        #expect(try read(dedicated, .nordvpn, including: [.dedicatedIP]).servers.first?.tags == ["dedicated_ip", "virtual"])
        let away =
            #"[{"id":35,"identifier":"wireguard_udp","metadata":[{"name":"public_key","value":"\#(Self.key)"}],"pivot":{"status":"maintenance"}}]"#
        #expect(try read(nordvpn(technologies: away), .nordvpn).dropped == ["wireguard_offline": 1])
        #expect(try read(nordvpn(technologies: away), .nordvpn, including: [.offline]).servers.first?.tags.first == "offline")
    }

    // MARK: - Surfshark

    private func cluster(_ type: String, id: String = "a", transit: String = "null", code: String = "FR", key: String = Self.key) -> String
    {
        #"{"country":"France","countryCode":"\#(code)","region":"Europe","load":3,"id":"\#(id)","coordinates":{"longitude":2.3,"latitude":48.8},"#
            + #""info":[{"id":"x","entry":{"value":"U2FsdGVkX1"}}],"type":"\#(type)","location":"Paris","connectionName":"fr-par.prod.surfshark.com","#
            + #""pubKey":"\#(key)","tags":["p2p"],"transitCluster":\#(transit)}"#
    }

    private static let transit =
        #"{"id":"t","type":"transit","location":"London","connectionName":"uk-fr.prod.surfshark.com","pubKey":"\#(other)","tags":[],"transitCluster":null}"#

    @Test func `a cluster is dialled by its name, and a pair by its first server's, with that one's key`() throws {
        let text = "[\(cluster("generic")),\(cluster("double", id: "b", transit: Self.transit))]"
        let plain = try read(text, .surfshark)
        #expect(plain.dropped == ["double": 1] && plain.servers.map(\.address) == ["fr-par.prod.surfshark.com"])
        #expect(plain.servers[0].needsResolving && plain.servers[0].tags == ["p2p"] && plain.servers[0].city == "Paris")
        let both = try read(text, .surfshark, including: [.double])
        #expect(both.servers.map(\.hostname) == ["fr-par.prod.surfshark.com", "uk-fr.prod.surfshark.com"])
        #expect(
            both.servers[1].publicKey == Self.other && both.servers[1].country.rawValue == "FR" && both.servers[1].tags.contains("double"))
    }

    @Test func `clusters are told apart by their ids, not by their names`() throws {
        let twice = try read("[\(cluster("generic")),\(cluster("generic"))]", .surfshark)
        #expect(twice.servers.count == 1 && twice.dropped == ["duplicate": 1])
        #expect(try read("[\(cluster("generic")),\(cluster("static", id: "s"))]", .surfshark, including: [.fixed]).servers.count == 2)
        let others = "[\(cluster("wireguard")),\(cluster("generic", id: "n").replacing("\"load\":3", with: "\"load\":null"))]"
        #expect(try read(others, .surfshark).servers.map(\.load) == [3, nil])
        let odd = try read(
            "[\(cluster("strange")),\(cluster("double", transit: "null")),\(cluster("generic", id: "k", key: "")),\(cluster("generic", id: "c", code: "XX")),7]",
            .surfshark, including: [.double])
        #expect(odd.dropped == ["unknown_type": 1, "no_transit": 1, "bad_public_key": 1, "unknown_country": 1, "unreadable": 1])
    }

    // MARK: - The others

    @Test func `Mullvad's relays are read, bridges and inactive ones left out`() throws {
        func relay(_ name: String, _ type: String = "wireguard", active: Bool = true, key: String? = Self.key) -> String {
            #"{"hostname":"\#(name)","country_code":"al","country_name":"Albania","city_name":"Tirana","fqdn":"\#(name).relays.mullvad.net","active":\#(active),"#
                + #""owned":true,"provider":"iRegister","ipv4_addr_in":"198.18.0.5","type":"\#(type)"\#(key.map { #","pubkey":"\#($0)""# } ?? "")}"#
        }
        let list = try read(
            "[\(relay("al-1")),\(relay("al-2", "bridge", key: nil)),\(relay("al-3", active: false)),\(relay("al-4", key: nil))]", .mullvad)
        #expect(list.dropped == ["no_wireguard": 1, "offline": 1, "bad_public_key": 1])
        let server = try #require(list.servers.first)
        #expect(
            server.hostname == "al-1.relays.mullvad.net" && server.load == nil && server.network == "iRegister" && server.tags == ["owned"])
    }

    @Test func `IVPN's servers are dialled by name, their countries known by code or name`() throws {
        func server(_ name: String, _ country: String, active: Bool = true) -> String {
            #"{"hostnames":{"openvpn":"\#(name).gw.ivpn.net","wireguard":"\#(name).wg.ivpn.net"},"is_active":\#(active),"country":"\#(country)","city":"X","isp":"M247","wg_public_key":"\#(Self.key)"}"#
        }
        let list = try read(
            #"{"servers":[\#(server("a", "Argentina")),\#(server("b", "AU")),\#(server("c", "AU", active: false)),\#(server("d", "Atlantis"))]}"#,
            .ivpn)
        #expect(list.servers.map(\.country.rawValue) == ["AR", "AU"] && list.servers.allSatisfy { $0.needsResolving && $0.port == 58237 })
        #expect(list.dropped == ["offline": 1, "unknown_country": 1])
    }

    @Test func `AirVPN's servers have one key, and the first of their addresses`() throws {
        func server(_ name: String, country: String = "ca", address: String = "198.18.0.7", health: String = "ok") -> String {
            #"{"public_name":"\#(name)","country_name":"Canada","country_code":"\#(country)","location":"Toronto, Ontario","continent":"America","#
                + #""bw":310,"bw_max":20000,"users":41,"currentload":1.6,"ip_v4_in1":"\#(address)","ip_v4_in2":"198.18.0.8","#
                + #""ip_v6_in1":"2001:db8::1","health":"\#(health)"}"#
        }
        let rows = [
            server("Alhena"), server("Angetenar", health: "error"), server("Nowhere", country: "zz"), server("Bad", address: "somewhere"),
            #"{"public_name":"Half"}"#,
        ]
        let text =
            #"{"routing":[],"servers":[\#(rows.joined(separator: ","))],"countries":[{"country_code":"ca","servers":1}],"result":"ok"}"#
        let list = try read(text, .airvpn)
        let one = try #require(list.servers.first)
        #expect(list.servers.count == 1 && one.hostname == "alhena.airservers.org" && one.address == "198.18.0.7" && one.port == 1637)
        #expect(one.city == "Toronto" && one.load == 2 && one.country.rawValue == "CA")
        #expect(list.dropped == ["offline": 1, "unknown_country": 1, "bad_address": 1, "unreadable": 1])
    }

    @Test func `Windscribe's machines have the address for WireGuard and the key of their group`() throws {
        let text =
            #"{"info":{"revision":1},"data":[{"id":1,"name":"US East","country_code":"US","groups":[{"city":"Boston","wg_pubkey":"\#(Self.key)","nodes":["#
            + #"{"hostname":"us-1.whiskergalaxy.com","ip":"198.18.0.1","ip2":"198.18.0.2","ip3":"198.18.0.3"},{"hostname":"us-2.whiskergalaxy.com","ip3":null}]},{"city":"Empty"}]},"#
            + #"{"name":"Albania","groups":[{"city":"Tirana","wg_pubkey":"","nodes":[{"hostname":"al-1.whiskergalaxy.com","ip3":"198.18.0.4"}]}]}]}"#
        let list = try read(text, .windscribe)
        #expect(list.servers.map(\.address) == ["198.18.0.3"] && list.servers.first?.city == "Boston" && list.servers.first?.port == 1194)
        #expect(list.dropped == ["unreadable": 2, "bad_public_key": 1])
    }

    // MARK: - Any of them

    @Test(
        arguments: Provider.all.map(\.name.rawValue),
        [
            "", "null", "7", "\"x\"", "<html>", "[", "]", "{", "}", "[}", "{]", "{\"a\"", "{\"a\":", "{\"a\":}", "[]", "{}", "[1",
            "[{\"a\":1}",
        ])
    func `what is no list is told as that`(name: String, text: String) throws {
        let provider = try #require(Provider.all.first { $0.name.rawValue == name })
        let error = try #require(throws: ProviderError.self) { try read(text, provider) }
        #expect(error.code == .badAnswer)
    }

    @Test func `a list that comes byte by byte is read as one that comes at once`() throws {
        let bytes = Array(nordvpn().utf8)
        let reader = ListReader(.nordvpn)
        for byte in bytes { #expect(withUnsafeBytes(of: byte) { reader.feed($0) }) }
        #expect(try reader.finish().servers == read(nordvpn(), .nordvpn).servers)
    }

    @Test func `a row that never ends is refused, without being kept`() {
        let reader = ListReader(.mullvad)
        var isWanted = Array("[{\"hostname\":\"".utf8).withUnsafeBytes { reader.feed($0) }
        let piece = [UInt8](repeating: 0x61, count: 1 << 16)
        var pieces = 0
        while isWanted, pieces < 1000 {
            isWanted = piece.withUnsafeBytes { reader.feed($0) }
            pieces += 1
        }
        #expect(!isWanted && pieces <= 17)
        #expect(throws: ProviderError.self) { try reader.finish() }
    }
}
