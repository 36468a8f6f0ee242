package import Model
package import Planning
package import Platform

/// One provider's list, as the catalog asks for it.
package protocol ServerSource: Sendable {
    var provider: ProviderName { get }
    /// The servers that can be used, and how many rows could not, by reason.
    func servers() async throws -> (servers: [Server], dropped: [String: Int])
}

/// A provider's list as it was fetched.
package struct StoredListing: Codable, Sendable, Equatable {
    package var servers: [Server]
    package var fetchedAt: Timestamp

    package init(servers: [Server], fetchedAt: Timestamp) {
        self.servers = servers
        self.fetchedAt = fetchedAt
    }
}

/// Keeps the last good lists, so that a start works while a provider's API is away.
package protocol ListingStore: Sendable {
    func listing(of provider: ProviderName) async throws -> StoredListing?
    func save(_ listing: StoredListing, of provider: ProviderName) async throws
}

/// No list of servers could be had.
package struct CatalogError: Error, CustomStringConvertible {
    package var message: String
    package var description: String { "catalog: \(message)" }
}

/// The servers of all providers, with load and measured latency. The last good list is kept when a provider fails.
package actor Catalog {
    package struct Settings: Sendable {
        /// Seconds between fetches of a provider's list.
        package var refreshSeconds: Double
        /// Seconds for which a measured latency counts.
        package var latencySeconds: Double
        /// Servers of a country that are measured.
        package var measured: Int
        /// Pauses after a failed fetch.
        package var backOff: BackOff

        package init(
            refreshSeconds: Double = 3600, latencySeconds: Double = 300, measured: Int = 10,
            backOff: BackOff = BackOff(first: 1, longest: 300)
        ) {
            self.refreshSeconds = refreshSeconds
            self.latencySeconds = latencySeconds
            self.measured = measured
            self.backOff = backOff
        }
    }

    package typealias Measure = @Sendable (_ addresses: [String]) async throws -> [String: Double]

    private struct Listing {
        var byCountry: [CountryCode: [Server]]
        var fetchedAt: Timestamp

        init(_ stored: StoredListing) {
            byCountry = Dictionary(grouping: stored.servers, by: \.country)
            fetchedAt = stored.fetchedAt
        }

        var servers: [Server] { byCountry.values.flatMap { $0 } }
    }

    /// Times in a row that a list must look cut short before it is believed.
    private static let believedAfter = 3

    private let sources: [any ServerSource]
    private let settings: Settings
    private let measure: Measure
    private let store: (any ListingStore)?
    private let log: Log
    private var listings: [ProviderName: Listing] = [:]
    private var fetches: [ProviderName: Task<Void, any Error>] = [:]
    /// Providers that failed: how often in a row, why, and until when they are left alone.
    private var failures: [ProviderName: (count: Int, error: any Error, until: Timestamp)] = [:]
    /// How often in a row a provider's list looked cut short.
    private var suspicions: [ProviderName: Int] = [:]
    /// Providers whose stored list was looked for.
    private var recalled: Set<ProviderName> = []
    /// Nil for one that did not answer.
    private var latencies: [String: (milliseconds: Double?, at: Timestamp)] = [:]

    package init(
        sources: [any ServerSource], settings: Settings = Settings(), store: (any ListingStore)? = nil, log: Log,
        measure: @escaping Measure
    ) {
        self.sources = sources
        self.settings = settings
        self.store = store
        self.log = log
        self.measure = measure
    }

    package nonisolated var providers: [ProviderName] { sources.map(\.provider) }

    /// The servers of a pool, best first by its strategy, the most promising ones measured.
    package func ranked(for pool: Pool) async throws -> [Server] {
        try await refresh()
        var servers = listings.values.flatMap { $0.byCountry[pool.country] ?? [] }
        if let provider = pool.provider { servers.removeAll { $0.provider != provider } }
        if let city = pool.city?.lowercased() { servers.removeAll { $0.city?.lowercased() != city } }
        await measureLatency(of: ServerRanking.worthMeasuring(servers, limit: settings.measured))
        for index in servers.indices { servers[index].latencyMilliseconds = latencies[servers[index].address]?.milliseconds }
        var generator = SystemRandomNumberGenerator()
        return ServerRanking.ranked(servers, strategy: pool.strategy, seed: generator.next())
    }

    /// All servers of a provider, or of all, with what is known of their latency: least loaded first.
    package func servers(of provider: ProviderName?) async throws -> [Server] {
        try await refresh()
        return listings.filter { provider == nil || $0.key == provider }.values.flatMap(\.servers).map { server in
            var server = server
            server.latencyMilliseconds = latencies[server.address]?.milliseconds
            return server
        }.sorted { ($0.load, $0.hostname) < ($1.load, $1.hostname) }
    }

    /// How many servers each country has.
    package func countries() async throws -> [CountryCode: Int] {
        try await refresh()
        return listings.values.reduce(into: [:]) { counts, listing in
            for (country, servers) in listing.byCountry { counts[country, default: 0] += servers.count }
        }
    }

    /// Fetches what is missing or old. Fails only when no provider has ever given a list.
    package func refresh() async throws {
        var problem: (any Error)?
        for source in sources {
            await recall(source.provider)
            let isOld = listings[source.provider].map { SystemClock.now() - $0.fetchedAt > settings.refreshSeconds } ?? true
            guard isOld else { continue }
            if let failure = failures[source.provider], SystemClock.now() < failure.until {
                problem = failure.error
                continue
            }
            let task = fetches[source.provider] ?? Task { try await self.fetch(source) }
            fetches[source.provider] = task
            // An old list is better than waiting for a new one.
            guard listings[source.provider] == nil else { continue }
            do { try await task.value } catch { problem = error }
        }
        if listings.isEmpty { throw problem ?? CatalogError(message: "no provider is configured") }
    }

    /// Takes the stored list of a provider, once, where there is none yet.
    private func recall(_ provider: ProviderName) async {
        guard let store, listings[provider] == nil, !recalled.contains(provider) else { return }
        do {
            let stored = try await store.listing(of: provider)
            recalled.insert(provider)
            // Another caller may have been faster, with a newer one.
            guard let stored, listings[provider] == nil else { return }
            listings[provider] = Listing(stored)
            let minutes = Int((SystemClock.now() - stored.fetchedAt) / 60)
            log.info("catalog of \(provider): \(stored.servers.count) servers from the store", ["age_min": String(minutes)])
        } catch {
            log.debug("the stored catalog of \(provider) can't be read", ["error": "\(error)"])
        }
    }

    /// Refuses a list that looks cut short, until the provider has said the same several times.
    private func believe(_ servers: [Server], of provider: ProviderName) throws {
        guard let suspicion = ListComparison.suspicion(old: listings[provider]?.servers ?? [], new: servers) else {
            suspicions[provider] = nil
            return
        }
        let count = (suspicions[provider] ?? 0) + 1
        suspicions[provider] = count
        guard count < Self.believedAfter else {
            suspicions[provider] = nil
            return log.warning("catalog of \(provider): a list that looks cut short is believed, for it came \(count) times")
        }
        throw CatalogError(message: "the new list is held back, for \(suspicion)")
    }

    private func fetch(_ source: any ServerSource) async throws {
        defer { fetches[source.provider] = nil }
        do {
            let (servers, dropped) = try await source.servers()
            let reasons = dropped.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
            // No provider has given up all of its servers: such an answer must not cost us the list that we have.
            guard !servers.isEmpty else {
                throw CatalogError(
                    message: "\(source.provider) lists no server that can be used (dropped: \(reasons.isEmpty ? "none" : reasons))")
            }
            try believe(servers, of: source.provider)
            let listing = StoredListing(servers: servers, fetchedAt: SystemClock.now())
            listings[source.provider] = Listing(listing)
            failures[source.provider] = nil
            log.info("catalog of \(source.provider): \(servers.count) servers", ["dropped": reasons.isEmpty ? "none" : reasons])
            await keep(listing, of: source.provider)
        } catch {
            log.warning("catalog of \(source.provider) can't be fetched", ["error": "\(error)"])
            // A failing provider is asked less and less often; what it gave before is used meanwhile.
            let count = (failures[source.provider]?.count ?? 0) + 1
            let now = SystemClock.now()
            // A list that is held back is asked for again when it would have been anyway.
            let isHeldBack = suspicions[source.provider] != nil
            let pause =
                isHeldBack
                ? settings.refreshSeconds : settings.backOff.pause(attempts: count, salt: UInt64(truncatingIfNeeded: now.milliseconds))
            failures[source.provider] = (count, error, now + pause)
            throw error
        }
    }

    private func keep(_ listing: StoredListing, of provider: ProviderName) async {
        do { try await store?.save(listing, of: provider) } catch {
            log.warning("catalog of \(provider) can't be stored", ["error": "\(error)"])
        }
    }

    private func measureLatency(of servers: [Server]) async {
        let now = SystemClock.now()
        let addresses = servers.map(\.address).filter { latencies[$0].map { now - $0.at > settings.latencySeconds } ?? true }
        guard !addresses.isEmpty else { return }
        do {
            let times = try await measure(addresses)
            for address in addresses { latencies[address] = (times[address], now) }
        } catch {
            log.warning("latency can't be measured", ["error": "\(error)"])
        }
    }
}
