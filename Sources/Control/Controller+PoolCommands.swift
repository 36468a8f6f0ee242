import Model
import Planning
import Platform

/// Commands about pools.
extension Controller {
    /// Sets what a country is to have.
    func setPool(_ pool: Pool) async throws {
        try await loaded()
        let ranked = try await findServers(for: pool)
        try await changes.withLock {
            try checkDevices(pool)
            var pool = pool
            // What serves now goes on, until nobody uses it.
            if pool.isOnDemand { pool.onDemand = desired.pools[pool.country].map { !$0.isClosed } ?? false ? .open : .closed }
            try await set(pool, servers: ranked)
        }
        wake()
    }

    func removePool(_ country: CountryCode) async throws {
        try await loaded()
        try await changes.withLock {
            guard desired.pools[country] != nil else {
                throw OperationError(code: .notFound, message: "there is no pool of \(country)")
            }
            try await forget(country)
        }
        wake()
    }

    // MARK: - Parts of these

    /// Refuses what an account can't carry; what makes nothing worse is let through.
    func checkDevices(_ pool: Pool) throws {
        let old = desired.pools[pool.country]
        if let old, old.provider == pool.provider, pool.size + pool.standby <= old.size + old.standby { return }
        var pools = desired.pools
        pools[pool.country] = pool
        guard let excess = rules.devices.excess(of: pools.values, providers: ports.keys.providers) else { return }
        throw OperationError(code: .deviceLimit, message: "\(excess); make a pool smaller, or see the provider's setting devices")
    }

    /// - Parameter ranked: the pool's servers where they are known; nil where they stay as they are.
    func set(_ pool: Pool, servers ranked: [RankedServer]? = nil) async throws {
        try await stored { try await ports.store.save(pool) }
        let old = desired.pools[pool.country]
        desired.pools[pool.country] = pool
        if pool != old {
            let words = "pool \(pool.country) is \(old == nil ? "made" : "changed"): \(pool.difference(from: old))"
            record(.poolChanged, .info, words, country: pool.country, cause: .operator, by: Originator.current)
        }
        if pool.size + pool.standby > (old.map { $0.size + $0.standby } ?? 0) { resetBudget(pool.country) }
        trimFailovers(of: pool.country)
        if let ranked { term.searches.keep(ranked, for: pool.country, now: ports.now()) }
        publishView()
    }

    /// Containers that an operator asks for are no storm, however soon one command follows another.
    func resetBudget(_ country: CountryCode) { term.launches.forget(country) }

    func forget(_ country: CountryCode) async throws {
        try await stored { try await ports.store.removePool(country) }
        desired.pools[country] = nil
        record(.poolRemoved, .info, "pool \(country) is removed", country: country, cause: .operator, by: Originator.current)
        trimFailovers(of: country)
        publishView()
    }

    /// Nobody is waited for that the pool does not want any more.
    private func trimFailovers(of country: CountryCode) {
        let serving = exits.serving(in: country).count
        term.failovers.trim(country, to: max(0, (desired.pools[country]?.sizeNow ?? 0) - serving))
    }

    /// The servers of a pool; refuses one that could never have an exit.
    func findServers(for pool: Pool) async throws -> [RankedServer] {
        if let provider = pool.provider, !ports.keys.providers.contains(provider) {
            throw OperationError(code: .unknownProvider, message: "no provider \(provider) is configured")
        }
        let ranked: [RankedServer]
        do { ranked = try await ports.catalog.ranked(for: pool) } catch {
            note(.catalog, error)
            throw OperationError(code: error is ListUnreadable ? .catalogUnreadable : .catalogUnavailable, message: "\(error)")
        }
        noteFound(pool.country)
        guard !ranked.isEmpty else {
            let place = [pool.city, pool.country.name].compactMap { $0 }.joined(separator: ", ")
            let within = pool.limits == ServerLimits() ? "" : " within the limits of tags and host names"
            throw OperationError(code: .noServer, message: "no provider has a server in \(place)\(within)")
        }
        return ranked
    }
}
