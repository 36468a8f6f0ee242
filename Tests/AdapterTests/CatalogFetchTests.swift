import Catalog
import Model
import Planning
import Platform
import Synchronization
import TestSupport
import Testing

/// How lists come into the catalog and stay there, and what controllers of a store share.
@Suite(.timeLimit(.minutes(1))) struct CatalogFetchTests {
    @Test func `a start works from the stored list while the provider is away, and a good list is stored`() async throws {
        let old = SystemClock.now() + -7_200
        let store = FakeListings(StoredListing(servers: american, fetchedAt: old))
        let source = FakeSource(.nordvpn, nil)
        let catalog = Catalog(sources: [source], settings: .patient(), store: store, log: .none, measure: { _, _ in [:] })
        #expect(try await catalog.ranked(for: Pool(country: us, size: 1)).count == 3)
        try await eventually("the provider was asked all the same") { source.fetches == 1 }
        #expect(store.listing?.fetchedAt == old)

        let fresh = FakeListings()
        let second = Catalog(
            sources: [FakeSource(.nordvpn, american)], settings: .patient(), store: fresh, log: .none, measure: { _, _ in [:] })
        _ = try await second.countries()
        #expect(fresh.listing?.servers == american)
    }

    @Test func `a list that shrank is held back until it has come three times`() async throws {
        let source = FakeSource(.nordvpn, american, [american[0]])
        let catalog = catalogOf(source, refresh: 0.01)
        #expect(try await catalog.countries() == [us: 3])
        try await eventually("it is held back at first") {
            let count = try await catalog.countries()[us]
            if source.fetches < 4 { #expect(count == 3) }
            return count == 1
        }
        #expect(source.fetches >= 4, "once good, three times short")
    }

    @Test func `a first list that can hardly be read is asked for again before it is taken`() async throws {
        let source = ScriptedSource { _ in .list(servers: [american[0]], dropped: ["unreadable": 80], stamp: ListStamp()) }
        let catalog = catalogOf(source, refresh: 3600)
        await #expect(throws: CatalogError.self) { try await catalog.countries() }
        try await eventually("it has come three times, and is better than none") { (try? await catalog.countries()) == [us: 1] }
        #expect(source.asked.withLock(\.count) == 3)
    }

    @Test func `an unchanged list is kept, and is new again`() async throws {
        let servers = american
        let stamp = ListStamp(entityTag: "\"one\"")
        let source = ScriptedSource { $0 == 1 ? .list(servers: servers, dropped: [:], stamp: stamp) : .unchanged }
        let store = FakeListings()
        let catalog = Catalog(
            sources: [source], settings: .patient(refreshSeconds: 0.05), store: store, log: .none, measure: { _, _ in [:] })
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

    @Test func `a country and a provider may have a shorter period than the others`() async throws {
        let servers = american
        func catalog(_ tune: (inout Catalog.Settings) -> Void) -> (Catalog, ScriptedSource) {
            let source = ScriptedSource { _ in .list(servers: servers, dropped: [:], stamp: ListStamp()) }
            var settings = Catalog.Settings.patient()
            tune(&settings)
            return (Catalog(sources: [source], settings: settings, log: .none, measure: { _, _ in [:] }), source)
        }
        let (byCountry, first) = catalog { $0.countrySeconds = [us: 0.05] }
        try await eventually("a question of the country begins a fetch") {
            _ = try await byCountry.explained(ServerFilter(country: us), strategy: .load)
            return first.asked.withLock(\.count) > 2
        }
        let fetched = first.asked.withLock(\.count)
        for _ in 0..<5 { _ = try await byCountry.countries() }
        _ = try await byCountry.explained(ServerFilter(country: de), strategy: .load)
        #expect(first.asked.withLock(\.count) <= fetched + 1, "no other question does: one may have been under way")
        let (byProvider, second) = catalog { $0.providerSeconds = [american[0].provider: 0.05] }
        try await eventually("any question begins one") {
            _ = try await byProvider.countries()
            return second.asked.withLock(\.count) > 2
        }
    }

    @Test func `controllers that share a store share one fetch`() async throws {
        let servers = american
        let store = FakeListings()
        let sources = (0..<4).map { _ in ScriptedSource { _ in .list(servers: servers, dropped: [:], stamp: ListStamp()) } }
        let catalogs = sources.map { Catalog(sources: [$0], settings: .patient(), store: store, log: .none, measure: { _, _ in [:] }) }
        try await withThrowingTaskGroup(of: [CountryCode: Int].self) { group in
            for catalog in catalogs { group.addTask { try await catalog.countries() } }
            for try await counts in group { #expect(counts == [us: 3]) }
        }
        #expect(sources.map { $0.asked.withLock { $0.count } }.reduce(0, +) == 1)
    }

    @Test func `a fetch that fails gives the right to fetch back`() async throws {
        let servers = american
        let store = FakeListings()
        let failing = Catalog(
            sources: [ScriptedSource { _ in throw FakeSource.Failure() }], settings: .patient(), store: store, log: .none,
            measure: { _, _ in [:] })
        await #expect(throws: FakeSource.Failure.self) { try await failing.countries() }
        let other = Catalog(
            sources: [ScriptedSource { _ in .list(servers: servers, dropped: [:], stamp: ListStamp()) }], settings: .patient(),
            store: store, log: .none,
            measure: { _, _ in [:] })
        #expect(try await other.countries() == [us: 3])
    }

    @Test func `a provider that has had enough of us is left alone for longer`() async throws {
        let source = ScriptedSource { _ in throw ScriptedSource.Refusal() }
        let catalog = Catalog(
            sources: [source], settings: .patient(backOff: BackOff(first: 0.01, longest: 0.01), refusalSeconds: 60), log: .none,
            measure: { _, _ in [:] })
        for _ in 0..<10 {
            await #expect(throws: ScriptedSource.Refusal.self) { try await catalog.countries() }
            try await Task.sleep(for: .milliseconds(15))
        }
        #expect(source.asked.withLock { $0.count } == 1)
    }

    @Test func `a provider that has refused one controller is left alone by the others, and after a restart`() async throws {
        let servers = american
        let store = FakeListings()
        let refusing = ScriptedSource { number in
            if number == 1 { throw ScriptedSource.Refusal() }
            return .list(servers: servers, dropped: [:], stamp: ListStamp())
        }
        func catalog() -> Catalog {
            Catalog(sources: [refusing], settings: .patient(refusalSeconds: 600), store: store, log: .none, measure: { _, _ in [:] })
        }
        await #expect(throws: ScriptedSource.Refusal.self) { try await catalog().countries() }
        let error = await #expect(throws: CatalogError.self) { try await catalog().countries() }
        #expect(error?.message.contains("has refused its list") ?? false)
        #expect(refusing.asked.withLock { $0.count } == 1)
        // Ten minutes later.
        var breaker = try #require(try await store.breaker(of: .nordvpn))
        breaker.shift(by: -601)
        try await store.save(breaker, of: .nordvpn)
        #expect(try await catalog().countries() == [us: 3])
        #expect(refusing.asked.withLock { $0.count } == 2)
        #expect(try await store.breaker(of: .nordvpn) == nil)
    }
}
