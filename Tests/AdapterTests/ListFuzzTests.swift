import Model
import Planning
import Platform
import Providers
import Synchronization
import TestSupport
import Testing

@testable import Catalog
@testable import Lab

/// Lists that are broken in every way that a seed can think of.
@Suite(.timeLimit(.minutes(5))) struct ListFuzzTests {
    private static let key = "9TYCXhc1dpXaJ8OgwsqNEVTuEUZmUfDhCSDrxuUBGUY="

    /// A small good list of each provider, of which one row is kept.
    private static let small: [(Provider, String)] = [
        (
            .nordvpn,
            #"[{"id":1,"station":"198.18.0.1","hostname":"us1.nordvpn.com","load":7,"status":"online","locations":[{"id":5,"country":{"code":"US","city":{"name":"S\u00e3o \"Paulo\""}}}],"#
                + #""technologies":[{"id":35,"identifier":"wireguard_udp","metadata":[{"name":"public_key","value":"\#(key)"}],"pivot":{"status":"online"}}],"groups":[{"id":11,"identifier":"legacy_standard"}],"specifications":[]},"#
                + #"{"id":2,"station":"198.18.0.2","hostname":"us2.nordvpn.com","load":-1.5e3,"status":"offline","locations":[],"technologies":[],"groups":[],"specifications":[]}]"#
        ),
        (
            .nordvpn,
            #"{"servers":[{"id":1,"hostname":"us1.nordvpn.com","station":"198.18.0.1","status":"online","load":7,"technologies":[{"id":35,"metadata":[{"name":"public_key","value":"\#(key)"}],"status":"online"}],"group_ids":[11],"location_ids":[5]}],"#
                + #""groups":[{"id":9,"identifier":"legacy_dedicated_ip"}],"services":[],"locations":[{"id":5,"country":{"code":"US","city":{"name":"Dallas"}}}],"technologies":[{"id":35,"identifier":"wireguard_udp","metadata":null}]}"#
        ),
        (
            .surfshark,
            #"[{"countryCode":"FR","load":3,"id":"a","type":"generic","location":"Paris","connectionName":"fr-par.prod.surfshark.com","pubKey":"\#(key)","tags":["p2p"],"transitCluster":null}]"#
        ),
        (
            .mullvad,
            #"[{"hostname":"al-1","country_code":"al","city_name":"Tirana","fqdn":"al-1.relays.mullvad.net","active":true,"owned":true,"provider":"x","ipv4_addr_in":"198.18.0.5","type":"wireguard","pubkey":"\#(key)"}]"#
        ),
        (
            .ivpn,
            #"{"servers":[{"hostnames":{"openvpn":"a.gw.ivpn.net","wireguard":"a.wg.ivpn.net"},"is_active":true,"country":"Argentina","city":"X","isp":"M247","wg_public_key":"\#(key)"}]}"#
        ),
        (
            .airvpn,
            #"{"servers":[{"public_name":"Alhena","country_code":"ca","location":"Toronto, Ontario","ip_v4_in1":"198.18.0.7","health":"ok","currentload":4}]}"#
        ),
        (
            .windscribe,
            #"{"data":[{"name":"Albania","country_code":"AL","groups":[{"city":"Tirana","wg_pubkey":"\#(key)","nodes":[{"hostname":"al-1.whiskergalaxy.com","ip3":"198.18.0.4"}]}]}]}"#
        ),
    ]

    /// What the lab's provider answers, in each of its shapes, and how many rows of it are kept.
    private static let lab: [(Provider, String, Int)] = {
        let layout = LabLayout()
        let catalog = LabCatalog(layout, LabKeys(layout), size: 4)
        return [(.nordvpn, catalog.version1(limit: 6), 5), (.nordvpn, catalog.version2(limit: 6), 5), (.surfshark, catalog.clusters(), 19)]
    }()

    private static let lists = small.map { ($0, $1, 1) } + lab

    @Test(arguments: Array(lists.indices)) func `ten thousand broken lists never crash, and what is kept is sound`(number: Int) async throws
    {
        try await heavily { try tryTenThousand(number) }
    }

    private func tryTenThousand(_ number: Int) throws {
        let (provider, text, count) = Self.lists[number]
        let good = Array(text.utf8)
        let whole = try ListReader.read(good, of: provider)
        #expect(whole.servers.count == count, "\(whole.dropped)")
        var generator = SplitMix64(state: UInt64(2026 + number))
        var (kept, refused, dropped) = (0, 0, 0)
        for _ in 0..<10_000 {
            let bytes = Mutation.of(good, using: &generator)
            let reader = ListReader(provider, options: ListOptions(included: Set(SpecialServers.allCases)))
            // In pieces, as they come from a network.
            var rest = bytes[...]
            while !rest.isEmpty {
                let piece = Array(rest.prefix(Int.random(in: 1...max(200, good.count / 10), using: &generator)))
                rest = rest.dropFirst(piece.count)
                if !piece.withUnsafeBytes({ reader.feed($0) }) { break }
            }
            do {
                let list = try reader.finish()
                kept += list.servers.count
                dropped += list.dropped.values.reduce(0, +)
                #expect(list.rows == list.servers.count + list.dropped.values.reduce(0, +))
                for server in list.servers {
                    #expect(Base64.isWireGuardKey(server.publicKey) && (1...65_535).contains(server.port))
                    #expect(Server.isIPv4(server.address) || server.address == server.hostname)
                    #expect(server.load.map { (0...100).contains($0) } ?? true)
                    #expect(server.city.map { $0.utf8.count <= 100 && !$0.utf8.contains { $0 < 0x20 } } ?? true)
                }
            } catch let error as ProviderError {
                refused += 1
                #expect(error.code == .badAnswer)
            }
        }
        // Each of the three ways out was taken, many times.
        #expect(kept > 100 && refused > 100 && dropped > 100, "kept \(kept), refused \(refused), dropped \(dropped)")
    }

    /// Hands out broken lists, the first one excepted.
    private struct Broken: ServerSource {
        let provider = ProviderName.mullvad
        let next: @Sendable () throws -> ListAnswer
        func list(newerThan stamp: ListStamp?) async throws -> ListAnswer { try next() }
    }

    @Test func `no broken list costs the last good one`() async throws {
        let good = Array(
            ("["
                + (1...20).map {
                    #"{"hostname":"al-\#($0)","country_code":"al","fqdn":"al-\#($0).relays.mullvad.net","active":true,"ipv4_addr_in":"198.18.0.\#($0)","type":"wireguard","pubkey":"\#(Self.key)"}"#
                }.joined(separator: ",") + "]").utf8)
        let state = SharedState(good)
        let source = Broken {
            let list = try ListReader.read(state.next { Mutation.of(good, using: &$0) }, of: .mullvad)
            return .list(servers: list.servers, dropped: list.dropped, stamp: ListStamp())
        }
        // Held-back lists are asked for again after the refresh period, and unreadable ones are no reason to leave it alone: this ends soon.
        let never = ProviderBreakers(rules: .init(threshold: .max))
        let catalog = Catalog(
            sources: [source], settings: .init(refreshSeconds: 0, backOff: BackOff(first: 0, longest: 0)), log: .none,
            breakers: never, measure: { _, _ in [:] })
        _ = try await catalog.countries()
        while state.count < 500 {
            let count = try await catalog.snapshot().servers.count
            #expect(count > 4, "\(count) of 20 are left")
            await Task.yield()
        }
    }
}

/// What a broken source shares with its test.
private final class SharedState: Sendable {
    private let state: Mutex<(generator: SplitMix64, count: Int)>
    private let good: [UInt8]

    init(_ good: [UInt8]) {
        self.good = good
        state = Mutex((SplitMix64(state: 99), 0))
    }

    var count: Int { state.withLock { $0.count } }

    func next(_ mutate: (inout SplitMix64) -> [UInt8]) -> [UInt8] {
        state.withLock { state in
            state.count += 1
            return state.count == 1 ? good : mutate(&state.generator)
        }
    }
}
