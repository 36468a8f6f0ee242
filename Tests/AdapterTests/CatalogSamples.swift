import Catalog
import Model
import Planning
import Platform
import Synchronization

func listed(_ number: Int, _ country: CountryCode = us, load: Int, city: String = "Dallas", provider: ProviderName = .nordvpn)
    -> Server
{
    Server(
        provider: provider, hostname: "\(country.lowercased)\(number)", address: "198.18.0.\(number)", port: 51820, publicKey: "k",
        country: country, city: city, load: load)
}

/// Three servers of the US.
let american = [listed(1, load: 30), listed(2, load: 10, city: "Miami"), listed(3, load: 12)]

func catalogOf(
    _ sources: any ServerSource..., refresh: Double = 3600, pause: Double = 1, measure: @escaping Catalog.Measure = { _, _ in [:] }
) -> Catalog {
    let settings = Catalog.Settings.patient(refreshSeconds: refresh, backOff: BackOff(first: pause))
    return Catalog(sources: sources, settings: settings, log: .none, breakers: .patient, measure: measure)
}

/// Keeps lists in memory.
final class FakeListings: ListingStore {
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

/// A provider that remembers what it was asked, and answers as it is told.
final class ScriptedSource: ServerSource {
    struct Refusal: SourceFailure {
        let isRefusal = true
        let retryAfter: Double? = nil
    }
    let provider: ProviderName
    let asked = Mutex<[ListStamp?]>([])
    private let answer: @Sendable (Int) throws -> ListAnswer
    init(_ provider: ProviderName = .nordvpn, _ answer: @escaping @Sendable (Int) throws -> ListAnswer) {
        self.provider = provider
        self.answer = answer
    }

    func list(newerThan stamp: ListStamp?) async throws -> ListAnswer {
        let number = asked.withLock { asked in
            asked.append(stamp)
            return asked.count
        }
        try await Task.sleep(for: .milliseconds(30))
        return try answer(number)
    }
}

extension ProviderBreakers {
    /// New ones, for which a call that a busy machine has held up is no long one.
    static var patient: ProviderBreakers {
        var rules = Breaker.ofProviders
        rules.window?.seconds = 600
        return ProviderBreakers(rules: rules)
    }
}

extension Catalog.Settings {
    /// Who asks waits for as long as a busy machine may need.
    static func patient(
        refreshSeconds: Double = 3600, backOff: BackOff = BackOff(first: 1, longest: 300), refusalSeconds: Double = 300
    ) -> Catalog.Settings {
        var settings = Catalog.Settings(refreshSeconds: refreshSeconds, backOff: backOff, refusalSeconds: refusalSeconds)
        (settings.patience, settings.shortPatience) = (30, 30)
        return settings
    }
}
