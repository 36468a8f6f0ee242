import Catalog
import Model
import Planning
import Platform
import Synchronization
import TestSupport
import Testing

/// A provider whose answers a test decides.
private final class FakeSource: ServerSource {
    struct Failure: Error {}
    let provider: ProviderName
    private let state: Mutex<(answers: [[Server]?], fetches: Int)>

    /// - Parameter answers: in order, nil for a failure; the last one stays.
    init(_ provider: ProviderName = .nordvpn, _ answers: [Server]?...) {
        self.provider = provider
        state = Mutex((answers, 0))
    }

    var fetches: Int { state.withLock { $0.fetches } }

    func list(newerThan stamp: ListStamp?) async throws -> ListAnswer {
        try await Task.sleep(for: .milliseconds(20))
        let answer = state.withLock { state in
            state.fetches += 1
            return state.answers.count > 1 ? state.answers.removeFirst() : state.answers[0]
        }
        guard let answer else { throw Failure() }
        return .list(servers: answer, dropped: ["offline": 1], stamp: ListStamp())
    }
}

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
            #expect(method == .auto && servers.allSatisfy { $0.country == us })
            let times = ["us2": 80.0, "us3": 9]
            return times.filter { time in servers.contains { $0.hostname == time.key } }
        }
        let ranked = try await catalog.ranked(for: Pool(country: us, size: 1))
        #expect(ranked.map(\.hostname) == ["us3", "us2", "us1"] && ranked.map(\.latencyMilliseconds) == [9, 80, nil])
        #expect(try await catalog.countries() == [us: 3, de: 1])
    }

    @Test func `a pool's city and provider narrow the choice`() async throws {
        let other = ProviderName(rawValue: "other")
        let catalog = catalog(FakeSource(.nordvpn, american), FakeSource(other, [server(7, load: 1, provider: other)]))
        #expect(try await catalog.ranked(for: Pool(country: us, size: 1, city: "mIAMI")).map(\.hostname) == ["us2"])
        #expect(try await catalog.ranked(for: Pool(country: us, size: 1, provider: other)).map(\.hostname) == ["us7"])
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
        try await eventually("it is asked again") { (try? await catalog.ranked(for: Pool(country: us, size: 1)))?.count == 3 }
        #expect(source.fetches == 2)
    }

    @Test func `one provider that fails doesn't take the others along`() async throws {
        let catalog = catalog(FakeSource(ProviderName(rawValue: "other"), nil), FakeSource(.nordvpn, american))
        #expect(try await catalog.ranked(for: Pool(country: us, size: 1)).count == 3)
    }

    @Test(arguments: [nil, []] as [[Server]?])
    func `the last good list is kept when a refresh fails or brings nothing`(answer: [Server]?) async throws {
        let source = FakeSource(.nordvpn, american, answer)
        let catalog = catalog(source, refresh: 0.01)
        #expect(try await catalog.ranked(for: Pool(country: us, size: 1)).count == 3)
        try await Task.sleep(for: .milliseconds(30))
        // The old list is given at once, the new one fetched meanwhile.
        try await eventually("it has been fetched again") {
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
        let catalog = catalog(source) { servers, _ in
            measured.withLock { $0 += servers.map(\.address) }
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
        #expect(try await catalog.ranked(for: Pool(country: us, size: 1)).map(\.hostname) == ["us2", "us3", "us1"])
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

    @Test func `without a provider there is a clear error`() async throws {
        await #expect(throws: CatalogError.self) { try await catalog().countries() }
    }
}
