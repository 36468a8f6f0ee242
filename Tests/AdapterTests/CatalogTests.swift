import Catalog
import Model
import Planning
import Platform
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct CatalogTests {
    @Test func `the servers of a pool are ranked with their measured latency`() async throws {
        let catalog = catalogOf(FakeSource(.nordvpn, american + [listed(9, de, load: 1)])) { servers, method in
            #expect(method != .wireguard && servers.allSatisfy { $0.country == us })
            let times = ["us2": 80.0, "us3": 9]
            return times.filter { time in servers.contains { $0.hostname == time.key } }
        }
        let ranked = try await catalog.ranked(for: Pool(country: us, size: 1))
        #expect(ranked.map(\.server.hostname) == ["us3", "us2", "us1"] && ranked.map(\.server.latencyMilliseconds) == [9, 80, nil])
        #expect(try await catalog.countries() == [us: 3, de: 1])
    }

    @Test func `a pool's city and provider narrow the choice`() async throws {
        let other = ProviderName(rawValue: "other")
        let catalog = catalogOf(FakeSource(.nordvpn, american), FakeSource(other, [listed(7, load: 1, provider: other)]))
        #expect(try await catalog.ranked(for: Pool(country: us, size: 1, city: "mIAMI")).map(\.server.hostname) == ["us2"])
        #expect(try await catalog.ranked(for: Pool(country: us, size: 1, city: "mi-ámi.")).map(\.server.hostname) == ["us2"])
        #expect(try await catalog.ranked(for: Pool(country: us, size: 1, provider: other)).map(\.server.hostname) == ["us7"])
        #expect(try await catalog.ranked(for: Pool(country: us, size: 1, provider: other, city: "Miami")).isEmpty)
    }

    @Test func `a provider that failed is left alone for a pause`() async throws {
        let source = FakeSource(.nordvpn, nil, american)
        let catalog = catalogOf(source, pause: 60)
        for _ in 0..<5 {
            await #expect(throws: FakeSource.Failure.self) { _ = try await catalog.ranked(for: Pool(country: us, size: 1)) }
        }
        #expect(source.fetches == 1)
    }

    @Test(.timeLimit(.minutes(1))) func `a provider that failed is asked again after the pause`() async throws {
        let source = FakeSource(.nordvpn, nil, american)
        let catalog = catalogOf(source, pause: 0.05)
        try await eventually("it is asked again", within: 40) { (try? await catalog.ranked(for: Pool(country: us, size: 1)))?.count == 3 }
        #expect(source.fetches == 2)
    }

    @Test func `one provider that fails doesn't take the others along`() async throws {
        let catalog = catalogOf(FakeSource(ProviderName(rawValue: "other"), nil), FakeSource(.nordvpn, american))
        #expect(try await catalog.ranked(for: Pool(country: us, size: 1)).count == 3)
    }

    @Test(arguments: [nil, []] as [[Server]?])
    func `the last good list is kept when a refresh fails or brings nothing`(answer: [Server]?) async throws {
        let source = FakeSource(.nordvpn, american, answer)
        let catalog = catalogOf(source, refresh: 0.01, pause: 60)
        #expect(try await catalog.ranked(for: Pool(country: us, size: 1)).count == 3)
        try await Task.sleep(for: .milliseconds(30))
        // The old list is given at once, the new one fetched meanwhile.
        try await eventually("it has been fetched again", within: 40) {
            let count = try await catalog.ranked(for: Pool(country: us, size: 1)).count
            #expect(count == 3)
            return source.fetches == 2
        }
        try await Task.sleep(for: .milliseconds(60))
        for _ in 0..<5 { #expect(try await catalog.ranked(for: Pool(country: us, size: 1)).count == 3) }
        #expect(source.fetches == 2, "a provider that failed is left alone for a while")
    }

    @Test func `many callers cause one fetch and one measurement of each server`() async throws {
        let source = FakeSource(.nordvpn, american)
        let measured = Mutex<[String]>([])
        let catalog = catalogOf(source) { servers, method in
            // Nobody answers, so connections are tried after the echoes.
            if method == .fping { measured.withLock { $0 += servers.map(\.address) } }
            return [:]
        }
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<50 { group.addTask { try await catalog.ranked(for: Pool(country: us, size: 1)).count } }
            for try await count in group { #expect(count == 3) }
        }
        #expect(source.fetches == 1)
        #expect(measured.withLock { $0.sorted() } == ["198.18.0.1", "198.18.0.2", "198.18.0.3"])
    }

    @Test func `a server whose address is another now is ranked by the new one, and one that is gone no more`() async throws {
        var moved = listed(1, load: 30)
        moved.address = "198.18.0.77"
        let catalog = catalogOf(FakeSource(.nordvpn, american, [moved, listed(3, load: 12)] + [listed(4, load: 50)]), refresh: 0.01)
        #expect(try await catalog.ranked(for: Pool(country: us, size: 1)).count == 3)
        try await eventually("the new list counts") {
            let ranked = try await catalog.ranked(for: Pool(country: us, size: 1))
            return ranked.map(\.server.hostname) == ["us3", "us1", "us4"] && ranked[1].server.address == "198.18.0.77"
        }
    }

    @Test func `the catalog shows what was dropped, how old it is, and what went wrong`() async throws {
        let source = FakeSource(.nordvpn, american, nil)
        let catalog = catalogOf(source, refresh: 0.01, pause: 60)
        let first = try await catalog.snapshot()
        #expect(first.servers.map(\.hostname) == ["us2", "us3", "us1"] && first.listings[0].dropped == ["offline": 1])
        #expect(first.listings[0].problem == nil)
        try await eventually("the second fetch has failed") {
            _ = try await catalog.countries()
            return try await catalog.snapshot().listings[0].problem != nil
        }
        let second = try await catalog.snapshot()
        #expect(second.revision > first.revision && second.listings[0].isStale && second.servers.count == 3)
        #expect(try await catalog.snapshot().revision == second.revision)
    }

    @Test func `the list of a pool says nothing of what exits hold and of what has failed: that is another thing by the time it is used`()
        async throws
    {
        let catalog = catalogOf(FakeSource(.nordvpn, american)) { _, _ in [:] }
        let free = try await catalog.ranked(for: Pool(country: us, size: 1))
        let held = american[1]
        await catalog.follow { .init(held: [held], breakers: [BreakerKey.server("us3"): .open]) }
        #expect(try await catalog.ranked(for: Pool(country: us, size: 1)) == free)
        #expect(
            try await catalog.explained(ServerFilter(country: us), strategy: .balanced).map(\.server.hostname) == ["us1", "us3", "us2"])
    }

    @Test func `a pool takes only servers within its limits, and no other is measured for it`() async throws {
        let servers = (1...6).map { number in
            var server = listed(number, load: number)
            server.tags = number % 2 == 0 ? ["p2p", "virtual"] : ["p2p"]
            return server
        }
        let asked = Mutex<Set<String>>([])
        let catalog = catalogOf(FakeSource(.nordvpn, servers)) { servers, _ in
            asked.withLock { $0.formUnion(servers.map(\.hostname)) }
            return [:]
        }
        func names(_ limits: ServerLimits) async throws -> [String] {
            try await catalog.ranked(for: Pool(country: us, size: 1, limits: limits, strategy: .load)).map(\.server.hostname)
        }
        #expect(try await names(ServerLimits(tags: ["p2p", "virtual"])) == ["us2", "us4", "us6"])
        #expect(try await names(ServerLimits(tags: ["virtual"], exclude: ["us2"])) == ["us4", "us6"])
        #expect(try await names(ServerLimits(hostnames: ["us4"])) == ["us4"])
        #expect(asked.withLock { $0 } == ["us2", "us4", "us6"])
        #expect(try await names(ServerLimits(tags: ["onion"])) == [])
    }

    @Test func `without a provider there is a clear error`() async throws {
        await #expect(throws: CatalogError.self) { try await catalogOf().countries() }
    }
}
