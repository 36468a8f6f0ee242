import Model
import Planning
import Testing

@Suite struct ListComparisonTests {
    private let old = (1...10).map { server($0) } + (1...3).map { server($0, de) }

    @Test func `a list may lose some servers, and small countries`() {
        #expect(ListComparison.suspicion(old: old, new: old.filter { $0.hostname != "us1" && $0.hostname != "de3" }) == nil)
        #expect(ListComparison.suspicion(old: [], new: []) == nil)
        #expect(ListComparison.suspicion(old: [], new: old, unreadable: old.count) == nil)
        #expect(ListComparison.suspicion(old: old, new: old, unreadable: 1000) == nil)
        #expect(ListComparison.suspicion(old: old + [server(1, CountryCode("fr")!)], new: old) == nil)  // An ISO code.
    }

    @Test func `one that loses a third of them, or a whole country, is suspicious`() {
        #expect(ListComparison.suspicion(old: old, new: Array(old.suffix(9))) != nil)
        #expect(ListComparison.suspicion(old: [], new: [old[0]], unreadable: 80)?.contains("80 of its rows can't be read") ?? false)
        #expect(ListComparison.suspicion(old: old, new: old.filter { $0.country == us })?.contains("DE") ?? false)
    }
}

@Suite struct BackOffTests {
    @Test func `pauses double, stay in their spread, and end at the longest`() {
        let backOff = BackOff(first: 1, longest: 20)
        for attempts in 1...40 {
            let middle = min(20, Double(1 << min(attempts - 1, 10)))
            for salt in 0..<20 as Range<UInt64> {
                #expect((middle * 0.75...middle * 1.25).contains(backOff.pause(attempts: attempts, salt: salt)))
            }
        }
    }
}

@Suite struct HAProxyConfigurationTests {
    private let settings = HAProxyConfiguration.Settings(
        gatewayAddress: "127.0.0.1", gatewayPort: 8128, runDirectory: "/run/x", luaFolder: "/share/lua")
    private let template =
        "global\n    description {{revision}}\n    {{log_line}}\n    {{bind_lines}}\n{{pools}}\n"

    @Test func `placeholders are filled and empty lines of them dropped`() {
        let text = HAProxyConfiguration(template: template, settings: settings).text(of: GatewayLayout(), revision: "abc")
        #expect(text.hasPrefix("global\n    description abc\n    bind 127.0.0.1:8128 name gateway\n"))
        #expect(!text.contains("{{"))
    }

    @Test func `only what serves is written as a server; free and draining slots are disabled`() {
        let slots = [
            GatewaySlot(number: 1, endpoint: Endpoint(address: "172.31.0.2", port: 3128), state: .ready),
            GatewaySlot(number: 2, endpoint: Endpoint(address: "172.31.0.3", port: 3128), state: .drain), .free(3),
        ]
        let layout = GatewayLayout(pools: [GatewayPool(country: us, slots: slots)])
        let text = HAProxyConfiguration(template: template, settings: settings).text(of: layout, revision: "abc")
        #expect(text.contains("backend pool-us from pool\n"))
        #expect(
            text.contains(
                "    server s1 172.31.0.2:3128 weight 100\n    server s2 127.0.0.1:1 weight 100 disabled\n    server s3 127.0.0.1:1 weight 100 disabled\n"
            ))
    }

    @Test func `the structure changes with a pool and not with a slot or a user`() {
        let configuration = HAProxyConfiguration(template: template, settings: settings)
        let exit = serving(1, on: server(1))
        let desired = Desired(pools: [us: Pool(country: us, size: 1)])
        let empty = GatewayLayout.of(desired: desired, exits: [:])
        var full = GatewayLayout.of(desired: desired, exits: [exit.id: exit])
        full.users = [ProxyUser(name: "alice", salt: "00", digest: "11", createdAt: start)]
        #expect(configuration.structure(of: empty) == configuration.structure(of: full))
        #expect(configuration.structure(of: empty) != configuration.structure(of: GatewayLayout()))
    }

    @Test(arguments: [("St. Louis", "stlouis"), ("Querétaro", "queretaro"), ("Washington, D.C.", "washingtondc"), ("東京", "")])
    func `a city stands in the map of pools as users can write it`(city: String, folded: String) throws {
        var exit = serving(1, on: server(1))
        exit.server?.city = city
        let layout = GatewayLayout.of(desired: Desired(pools: [us: Pool(country: us, size: 1)]), exits: [exit.id: exit])
        let entry = try #require(layout.maps.first { $0.name == "pools.map" }?.entries["us"])
        #expect(entry.hasSuffix(":\(folded)"), "\(entry)")
    }

    @Test func `without a user it listens on the loopback address alone`() {
        var settings = settings
        settings.gatewayAddress = "0.0.0.0"
        settings.countryPorts = 20_000
        let configuration = HAProxyConfiguration(template: template, settings: settings)
        var layout = GatewayLayout(pools: [GatewayPool(country: us, slots: [.free(1)])])
        #expect(configuration.text(of: layout, revision: "").contains("bind 127.0.0.1:8128 name gateway\n"))
        #expect(!configuration.text(of: layout, revision: "").contains("0.0.0.0"))
        layout.users = [ProxyUser(name: "alice", salt: "00", digest: "11", createdAt: start)]
        #expect(
            configuration.text(of: layout, revision: "").contains(
                "    bind 0.0.0.0:8128 name gateway\n    bind 0.0.0.0:20538 name country-us\n"))
    }
}
