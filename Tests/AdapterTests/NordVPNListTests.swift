import Model
import Providers
import Testing

/// A `/v2/servers` answer with one good row, and one more that a test has changed.
private struct List {
    static let key = "9TYCXhc1dpXaJ8OgwsqNEVTuEUZmUfDhCSDrxuUBGUY="

    var row = [
        "id": "2", "hostname": #""us2.nordvpn.com""#, "station": #""198.18.0.2""#, "status": #""online""#, "load": "40",
        "technologies": technologies(), "group_ids": "[11]", "location_ids": "[5]",
    ]

    static func technologies(status: String = "online", key: String = List.key, id: Int = 35, name: String = "public_key") -> String {
        #"[{"id":3,"status":"online"},{"id":\#(id),"metadata":[{"name":"port","value":"51820"},{"name":"\#(name)","value":"\#(key)"}],"status":"\#(status)"}]"#
    }

    var text: String {
        let good = List.row(
            [
                "id": "1", "hostname": #""us1.nordvpn.com""#, "station": #""198.18.0.1""#, "status": #""online""#, "load": "7",
                "technologies": Self.technologies(), "group_ids": "[11]", "location_ids": "[5]",
            ])
        return """
            {"servers":[\(good),\(Self.row(row))],
             "groups":[{"id":11,"identifier":"legacy_standard"},{"id":9,"identifier":"legacy_dedicated_ip"},{"id":1,"identifier":"legacy_double_vpn"},
                       {"id":3,"identifier":"legacy_onion_over_vpn"},{"id":"odd"}],
             "services":[],
             "technologies":[{"id":35,"identifier":"wireguard_udp","metadata":null,"pivot":{"status":""}},{"id":3,"identifier":"openvpn_udp"},null],
             "locations":[{"id":5,"latitude":1,"longitude":2.5,"country":{"id":228,"name":"United States","code":"US","city":{"id":1,"name":"Dallas"}}},
                          {"id":6,"country":{"name":"Atlantis","code":"XX"}},{"id":7,"country":{"name":"Germany","code":"DE"}},7]}
            """
    }

    static func row(_ fields: [String: String]) -> String { "{" + fields.map { "\"\($0)\":\($1)" }.joined(separator: ",") + "}" }

    func changed(_ field: String, _ value: String?) -> List {
        var list = self
        list.row[field] = value
        return list
    }
}

@Suite struct NordVPNListTests {
    private func decode(_ text: String) throws -> ServerList { try ListReader.read(Array(text.utf8), of: .nordvpn) }

    @Test func `a row becomes a server`() throws {
        let list = try decode(List().text)
        let (servers, dropped) = (list.servers, list.dropped)
        #expect(dropped.isEmpty && servers.map(\.hostname) == ["us1.nordvpn.com", "us2.nordvpn.com"])
        #expect(
            servers[1]
                == Server(
                    provider: .nordvpn, hostname: "us2.nordvpn.com", address: "198.18.0.2", port: 51820, publicKey: List.key,
                    country: try #require(CountryCode("US")), city: "Dallas", load: 40))
    }

    @Test(
        arguments: [
            ("status", #""offline""#, "offline"), ("status", #""maintenance""#, "offline"), ("status", nil, "unreadable"),
            ("technologies", List.technologies(id: 36), "no_wireguard"), ("technologies", "[]", "no_wireguard"),
            ("technologies", "null", "unreadable"), ("technologies", List.technologies(status: "maintenance"), "wireguard_offline"),
            ("technologies", List.technologies(status: ""), "wireguard_offline"),
            ("technologies", List.technologies(key: "short"), "bad_public_key"),
            ("technologies", List.technologies(key: ""), "bad_public_key"),
            ("technologies", List.technologies(name: "proxy_hostname"), "bad_public_key"),
            ("technologies", #"[{"id":35,"status":"online"}]"#, "bad_public_key"),
            ("technologies", #"[{"id":35,"metadata":[{"name":"public_key","value":null}],"status":"online"}]"#, "bad_public_key"),
            ("group_ids", "[11,9]", "dedicated_ip"), ("group_ids", "[1]", "double"), ("group_ids", "[3]", "onion"),
            ("group_ids", #""9""#, "unreadable"), ("station", #""""#, "bad_address"), ("station", #""198.18.0.256""#, "bad_address"),
            ("station", #""198.18.0.02""#, "bad_address"), ("station", #""2001:db8::1""#, "bad_address"),
            ("station", #""1.2.3.4 } drop""#, "bad_address"),
            ("station", "null", "unreadable"), ("hostname", #""""#, "bad_address"), ("hostname", #""a\nb""#, "bad_address"),
            ("hostname", #""UPPER.test""#, "bad_address"), ("hostname", #""us1.nordvpn.com""#, "duplicate"),
            ("location_ids", "[]", "unknown_country"), ("location_ids", "[6]", "unknown_country"),
            ("location_ids", "[99]", "unknown_country"),
        ] as [(String, String?, String)])
    func `a row that can't be used costs that row, and is counted with its reason`(field: String, value: String?, reason: String) throws {
        let list = try decode(List().changed(field, value).text)
        let (servers, dropped) = (list.servers, list.dropped)
        #expect(servers.map(\.hostname) == ["us1.nordvpn.com"])
        #expect(dropped == [reason: 1])
    }

    @Test(arguments: ["null", nil, #""7""#, #""busy""#, "true", "[7]", #"{"percent":7}"#, "-1", "-0.5"])
    func `a server whose load can't be read has none, and is in the list all the same`(load: String?) throws {
        let list = try decode(List().changed("load", load).text)
        #expect(list.dropped.isEmpty && list.servers.map(\.load) == [7, nil])
    }

    @Test(arguments: [("6.18", 6), ("6.5", 7), ("0.2", 0), ("83.41", 83), ("99.7", 100), ("250", 100), ("1e300", 100), ("7.0", 7)])
    func `a load with decimals is rounded`(text: String, load: Int) throws {
        #expect(try decode(List().changed("load", text).text).servers.map(\.load) == [7, load])
    }

    @Test func `odd values of a good row are put right`() throws {
        #expect(try decode(List().changed("technologies", List.technologies(key: " \(List.key)\\n")).text).servers[1].publicKey == List.key)
        let german = try decode(List().changed("location_ids", "[99,7]").text).servers[1]
        #expect(german.country.rawValue == "DE" && german.city == nil)
    }

    @Test(
        arguments: [
            "", "{", "[]", "null", "<html>blocked</html>", "{}", #"{"servers":[]}"#,
            #"{"errors":{"code":101301,"message":"Unauthorized"}}"#,
        ])
    func `an answer of another shape is told as that`(text: String) throws {
        let error = try #require(throws: ProviderError.self) { try decode(text) }
        #expect(error.code == .badAnswer && error.isRetryable)
        #expect(throws: ProviderError.self) { try decode(String(List().text.dropLast(20))) }
    }
}
