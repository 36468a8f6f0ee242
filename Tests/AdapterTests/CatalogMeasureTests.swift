import Catalog
import Model
import Planning
import Platform
import Synchronization
import TestSupport
import Testing

/// Which servers are measured, and by what address.
@Suite(.timeLimit(.minutes(1))) struct CatalogMeasureTests {
    @Test func `one server of each city is measured before the best few`() async throws {
        let many = (1...200).map { listed($0, load: $0 / 3, city: "City \($0 % 8)") }
        let rounds = Mutex<[[Server]]>([])
        let catalog = catalogOf(FakeSource(.nordvpn, many)) { servers, _ in
            rounds.withLock { $0.append(servers) }
            return Dictionary(uniqueKeysWithValues: servers.map { ($0.hostname, $0.city == "City 5" ? 2 : 90) })
        }
        let ranked = try await catalog.ranked(for: Pool(country: us, size: 1, strategy: .latency))
        let measured = rounds.withLock { $0 }
        #expect(measured.count == 2 && measured[0].count == 8 && Set(measured[0].map(\.city)).count == 8)
        // After the first round it is known which city is near: only its servers are worth more packets.
        #expect(measured[1].allSatisfy { $0.city == "City 5" } && measured[1].count <= 10)
        #expect(ranked.prefix(5).allSatisfy { $0.server.city == "City 5" && $0.server.latencyMilliseconds == 2 })
        #expect(measured.flatMap { $0 }.count <= 18, "of 200 servers")
    }

    @Test func `a handshake never goes to a server that an exit holds`() async throws {
        let asked = Mutex<[(Set<String>, LatencyMethod)]>([])
        let catalog = catalogOf(FakeSource(.nordvpn, american)) { servers, method in
            asked.withLock { $0.append((Set(servers.map(\.hostname)), method)) }
            return Dictionary(uniqueKeysWithValues: servers.map { ($0.hostname, Double($0.load ?? 0)) })
        }
        let held = american[1]
        await catalog.follow { .init(held: [held]) }
        let wish = ServerFilter(country: us)
        #expect(try await catalog.measured(wish, method: .wireguard, limit: 10).map(\.server.hostname) == ["us3", "us1"])
        #expect(try await catalog.fastest(wish, method: .wireguard, limit: 1).map(\.server.hostname) == ["us3"])
        #expect(try await catalog.measured(wish, method: .fping, limit: 10).map(\.server.hostname) == ["us2", "us3", "us1"])
        for (names, method) in asked.withLock({ $0 }) where method == .wireguard { #expect(!names.contains("us2")) }
        #expect(try await catalog.explained(wish, strategy: .balanced).last?.server.hostname == "us2")
        let explained = try await catalog.explained(wish, strategy: .load)
        #expect(explained.allSatisfy { $0.server.latencyMilliseconds != nil }, "what a score counts is also shown")
    }

    @Test func `a handshake never goes to a server that an exit holds under another name`() async throws {
        let servers = (1...3).map { number in
            var server = listed(number, load: number)
            server.address = "us\(number).example.test"
            return server
        }
        let asked = Mutex<Set<String>>([])
        let addresses = ["us1.example.test": "198.18.7.1", "us2.example.test": "198.18.7.2", "us3.example.test": "198.18.7.1"]
        let catalog = Catalog(
            sources: [FakeSource(.nordvpn, servers)], settings: .patient(), log: .none,
            resolve: { names in addresses.filter { names.contains($0.key) } },
            measure: { servers, _ in
                asked.withLock { $0.formUnion(servers.map(\.hostname)) }
                return Dictionary(uniqueKeysWithValues: servers.map { ($0.hostname, 5.0) })
            })
        var held = servers[0]
        held.address = "198.18.7.1"
        await catalog.follow { [held] in .init(held: [held]) }
        let measured = try await catalog.measured(ServerFilter(country: us), method: .wireguard, limit: 10)
        #expect(measured.map(\.server.hostname) == ["us2"] && asked.withLock { $0 } == ["us2"])
    }

    @Test func `servers that are known by name are resolved again at each use`() async throws {
        var named = listed(1, load: 1)
        named.address = "us1.example.test"
        named.hostname = "us1.example.test"
        var lost = listed(2, load: 2)
        lost.address = "lost.example.test"
        let count = Mutex(0)
        let catalog = Catalog(
            sources: [FakeSource(.nordvpn, [named, lost])], settings: .patient(), log: .none,
            resolve: { names in
                let number = count.withLock { number in
                    number += 1
                    return number
                }
                return names.contains("us1.example.test") ? ["us1.example.test": "198.18.7.\(number)"] : [:]
            }, measure: { _, _ in [:] })
        let first = try await catalog.ranked(for: Pool(country: us, size: 1)).map(\.server)
        let second = try await catalog.ranked(for: Pool(country: us, size: 1)).map(\.server)
        #expect(first.count == 1 && second.count == 1 && !first[0].needsResolving && first[0].address != second[0].address)
        #expect(try await catalog.snapshot().servers.first?.address == "us1.example.test")
    }

    @Test func `a measurement that fails leaves the ranking without latencies`() async throws {
        let catalog = catalogOf(FakeSource(.nordvpn, american)) { _, _ in throw FakeSource.Failure() }
        #expect(try await catalog.ranked(for: Pool(country: us, size: 1)).map(\.server.hostname) == ["us2", "us3", "us1"])
    }
}
