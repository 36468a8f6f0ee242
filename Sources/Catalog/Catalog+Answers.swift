package import Model
import Planning
import Platform

/// What others ask of the catalog.
extension Catalog {
    /// The servers of a pool, best first by its strategy, the most promising ones measured and resolved. The points are those of each
    /// server by itself: what exits hold and what has failed changes faster than this list is asked for, and is weighed by who chooses.
    /// - Throws: where there is none, though only for want of a list or of a resolver.
    /// - Parameter isMeasured: false to go by what was measured before.
    package func ranked(for pool: Pool, isMeasured: Bool = true) async throws -> [RankedServer] {
        try await refresh(for: pool.provider, country: pool.country)
        if isMeasured { await measureCandidates(for: pool) }
        let wanted = servers(within: ServerFilter(pool))
        // Who has given no list may have servers there.
        let silent = providers.filter { self[$0].listing == nil && pool.provider ?? $0 == $0 }
        if wanted.isEmpty, !silent.isEmpty { throw lack(of: silent) }
        let ranked = ServerRanking.byItself(wanted, strategy: pool.strategy, knowledge: knowledge())
        let found = await resolved(ranked)
        if found.isEmpty, let first = ranked.first { throw unresolved(ranked.count, first.server) }
        return found
    }

    /// Those whose address is known, with what was measured of them.
    private func resolved(_ ranked: [RankedServer]) async -> [RankedServer] {
        let addresses = await addresses(ofFirst: Self.resolvedOfPool, of: ranked.map(\.server))
        return ranked.compactMap { entry in
            guard let server = addressed(entry.server, addresses) else { return nil }
            var entry = entry
            entry.server = server
            entry.server.latencyMilliseconds = histories[server.hostname]?.figures?.median
            return entry
        }
    }

    /// Servers of a pool that are resolved where only their names are known, the best by themselves first.
    private static let resolvedOfPool = 50

    /// The same with the score of each, and nothing measured for it.
    package func explained(_ filter: ServerFilter, strategy: Strategy) async throws -> [RankedServer] {
        try await refresh(for: filter.provider, country: filter.country)
        var ranked = ranking(of: filter, strategy: strategy)
        for index in ranked.indices { ranked[index].server.latencyMilliseconds = histories[ranked[index].server.hostname]?.figures?.median }
        return ranked
    }

    /// All servers, and what is known about their lists.
    /// - Parameter provider: whose list is needed; nil where any will do.
    package func snapshot(for provider: ProviderName? = nil) async throws -> CatalogSnapshot {
        try await refresh(for: provider)
        if let cached { return cached }
        let servers = listings.flatMap(\.servers).map { server in
            guard let figures = histories[server.hostname]?.figures else { return server }
            var server = server
            server.latencyMilliseconds = figures.median
            return server
        }.sorted(by: ServerRanking.isLessLoaded)
        let snapshot = CatalogSnapshot(revision: revision, servers: servers, listings: statuses)
        cached = snapshot
        return snapshot
    }

    /// The countries that have servers, by the lists that are known; nil where none is.
    package var knownCountries: Set<CountryCode>? {
        let listings = listings
        return listings.isEmpty ? nil : listings.reduce(into: []) { $0.formUnion($1.byCountry.keys) }
    }

    /// How many servers each country has.
    package func countries() async throws -> [CountryCode: Int] {
        try await refresh()
        return listings.reduce(into: [:]) { counts, listing in
            for (country, servers) in listing.byCountry { counts[country, default: 0] += servers.count }
        }
    }

    /// Cities of which a latency is remembered.
    package var citiesMeasured: Int { cityTimes.count }

    package func figures() -> [String: LatencyFigures] { histories.compactMapValues(\.figures) }

    // MARK: - Parts of these

    func ranking(of filter: ServerFilter, strategy: Strategy) -> [RankedServer] {
        let around = surroundings()
        var knowledge = knowledge()
        knowledge.held = around.held
        knowledge.breakers = around.breakers
        var generator = SystemRandomNumberGenerator()
        return ServerRanking.ranked(servers(within: filter), strategy: strategy, knowledge: knowledge, seed: generator.next())
    }

    func servers(within filter: ServerFilter) -> [Server] {
        listings.flatMap { listing in filter.country.map { listing.byCountry[$0] ?? [] } ?? listing.servers }.filter(filter.contains)
    }

    /// What the measurements say.
    func knowledge() -> ServerRanking.Knowledge {
        var knowledge = ServerRanking.Knowledge()
        knowledge.latencies = histories.compactMapValues(\.figures)
        knowledge.cities = cityTimes
        return knowledge
    }
}
