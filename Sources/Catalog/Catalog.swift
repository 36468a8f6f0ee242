package import Model
package import Planning
package import Platform

/// The servers of all providers, with load and measured latency. The last good list is kept when a provider fails.
package actor Catalog {
    package struct Settings: Sendable {
        /// Seconds between fetches of a provider's list, give or take ten percent.
        package var refreshSeconds: Double
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
        package var breakers: [String: Breaker.State]
        package init(pools: [Pool] = [], held: [Server] = [], breakers: [String: Breaker.State] = [:]) {
            self.pools = pools
            self.held = held
            self.breakers = breakers
        }
    }

    struct Listing {
        var servers: [Server]
        var byCountry: [CountryCode: [Server]]
        var dropped: [String: Int]
        var fetchedAt: Timestamp
        var stamp: ListStamp?

        init(_ stored: StoredListing) {
            servers = stored.servers
            byCountry = Dictionary(grouping: stored.servers, by: \.country)
            dropped = stored.dropped ?? [:]
            fetchedAt = stored.fetchedAt
            stamp = stored.stamp
        }

        var stored: StoredListing { StoredListing(servers: servers, fetchedAt: fetchedAt, dropped: dropped, stamp: stamp) }
    }

    let sources: [any ServerSource]
    let settings: Settings
    let store: (any ListingStore)?
    let log: Log
    private let measure: Measure
    private let resolve: Resolve

    var listings: [ProviderName: Listing] = [:]
    var fetches: [ProviderName: Task<Void, any Error>] = [:]
    /// Providers that failed lately, and the last error.
    var breakers: [ProviderName: Breaker] = [:]
    var errors: [ProviderName: any Error] = [:]
    /// How often in a row a provider's list looked cut short.
    var suspicions: [ProviderName: Int] = [:]
    /// Providers whose stored list was looked for.
    var recalled: Set<ProviderName> = []
    /// By how much of the period a provider's next fetch comes early or late, so that controllers don't fetch in step.
    var jitter: [ProviderName: Double] = [:]

    private var surroundings: @Sendable () -> Surroundings = { Surroundings() }
    var histories: [String: LatencyHistory] = [:]
    var cityTimes: [String: Double] = [:]
    private var lastMeasurement: Task<Void, Never>?
    /// An echo has come back, so that those who are silent are so by themselves.
    private var echoesReturn = false
    private var revision = 0
    private var cached: CatalogSnapshot?

    package init(
        sources: [any ServerSource], settings: Settings = Settings(), store: (any ListingStore)? = nil, log: Log,
        resolve: @escaping Resolve = { _ in [:] }, measure: @escaping Measure
    ) {
        self.sources = sources
        self.settings = settings
        self.store = store
        self.log = log
        self.resolve = resolve
        self.measure = measure
    }

    package nonisolated var providers: [ProviderName] { sources.map(\.provider) }

    /// Tells it where to see pools and exits.
    package func follow(_ view: @escaping @Sendable () -> Surroundings) { surroundings = view }

    /// Keeps lists, and the candidates of all pools, fresh until it is cancelled.
    package func run() async {
        while !Task.isCancelled {
            do { try await refresh() } catch { log.debug("no list of servers yet", ["error": "\(error)"]) }
            for pool in surroundings().pools where !listings.isEmpty { await measureCandidates(for: pool) }
            try? await Task.sleep(for: .seconds(min(30, settings.latencySeconds / 4)))
        }
    }

    // MARK: - What others ask

    /// The servers of a pool, best first by its strategy, the most promising ones measured and resolved. The points are those of each
    /// server by itself: what exits hold and what has failed changes faster than this list is asked for, and is weighed by who chooses.
    package func ranked(for pool: Pool) async throws -> [RankedServer] {
        try await refresh()
        await measureCandidates(for: pool)
        let ranked = ServerRanking.byItself(servers(within: ServerWish(pool)), strategy: pool.strategy, knowledge: knowledge())
        let addresses = await addresses(of: ranked.map(\.server), limit: Self.resolvedOfPool)
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
    package func explained(_ wish: ServerWish, strategy: Strategy) async throws -> [RankedServer] {
        try await refresh()
        var ranked = ranking(of: wish, strategy: strategy)
        for index in ranked.indices { ranked[index].server.latencyMilliseconds = histories[ranked[index].server.hostname]?.figures?.median }
        return ranked
    }

    /// All servers, and what is known about their lists.
    package func snapshot() async throws -> CatalogSnapshot {
        try await refresh()
        if let cached { return cached }
        let now = SystemClock.now()
        let servers = listings.values.flatMap(\.servers).map { server in
            guard let figures = histories[server.hostname]?.figures else { return server }
            var server = server
            server.latencyMilliseconds = figures.median
            return server
        }.sorted(by: ServerRanking.isLessLoaded)
        let snapshot = CatalogSnapshot(
            revision: revision, servers: servers,
            listings: providers.map { name in
                let listing = listings[name]
                return ListingStatus(
                    provider: name, servers: listing?.servers.count ?? 0, dropped: listing?.dropped ?? [:], fetchedAt: listing?.fetchedAt,
                    isStale: listing.map { now - $0.fetchedAt > settings.refreshSeconds * 1.2 } ?? false,
                    problem: errors[name].map { "\($0)" })
            })
        cached = snapshot
        return snapshot
    }

    /// Measures the servers that are wanted, the least loaded where they are too many, and returns them with their figures.
    /// - Returns: by latency, those without an answer last.
    package func measured(_ wish: ServerWish, method: LatencyMethod, limit: Int) async throws -> [(server: Server, figures: LatencyFigures)]
    {
        let all = try await snapshot().servers.filter(wish.contains)
        let chosen = Array(withoutHeld(all, for: method).prefix(limit))
        try await measureNow(chosen, method: method)
        return chosen.compactMap { server in histories[server.hostname]?.figures.map { (server, $0) } }
            .sorted { ($0.1.median ?? .infinity, $0.0.hostname) < ($1.1.median ?? .infinity, $1.0.hostname) }
    }

    /// The nearest servers: one of each city is measured, then the servers of the nearest cities.
    package func fastest(_ wish: ServerWish, method: LatencyMethod, limit: Int) async throws -> [(server: Server, figures: LatencyFigures)]
    {
        let all = withoutHeld(try await snapshot().servers.filter(wish.contains), for: method)
        try await measureNow(ServerRanking.firstOfCities(all, limit: settings.measuredCities), method: method)
        let near = all.sorted { left, right in
            let times = (cityTimes[ServerRanking.city(of: left)] ?? .infinity, cityTimes[ServerRanking.city(of: right)] ?? .infinity)
            return times.0 == times.1 ? ServerRanking.isLessLoaded(left, right) : times.0 < times.1
        }
        var wish = wish
        wish.hostnames = Set(near.prefix(max(limit, settings.measured)).map(\.hostname))
        return Array(try await measured(wish, method: method, limit: wish.hostnames.count).prefix(limit))
    }

    /// How many servers each country has.
    package func countries() async throws -> [CountryCode: Int] {
        try await refresh()
        return listings.values.reduce(into: [:]) { counts, listing in
            for (country, servers) in listing.byCountry { counts[country, default: 0] += servers.count }
        }
    }

    /// Cities of which a latency is remembered.
    package var citiesMeasured: Int { cityTimes.count }

    package func figures() -> [String: LatencyFigures] { histories.compactMapValues(\.figures) }

    // MARK: - Ranking and measuring

    func changed() {
        revision += 1
        cached = nil
    }

    private func ranking(of wish: ServerWish, strategy: Strategy) -> [RankedServer] {
        let around = surroundings()
        var knowledge = knowledge()
        knowledge.held = around.held
        knowledge.breakers = around.breakers
        var generator = SystemRandomNumberGenerator()
        return ServerRanking.ranked(servers(within: wish), strategy: strategy, knowledge: knowledge, seed: generator.next())
    }

    private func servers(within wish: ServerWish) -> [Server] {
        listings.values.flatMap { listing in wish.country.map { listing.byCountry[$0] ?? [] } ?? listing.servers }.filter(wish.contains)
    }

    /// What the measurements say.
    private func knowledge() -> ServerRanking.Knowledge {
        var knowledge = ServerRanking.Knowledge()
        knowledge.latencies = histories.compactMapValues(\.figures)
        knowledge.cities = cityTimes
        return knowledge
    }

    /// One server of each city first; then the best few of what that makes look best. Times that still count are not taken again.
    private func measureCandidates(for pool: Pool) async {
        let previous = lastMeasurement
        let task = Task {
            await previous?.value
            let wish = ServerWish(pool)
            await measureOld(ServerRanking.firstOfCities(servers(within: wish), limit: settings.measuredCities))
            let strategy = pool.strategy == .random ? .balanced : pool.strategy
            await measureOld(ranking(of: wish, strategy: strategy).prefix(settings.measured).map(\.server))
        }
        lastMeasurement = task
        await task.value
    }

    private func measureOld(_ servers: [Server]) async {
        let now = SystemClock.now()
        let old = servers.filter { server in
            histories[server.hostname]?.figures.map { now - $0.measuredAt > settings.latencySeconds } ?? true
        }
        guard !old.isEmpty else { return }
        do {
            // Connections take seconds where nobody answers: they are for machines that can't send echoes, or where none has ever come back.
            do {
                if try await measureNow(old, method: .fping) > 0 { echoesReturn = true }
                if echoesReturn { return }
            } catch { log.debug("no echoes", ["error": "\(error)"]) }
            try await measureNow(old, method: .tcp)
        } catch {
            log.warning("latency can't be measured", ["error": "\(error)"])
        }
    }

    /// How many have answered.
    @discardableResult
    private func measureNow(_ servers: [Server], method: LatencyMethod) async throws -> Int {
        guard !servers.isEmpty else { return 0 }
        let reachable = await resolved(servers)
        // Another name may lead to a server that an exit holds.
        let asked = withoutHeld(reachable, for: method)
        let spared = Set(reachable.map(\.hostname)).subtracting(asked.map(\.hostname))
        let times = try await measure(asked, method)
        let now = SystemClock.now()
        for server in servers where !spared.contains(server.hostname) {
            let time = times[server.hostname]
            histories[server.hostname, default: LatencyHistory()].add(time, by: method, at: now)
            if let time { cityTimes[ServerRanking.city(of: server)] = time }
        }
        changed()
        return times.count
    }

    /// A handshake with a server that an exit holds would take the exit's tunnel from it.
    private func withoutHeld(_ servers: [Server], for method: LatencyMethod) -> [Server] {
        guard method == .wireguard else { return servers }
        let held = surroundings().held
        let names = Set(held.map(\.hostname) + held.map(\.address))
        return servers.filter { !names.contains($0.hostname) && !names.contains($0.address) }
    }

    /// Those that are known by name alone, with an address of this moment; what can't be resolved is left out.
    private func resolved(_ servers: [Server]) async -> [Server] {
        let addresses = await addresses(of: servers, limit: servers.count)
        return servers.compactMap { addressed($0, addresses) }
    }

    /// Addresses of the first `limit` names.
    private func addresses(of servers: [Server], limit: Int) async -> [String: String] {
        let names = servers.lazy.filter(\.needsResolving).map(\.address).prefix(limit)
        return names.isEmpty ? [:] : await resolve(Array(names))
    }

    /// Nil where its name has no address.
    private func addressed(_ server: Server, _ addresses: [String: String]) -> Server? {
        guard server.needsResolving else { return server }
        guard let address = addresses[server.address] else { return nil }
        var server = server
        server.address = address
        return server
    }
}
