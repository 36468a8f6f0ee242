package import Model
package import Planning
package import Platform
import Synchronization

/// The servers of all providers, with load and measured latency. The last good list is kept when a provider fails.
package actor Catalog {
    package struct Settings: Sendable {
        /// Seconds between fetches of a provider's list, give or take ten percent.
        package var refreshSeconds: Double
        /// The same where a provider has a period of its own; and the most for which a country is answered without a look for a newer list.
        package var providerSeconds: [ProviderName: Double] = [:]
        package var countrySeconds: [CountryCode: Double] = [:]
        /// The same for a list that is made on this machine.
        package var localSeconds = 5.0
        /// Seconds for which a measured latency counts.
        package var latencySeconds: Double
        /// Servers on no list whose measurements are kept, since a list may come back; and seconds since the last measurement of each.
        package var absentServers = 500
        package var absentSeconds = 3_600.0
        /// Servers of a pool that are measured, beside one of each city; and cities at most.
        package var measured: Int
        package var measuredCities: Int
        /// Pauses after a failed fetch.
        package var backOff: BackOff
        /// The shortest pause after a provider has had enough of us.
        package var refusalSeconds: Double
        /// The longest pause after a failed fetch where there is no list at all.
        package var longestWithoutList = 30.0
        /// Seconds that a caller waits for a first list; and where another provider has given one, or the last fetch failed.
        package var patience = 5.0
        package var shortPatience = 1.0

        package init(
            refreshSeconds: Double = 3600, latencySeconds: Double = 300, measured: Int = 10, measuredCities: Int = 100,
            backOff: BackOff = BackOff(first: 1, longest: 300), refusalSeconds: Double = 300
        ) {
            self.refreshSeconds = refreshSeconds
            self.latencySeconds = latencySeconds
            self.measured = measured
            self.measuredCities = measuredCities
            self.backOff = backOff
            self.refusalSeconds = refusalSeconds
        }

        /// Seconds for which a list of this provider counts as new, where it is asked for a country.
        func period(of provider: ProviderName, for country: CountryCode? = nil) -> Double {
            let own = providerSeconds[provider] ?? refreshSeconds
            return min(own, country.flatMap { countrySeconds[$0] } ?? own)
        }
    }

    /// Milliseconds by host name; a server that is missing did not answer.
    package typealias Measure = @Sendable (_ servers: [Server], _ method: LatencyMethod) async throws -> [String: Double]
    /// IPv4 addresses of names; a name that is missing can't be resolved.
    package typealias Resolve = @Sendable (_ names: [String]) async -> [String: String]

    /// What goes on around the catalog.
    package struct Surroundings: Sendable {
        package var pools: [Pool]
        /// Servers that exits hold.
        package var held: [Server]
        package var breakers: [BreakerKey: Breaker.State]
        package init(pools: [Pool] = [], held: [Server] = [], breakers: [BreakerKey: Breaker.State] = [:]) {
            self.pools = pools
            self.held = held
            self.breakers = breakers
        }
    }

    let sources: [any ServerSource]
    let settings: Settings
    let store: (any ListingStore)?
    let log: Log
    let measure: Measure
    let resolve: Resolve
    package nonisolated let breakers: ProviderBreakers
    /// What is told of each provider's list, for readers on any thread.
    let board: Mutex<[ProviderName: ListingStatus]>

    var known: [ProviderName: KnownProvider] = [:]
    /// Callers that wait for a fetch to end.
    var waiters: [Int: AsyncStream<Void>.Continuation] = [:]
    var nextWaiter = 0

    var surroundings: @Sendable () -> Surroundings = { Surroundings() }
    var histories: [String: LatencyHistory] = [:]
    var cityTimes: [ServerCity: Double] = [:]
    var lastMeasurement: Task<Void, Never>?
    /// An echo has come back, so that those who are silent are so by themselves.
    var echoesReturn = false
    var revision = 0
    var cached: CatalogSnapshot?

    package init(
        sources: [any ServerSource], settings: Settings = Settings(), store: (any ListingStore)? = nil, log: Log,
        breakers: ProviderBreakers = ProviderBreakers(), resolve: @escaping Resolve = { _ in [:] }, measure: @escaping Measure
    ) {
        self.sources = sources
        self.settings = settings
        self.store = store
        self.log = log
        self.breakers = breakers
        self.resolve = resolve
        self.measure = measure
        let now = SystemClock.now()
        board = Mutex(
            sources.reduce(into: [:]) {
                $0[$1.provider] = ListingStatus(provider: $1.provider, isLocal: $1.isLocal, lackingSince: now)
            })
    }

    package nonisolated var providers: [ProviderName] { sources.map(\.provider) }

    nonisolated func isLocal(_ name: ProviderName) -> Bool { sources.contains { $0.provider == name && $0.isLocal } }

    /// Where controllers share what they know of a provider; nil for what is this one's own.
    func store(of name: ProviderName) -> (any ListingStore)? { isLocal(name) ? nil : store }

    subscript(name: ProviderName) -> KnownProvider {
        get { known[name] ?? KnownProvider() }
        set { known[name] = newValue }
    }

    /// The lists of all providers that have given one.
    var listings: [Listing] { known.values.compactMap(\.listing) }

    /// Tells it where to see pools and exits.
    package func follow(_ view: @escaping @Sendable () -> Surroundings) { surroundings = view }

    /// Keeps lists, and the candidates of all pools, fresh until it is cancelled.
    package func run() async {
        while !Task.isCancelled {
            do { try await refresh() } catch { log.debug("no list of servers yet", ["error": "\(error)"]) }
            for pool in surroundings().pools where !listings.isEmpty { await measureCandidates(for: pool) }
            // Who has no list yet is asked again as soon as it may be.
            let isWhole = providers.allSatisfy { self[$0].listing != nil }
            let longest = sources.contains(where: \.isLocal) ? settings.localSeconds : 30
            try? await Task.sleep(for: .seconds(isWhole ? min(longest, settings.latencySeconds / 4) : 1))
        }
    }

    func changed() {
        revision += 1
        cached = nil
        board.withLock { board in for name in providers { board[name] = status(of: name, board[name]) } }
    }
}
