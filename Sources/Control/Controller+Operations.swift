package import Model
import Planning
import Platform

/// What an operator can ask for. A change is in the store before it is acknowledged.
package struct OperationError: Error, CustomStringConvertible {
    package enum Code: String, Sendable {
        case notFound = "not_found"
        case poolFull = "pool_full"
        case deviceLimit = "device_limit"
        case noServer = "no_server"
        case catalogUnavailable = "catalog_unavailable"
        case catalogUnreadable = "catalog_unreadable"
        case storeUnavailable = "store_unavailable"
        case engineUnavailable = "engine_unavailable"
        case unknownProvider = "unknown_provider"
        case notLeader = "not_leader"
        case networksTooWide = "networks_too_wide"
        case exists
    }

    package var code: Code
    package var message: String
    package var description: String { message }

    package init(code: Code, message: String) {
        self.code = code
        self.message = message
    }
}

extension Controller {
    /// One more exit for a country; its pool grows by one, or begins, and takes the settings that the wish names.
    package func addExit(_ wish: ExitRequest) async throws -> Exit {
        try await loaded()
        let ranked = try await findServers(for: wish.grown(desired.pools[wish.country]))
        return try await changes.pass {
            let pool = wish.grown(desired.pools[wish.country])
            guard pool.size <= Pool.sizeLimit else {
                throw OperationError(code: .poolFull, message: "the pool of \(pool.country) has \(Pool.sizeLimit) exits, which is the most")
            }
            // Made here and not in the next pass, so that the answer can name it.
            func newExit() throws -> Exit {
                guard let exit = Planner.newExit(country: pool.country, among: exits, now: ports.now()) else {
                    throw OperationError(code: .poolFull, message: "every slot of \(pool.country) is taken until an exit has left")
                }
                return exit
            }
            _ = try newExit()
            try checkDevices(pool)
            try await set(pool, servers: ranked)
            let exit = try newExit()
            var new = exits
            new[exit.id] = exit
            take(new)
            await saveExits()
            wake()
            return exits[exit.id] ?? exit
        }
    }

    /// Takes an exit away, after its connections; its pool shrinks by one, or ends.
    package func removeExit(_ id: ExitID) async throws -> Exit {
        try await loaded()
        return try await changes.pass {
            let exit = try known(id)
            guard !exit.leaving else { return exit }
            let left = try await saveAsLeaving(exit, reason: .unwanted)
            if var pool = desired.pools[id.country] {
                pool.size -= 1
                if pool.size > 0 { try await set(pool) } else { try await forget(id.country) }
            }
            return await leave(id, reason: .unwanted) ?? left
        }
    }

    /// Moves an exit's place in the pool to another server: the new one serves before the old one leaves.
    package func rotate(_ id: ExitID) async throws -> Exit {
        try await loaded()
        return try await changes.pass {
            let left = try await saveAsLeaving(try known(id), reason: .rotated)
            servers[id.country] = nil
            beginBudgetAnew(id.country)
            return await leave(id, reason: .rotated) ?? left
        }
    }

    /// Sets what a country is to have.
    package func setPool(_ pool: Pool) async throws {
        try await loaded()
        let ranked = try await findServers(for: pool)
        try await changes.pass {
            try checkDevices(pool)
            try await set(pool, servers: ranked)
        }
        wake()
    }

    package func removePool(_ country: CountryCode) async throws {
        try await loaded()
        try await changes.pass {
            guard desired.pools[country] != nil else {
                throw OperationError(code: .notFound, message: "there is no pool of \(country)")
            }
            try await forget(country)
        }
        wake()
    }

    /// The last lines that an exit's container wrote.
    package func logs(of id: ExitID, lines: Int) async throws -> String {
        guard let container = try known(id).container else { return "" }
        do { return try await ports.engine.logs(of: container, lines: lines) } catch {
            throw OperationError(code: .engineUnavailable, message: "\(error)")
        }
    }

    /// What the probes of an exit said, newest first.
    package func history(of id: ExitID, limit: Int) async throws -> [HealthSample] {
        _ = try known(id)
        return try await read { try await ports.store.history(of: id, limit: limit) }
    }

    private func read<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
        do { return try await body() } catch {
            throw OperationError(code: .storeUnavailable, message: "the store does not answer: \(error)")
        }
    }

    // MARK: - Parts of these

    /// Until the store was read, nobody knows what a change would change.
    func loaded() async throws {
        if !hasLoaded { try await stored { try await load() } }
    }

    private func known(_ id: ExitID) throws -> Exit {
        guard let exit = exits[id] else { throw OperationError(code: .notFound, message: "there is no exit \(id)") }
        return exit
    }

    private func saveAsLeaving(_ exit: Exit, reason: ExitReason) async throws -> Exit {
        var exit = exit
        exit.leaving = true
        exit.reason = reason
        try await stored { try await saveAhead(exit) }
        return exit
    }

    /// Nil where it has gone meanwhile.
    private func leave(_ id: ExitID, reason: ExitReason) async -> Exit? {
        guard var exit = exits[id] else { return nil }
        exit.leaving = true
        exit.reason = reason
        var new = exits
        new[id] = exit
        take(new)
        wake()
        // The loop may have saved it in between as it was.
        await saveExits()
        return exit
    }

    /// Refuses what an account can't carry; what makes nothing worse is let through.
    private func checkDevices(_ pool: Pool) throws {
        let old = desired.pools[pool.country]
        if let old, old.provider == pool.provider, pool.size + pool.standby <= old.size + old.standby { return }
        var pools = desired.pools
        pools[pool.country] = pool
        guard let excess = settings.rules.devices.excess(of: pools.values, providers: ports.keys.providers) else { return }
        throw OperationError(code: .deviceLimit, message: "\(excess); make a pool smaller, or see the provider's setting devices")
    }

    /// - Parameter ranked: the pool's servers where they are known; nil where they stay as they are.
    private func set(_ pool: Pool, servers ranked: [RankedServer]? = nil) async throws {
        try await stored { try await ports.store.save(pool) }
        let old = desired.pools[pool.country]
        desired.pools[pool.country] = pool
        if pool != old {
            let words = "pool \(pool.country) is \(old == nil ? "made" : "changed"): \(pool.difference(from: old))"
            record(.poolChanged, .info, words, country: pool.country, cause: "operator", by: Originator.current)
        }
        if pool.size + pool.standby > (old.map { $0.size + $0.standby } ?? 0) { beginBudgetAnew(pool.country) }
        trimFailovers(of: pool.country)
        if let ranked { servers[pool.country] = (ranked, ports.now()) }
        publishView()
    }

    /// Containers that an operator asks for are no storm, however soon one wish follows another.
    private func beginBudgetAnew(_ country: CountryCode) { launches[country] = nil }

    private func forget(_ country: CountryCode) async throws {
        try await stored { try await ports.store.removePool(country) }
        desired.pools[country] = nil
        record(.poolRemoved, .info, "pool \(country) is removed", country: country, cause: "operator", by: Originator.current)
        trimFailovers(of: country)
        publishView()
    }

    /// Nobody is waited for that the pool does not want any more.
    private func trimFailovers(of country: CountryCode) {
        let serving = exits.values.count { $0.country == country && $0.state.takesTraffic }
        failovers.trim(country, to: max(0, (desired.pools[country]?.size ?? 0) - serving))
    }

    /// The servers of a pool; refuses one that could never have an exit.
    private func findServers(for pool: Pool) async throws -> [RankedServer] {
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

    func stored(_ body: () async throws -> Void) async throws {
        do {
            try await body()
            clear(.store)
        } catch let error as NotLeader {
            throw OperationError(code: .notLeader, message: "nothing was changed: \(error); ask again")
        } catch let error as StoreFull {
            note(.store, error)
            throw OperationError(code: .storeUnavailable, message: "nothing was changed: \(error)")
        } catch {
            note(.store, error)
            throw OperationError(code: .storeUnavailable, message: "nothing was changed, for the store does not answer: \(error)")
        }
    }
}
