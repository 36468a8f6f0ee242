package import Model
import Planning
import Platform

/// How servers are measured and resolved.
extension Catalog {
    /// Measures the servers that are wanted, the least loaded where they are too many, and returns them with their figures.
    /// - Returns: by latency, those without an answer last.
    package func measured(_ filter: ServerFilter, method: LatencyMethod, limit: Int) async throws -> [(
        server: Server, figures: LatencyFigures
    )] {
        let all = try await snapshot(for: filter.provider).servers.filter(filter.contains)
        let chosen = Array(withoutHeld(all, for: method).prefix(limit))
        try await measureNow(chosen, method: method)
        return chosen.compactMap { server in histories[server.hostname]?.figures.map { (server, $0) } }
            .sorted { ($0.1.median ?? .infinity, $0.0.hostname) < ($1.1.median ?? .infinity, $1.0.hostname) }
    }

    /// One server of each city first; then the best few of what that makes look best. Times that still count are not taken again.
    func measureCandidates(for pool: Pool) async {
        let previous = lastMeasurement
        let task = Task {
            await previous?.value
            let filter = ServerFilter(pool)
            await measureOld(ServerRanking.firstOfCities(servers(within: filter), limit: settings.measuredCities))
            let strategy = pool.strategy == .random ? .balanced : pool.strategy
            await measureOld(ranking(of: filter, strategy: strategy).prefix(settings.measured).map(\.server))
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
                if try await !measureNow(old, method: .fping).isEmpty { echoesReturn = true }
                if echoesReturn { return }
            } catch  where !(error is CatalogError) { log.debug("no echoes", ["error": "\(error)"]) }
            try await measureNow(old, method: .tcp)
        } catch {
            log.warning("latency can't be measured", ["error": "\(error)"])
        }
    }

    /// - Returns: the milliseconds of those that have answered, by host name.
    @discardableResult
    func measureNow(_ servers: [Server], method: LatencyMethod) async throws -> [String: Double] {
        guard !servers.isEmpty else { return [:] }
        let reachable = await resolved(servers)
        if reachable.isEmpty { throw unresolved(servers.count, servers[0]) }
        // Another name may lead to a server that an exit holds.
        let asked = withoutHeld(reachable, for: method)
        let spared = Set(reachable.map(\.hostname)).subtracting(asked.map(\.hostname))
        let times = try await measure(asked, method)
        let now = SystemClock.now()
        for server in servers where !spared.contains(server.hostname) {
            let time = times[server.hostname]
            histories[server.hostname, default: LatencyHistory()].add(time, by: method, at: now)
            if let time { cityTimes[ServerCity(of: server)] = time }
        }
        changed()
        return times
    }

    /// A handshake with a server that an exit holds would take the exit's tunnel from it.
    func withoutHeld(_ servers: [Server], for method: LatencyMethod) -> [Server] {
        guard method == .wireguard else { return servers }
        let held = surroundings().held
        let names = Set(held.flatMap { [$0.hostname, $0.address, $0.account].compactMap(\.self) })
        return servers.filter { names.isDisjoint(with: [$0.hostname, $0.address, $0.account].compactMap(\.self)) }
    }

    /// Forgets the measurements of servers that have left every list: old ones, and all but the latest. Those of a city go with its
    /// last server.
    func forgetAbsent(_ now: Timestamp) {
        let listed = listings.reduce(into: Set<String>()) { names, listing in names.formUnion(listing.servers.lazy.map(\.hostname)) }
        let absent = histories.filter { !listed.contains($0.key) }.mapValues { $0.figures?.measuredAt ?? now }
        let kept = absent.filter { abs(now - $0.value) <= settings.absentSeconds }.sorted { $0.value > $1.value }.prefix(
            settings.absentServers)
        for name in Set(absent.keys).subtracting(kept.map(\.key)) { histories[name] = nil }
        let cities = listings.reduce(into: Set<ServerCity>()) { $0.formUnion($1.servers.lazy.map(ServerCity.init)) }
        cityTimes = cityTimes.filter { cities.contains($0.key) }
    }

    // MARK: - Names

    /// Those that are known by name alone, with an address of this moment; what can't be resolved is left out.
    private func resolved(_ servers: [Server]) async -> [Server] {
        let addresses = await addresses(ofFirst: servers.count, of: servers)
        return servers.compactMap { addressed($0, addresses) }
    }

    /// Addresses of the first `count` names; of the next ones where none of these has any, four times at most.
    func addresses(ofFirst count: Int, of servers: [Server]) async -> [String: String] {
        let names = servers.filter(\.needsResolving).map(\.address)
        for start in stride(from: 0, to: min(names.count, 4 * count), by: max(1, count)) {
            let found = await resolve(Array(names[start..<min(names.count, start + count)]))
            if !found.isEmpty { return found }
        }
        return [:]
    }

    /// Nil where its name has no address.
    func addressed(_ server: Server, _ addresses: [String: String]) -> Server? {
        guard server.needsResolving else { return server }
        guard let address = addresses[server.address] else { return nil }
        var server = server
        server.address = address
        return server
    }

    func unresolved(_ count: Int, _ example: Server) -> CatalogError {
        CatalogError(
            message: "none of the names of \(example.provider)'s servers in \(example.country.name) has an address (\(count) servers, like "
                + "\(example.address)): check this machine's resolver")
    }
}
