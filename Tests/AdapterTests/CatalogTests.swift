import Catalog
import Model
import Planning
import Platform
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct CatalogTests {
    private func server(_ number: Int, _ country: CountryCode = us, load: Int, city: String = "Dallas", provider: ProviderName = .nordvpn)
        -> Server
    {
        Server(
            provider: provider, hostname: "\(country.lowercased)\(number)", address: "198.18.0.\(number)", port: 51820, publicKey: "k",
            country: country, city: city, load: load)
    }

    private var american: [Server] { [server(1, load: 30), server(2, load: 10, city: "Miami"), server(3, load: 12)] }

    private func catalog(
        _ sources: any ServerSource..., refresh: Double = 3600, pause: Double = 1, measure: @escaping Catalog.Measure = { _, _ in [:] }
    ) -> Catalog {
        let settings = Catalog.Settings(refreshSeconds: refresh, backOff: BackOff(first: pause))
        return Catalog(sources: sources, settings: settings, log: .none, measure: measure)
    }

    @Test func `the servers of a pool are ranked with their measured latency`() async throws {
        let catalog = catalog(FakeSource(.nordvpn, american + [server(9, de, load: 1)])) { servers, method in
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
        let catalog = catalog(FakeSource(.nordvpn, american), FakeSource(other, [server(7, load: 1, provider: other)]))
        #expect(try await catalog.ranked(for: Pool(country: us, size: 1, city: "mIAMI")).map(\.server.hostname) == ["us2"])
        #expect(try await catalog.ranked(for: Pool(country: us, size: 1, city: "mi-ámi.")).map(\.server.hostname) == ["us2"])
        #expect(try await catalog.ranked(for: Pool(country: us, size: 1, provider: other)).map(\.server.hostname) == ["us7"])
        #expect(try await catalog.ranked(for: Pool(country: us, size: 1, provider: other, city: "Miami")).isEmpty)
    }

    @Test func `a provider that failed is left alone for a pause`() async throws {
        let source = FakeSource(.nordvpn, nil, american)
        let catalog = catalog(source, pause: 60)
        for _ in 0..<5 {
            await #expect(throws: FakeSource.Failure.self) { _ = try await catalog.ranked(for: Pool(country: us, size: 1)) }
        }
        #expect(source.fetches == 1)
    }

    @Test(.timeLimit(.minutes(1))) func `a provider that failed is asked again after the pause`() async throws {
        let source = FakeSource(.nordvpn, nil, american)
        let catalog = catalog(source, pause: 0.05)
        try await eventually("it is asked again", within: 40) { (try? await catalog.ranked(for: Pool(country: us, size: 1)))?.count == 3 }
        #expect(source.fetches == 2)
    }

    @Test func `one provider that fails doesn't take the others along`() async throws {
        let catalog = catalog(FakeSource(ProviderName(rawValue: "other"), nil), FakeSource(.nordvpn, american))
        #expect(try await catalog.ranked(for: Pool(country: us, size: 1)).count == 3)
    }

    @Test(arguments: [nil, []] as [[Server]?])
    func `the last good list is kept when a refresh fails or brings nothing`(answer: [Server]?) async throws {
        let source = FakeSource(.nordvpn, american, answer)
        let catalog = catalog(source, refresh: 0.01, pause: 60)
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
        let catalog = catalog(source) { servers, method in
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

    @Test func `a measurement that fails leaves the ranking without latencies`() async throws {
        let catalog = catalog(FakeSource(.nordvpn, american)) { _, _ in throw FakeSource.Failure() }
        #expect(try await catalog.ranked(for: Pool(country: us, size: 1)).map(\.server.hostname) == ["us2", "us3", "us1"])
    }

    /// Keeps lists in memory.
    private final class FakeStore: ListingStore {
        private let kept: Mutex<[ProviderName: StoredListing]>
        private let fetcher = Mutex<String?>(nil)
        init(_ listing: StoredListing? = nil) { kept = Mutex(listing.map { [.nordvpn: $0] } ?? [:]) }
        var listing: StoredListing? { kept.withLock { $0[.nordvpn] } }
        func listing(of provider: ProviderName) async throws -> StoredListing? { kept.withLock { $0[provider] } }
        func save(_ listing: StoredListing, of provider: ProviderName) async throws { kept.withLock { $0[provider] = listing } }
        func fetchTime(of provider: ProviderName) async throws -> Timestamp? { kept.withLock { $0[provider]?.fetchedAt } }
        func beginFetch(of provider: ProviderName, seconds: Int) async throws -> String? {
            fetcher.withLock { fetcher in
                guard fetcher == nil else { return nil }
                fetcher = "right \(seconds)"
                return fetcher
            }
        }
        func endFetch(of provider: ProviderName, right: String) async throws { fetcher.withLock { if $0 == right { $0 = nil } } }
        private let broken = Mutex<Breaker?>(nil)
        func breaker(of provider: ProviderName) async throws -> Breaker? { broken.withLock { $0 } }
        func save(_ breaker: Breaker?, of provider: ProviderName) async throws { broken.withLock { $0 = breaker } }
    }

    @Test func `a start works from the stored list while the provider is away, and a good list is stored`() async throws {
        let old = SystemClock.now() + -7_200
        let store = FakeStore(StoredListing(servers: american, fetchedAt: old))
        let source = FakeSource(.nordvpn, nil)
        let catalog = Catalog(sources: [source], store: store, log: .none, measure: { _, _ in [:] })
        #expect(try await catalog.ranked(for: Pool(country: us, size: 1)).count == 3)
        try await eventually("the provider was asked all the same") { source.fetches == 1 }
        #expect(store.listing?.fetchedAt == old)

        let fresh = FakeStore()
        let second = Catalog(sources: [FakeSource(.nordvpn, american)], store: fresh, log: .none, measure: { _, _ in [:] })
        _ = try await second.countries()
        #expect(fresh.listing?.servers == american)
    }

    @Test func `a list that shrank is held back until it has come three times`() async throws {
        let source = FakeSource(.nordvpn, american, [american[0]])
        let catalog = catalog(source, refresh: 0.01)
        #expect(try await catalog.countries() == [us: 3])
        try await eventually("it is held back at first") {
            let count = try await catalog.countries()[us]
            if source.fetches < 4 { #expect(count == 3) }
            return count == 1
        }
        #expect(source.fetches >= 4, "once good, three times short")
    }

    @Test func `a first list that can hardly be read is asked for again before it is taken`() async throws {
        let source = Scripted { _ in .list(servers: [self.american[0]], dropped: ["unreadable": 80], stamp: ListStamp()) }
        let catalog = catalog(source, refresh: 3600)
        await #expect(throws: CatalogError.self) { try await catalog.countries() }
        try await eventually("it has come three times, and is better than none") { (try? await catalog.countries()) == [us: 1] }
        #expect(source.asked.withLock(\.count) == 3)
    }

    /// A provider that remembers what it was asked, and answers as it is told.
    private final class Scripted: ServerSource {
        struct Refusal: SourceFailure {
            let isRefusal = true
            let retryAfter: Double? = nil
        }
        let provider = ProviderName.nordvpn
        let asked = Mutex<[ListStamp?]>([])
        private let answer: @Sendable (Int) throws -> ListAnswer
        init(_ answer: @escaping @Sendable (Int) throws -> ListAnswer) { self.answer = answer }

        func list(newerThan stamp: ListStamp?) async throws -> ListAnswer {
            let number = asked.withLock { asked in
                asked.append(stamp)
                return asked.count
            }
            try await Task.sleep(for: .milliseconds(30))
            return try answer(number)
        }
    }

    @Test func `a server whose address is another now is ranked by the new one, and one that is gone no more`() async throws {
        var moved = server(1, load: 30)
        moved.address = "198.18.0.77"
        let catalog = catalog(FakeSource(.nordvpn, american, [moved, server(3, load: 12)] + [server(4, load: 50)]), refresh: 0.01)
        #expect(try await catalog.ranked(for: Pool(country: us, size: 1)).count == 3)
        try await eventually("the new list counts") {
            let ranked = try await catalog.ranked(for: Pool(country: us, size: 1))
            return ranked.map(\.server.hostname) == ["us3", "us1", "us4"] && ranked[1].server.address == "198.18.0.77"
        }
    }

    @Test func `an unchanged list is kept, and is new again`() async throws {
        let servers = american
        let stamp = ListStamp(entityTag: "\"one\"")
        let source = Scripted { $0 == 1 ? .list(servers: servers, dropped: [:], stamp: stamp) : .unchanged }
        let store = FakeStore()
        let catalog = Catalog(
            sources: [source], settings: .init(refreshSeconds: 0.05), store: store, log: .none, measure: { _, _ in [:] })
        _ = try await catalog.countries()
        let first = try #require(store.listing)
        try await eventually("it is asked again, and says that nothing has changed") {
            let counts = try await catalog.countries()
            #expect(counts == [us: 3])
            return store.listing.map { $0.fetchedAt > first.fetchedAt } ?? false
        }
        #expect(source.asked.withLock { $0.prefix(2) } == [nil, stamp])
        #expect(store.listing?.servers == servers && store.listing?.stamp == stamp)
    }

    @Test func `controllers that share a store share one fetch`() async throws {
        let servers = american
        let store = FakeStore()
        let sources = (0..<4).map { _ in Scripted { _ in .list(servers: servers, dropped: [:], stamp: ListStamp()) } }
        let catalogs = sources.map { Catalog(sources: [$0], store: store, log: .none, measure: { _, _ in [:] }) }
        try await withThrowingTaskGroup(of: [CountryCode: Int].self) { group in
            for catalog in catalogs { group.addTask { try await catalog.countries() } }
            for try await counts in group { #expect(counts == [us: 3]) }
        }
        #expect(sources.map { $0.asked.withLock { $0.count } }.reduce(0, +) == 1)
    }

    @Test func `a fetch that fails gives the right to fetch back`() async throws {
        let servers = american
        let store = FakeStore()
        let failing = Catalog(sources: [Scripted { _ in throw FakeSource.Failure() }], store: store, log: .none, measure: { _, _ in [:] })
        await #expect(throws: FakeSource.Failure.self) { try await failing.countries() }
        let other = Catalog(
            sources: [Scripted { _ in .list(servers: servers, dropped: [:], stamp: ListStamp()) }], store: store, log: .none,
            measure: { _, _ in [:] })
        #expect(try await other.countries() == [us: 3])
    }

    @Test func `a provider that has had enough of us is left alone for longer`() async throws {
        let source = Scripted { _ in throw Scripted.Refusal() }
        let catalog = Catalog(
            sources: [source], settings: .init(backOff: BackOff(first: 0.01, longest: 0.01), refusalSeconds: 60), log: .none,
            measure: { _, _ in [:] })
        for _ in 0..<10 {
            await #expect(throws: Scripted.Refusal.self) { try await catalog.countries() }
            try await Task.sleep(for: .milliseconds(15))
        }
        #expect(source.asked.withLock { $0.count } == 1)
    }

    @Test func `a provider that has refused one controller is left alone by the others, and after a restart`() async throws {
        let servers = american
        let store = FakeStore()
        let refusing = Scripted { number in
            if number == 1 { throw Scripted.Refusal() }
            return .list(servers: servers, dropped: [:], stamp: ListStamp())
        }
        func catalog() -> Catalog {
            Catalog(
                sources: [refusing], settings: .init(backOff: BackOff(first: 0.01, longest: 0.01), refusalSeconds: 5), store: store,
                log: .none,
                measure: { _, _ in [:] })
        }
        await #expect(throws: Scripted.Refusal.self) { try await catalog().countries() }
        let other = catalog()
        let error = await #expect(throws: CatalogError.self) { try await other.countries() }
        #expect(error?.message.contains("has refused its list") ?? false)
        #expect(refusing.asked.withLock { $0.count } == 1)
        try await eventually("it is asked again afterwards") { (try? await other.countries()) == [us: 3] }
        #expect(try await store.breaker(of: .nordvpn) == nil)
    }

    @Test func `the catalog shows what was dropped, how old it is, and what went wrong`() async throws {
        let source = FakeSource(.nordvpn, american, nil)
        let catalog = catalog(source, refresh: 0.01, pause: 60)
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

    @Test func `one server of each city is measured before the best few`() async throws {
        let many = (1...200).map { server($0, load: $0 / 3, city: "City \($0 % 8)") }
        let rounds = Mutex<[[Server]]>([])
        let catalog = catalog(FakeSource(.nordvpn, many)) { servers, _ in
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
        let catalog = catalog(FakeSource(.nordvpn, american)) { servers, method in
            asked.withLock { $0.append((Set(servers.map(\.hostname)), method)) }
            return Dictionary(uniqueKeysWithValues: servers.map { ($0.hostname, Double($0.load ?? 0)) })
        }
        let held = american[1]
        await catalog.follow { .init(held: [held]) }
        let wish = ServerWish(country: us)
        #expect(try await catalog.measured(wish, method: .wireguard, limit: 10).map(\.server.hostname) == ["us3", "us1"])
        #expect(try await catalog.fastest(wish, method: .wireguard, limit: 1).map(\.server.hostname) == ["us3"])
        #expect(try await catalog.measured(wish, method: .fping, limit: 10).map(\.server.hostname) == ["us2", "us3", "us1"])
        for (names, method) in asked.withLock({ $0 }) where method == .wireguard { #expect(!names.contains("us2")) }
        #expect(try await catalog.explained(wish, strategy: .balanced).last?.server.hostname == "us2")
        let explained = try await catalog.explained(wish, strategy: .load)
        #expect(explained.allSatisfy { $0.server.latencyMilliseconds != nil }, "what a score counts is also shown")
    }

    @Test func `the list of a pool says nothing of what exits hold and of what has failed: that is another thing by the time it is used`()
        async throws
    {
        let catalog = catalog(FakeSource(.nordvpn, american)) { _, _ in [:] }
        let free = try await catalog.ranked(for: Pool(country: us, size: 1))
        let held = american[1]
        await catalog.follow { .init(held: [held], breakers: [Breaker.name(server: "us3"): .open]) }
        #expect(try await catalog.ranked(for: Pool(country: us, size: 1)) == free)
        #expect(try await catalog.explained(ServerWish(country: us), strategy: .balanced).map(\.server.hostname) == ["us1", "us3", "us2"])
    }

    @Test func `a handshake never goes to a server that an exit holds under another name`() async throws {
        let servers = (1...3).map { number in
            var server = server(number, load: number)
            server.address = "us\(number).example.test"
            return server
        }
        let asked = Mutex<Set<String>>([])
        let addresses = ["us1.example.test": "198.18.7.1", "us2.example.test": "198.18.7.2", "us3.example.test": "198.18.7.1"]
        let catalog = Catalog(
            sources: [FakeSource(.nordvpn, servers)], log: .none, resolve: { names in addresses.filter { names.contains($0.key) } },
            measure: { servers, _ in
                asked.withLock { $0.formUnion(servers.map(\.hostname)) }
                return Dictionary(uniqueKeysWithValues: servers.map { ($0.hostname, 5.0) })
            })
        var held = servers[0]
        held.address = "198.18.7.1"
        await catalog.follow { [held] in .init(held: [held]) }
        let measured = try await catalog.measured(ServerWish(country: us), method: .wireguard, limit: 10)
        #expect(measured.map(\.server.hostname) == ["us2"] && asked.withLock { $0 } == ["us2"])
    }

    @Test func `a pool takes only servers within its limits, and no other is measured for it`() async throws {
        let servers = (1...6).map { number in
            var server = server(number, load: number)
            server.tags = number % 2 == 0 ? ["p2p", "virtual"] : ["p2p"]
            return server
        }
        let asked = Mutex<Set<String>>([])
        let catalog = catalog(FakeSource(.nordvpn, servers)) { servers, _ in
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

    @Test func `servers that are known by name are resolved again at each use`() async throws {
        var named = server(1, load: 1)
        named.address = "us1.example.test"
        named.hostname = "us1.example.test"
        var lost = server(2, load: 2)
        lost.address = "lost.example.test"
        let count = Mutex(0)
        let catalog = Catalog(
            sources: [FakeSource(.nordvpn, [named, lost])], log: .none,
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

    @Test func `without a provider there is a clear error`() async throws {
        await #expect(throws: CatalogError.self) { try await catalog().countries() }
    }
}
