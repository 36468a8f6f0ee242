import Model
import Planning
import Platform

/// Commands about one exit.
extension Controller {
    /// One more exit for a country; its pool grows by one, or begins, and takes the settings that the request names.
    func addExit(_ request: ExitRequest) async throws -> Exit {
        try await loaded()
        let ranked = try await findServers(for: request.grown(desired.pools[request.country]))
        return try await changes.withLock {
            let pool = request.grown(desired.pools[request.country])
            guard pool.size <= Pool.sizeLimit else {
                throw OperationError(code: .poolFull, message: "the pool of \(pool.country) has \(Pool.sizeLimit) exits, the maximum")
            }
            // Made here and not in the next pass, so that the answer can name it.
            func newExit() throws -> Exit {
                guard let exit = Planner.newExit(country: pool.country, among: exits, now: ports.now()) else {
                    throw OperationError(code: .poolFull, message: "all slots of \(pool.country) are in use until an exit has left")
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
    func removeExit(_ id: ExitID) async throws -> Exit {
        try await loaded()
        return try await changes.withLock {
            let exit = try known(id)
            guard !exit.leaving else { return exit }
            let left = try await saveAsLeaving(exit, reason: .unwanted)
            if var pool = desired.pools[id.country] {
                if pool.isOnDemand {
                    try await close(pool)
                    return await leave(id, reason: .unwanted) ?? left
                }
                pool.size -= 1
                if pool.size > 0 { try await set(pool) } else { try await forget(id.country) }
            }
            return await leave(id, reason: .unwanted) ?? left
        }
    }

    /// Moves an exit's place in the pool to another server: the new one serves before the old one leaves.
    func rotateExit(_ id: ExitID) async throws -> Exit {
        try await loaded()
        return try await changes.withLock {
            let left = try await saveAsLeaving(try known(id), reason: .rotated)
            term.searches.forget(id.country)
            resetBudget(id.country)
            return await leave(id, reason: .rotated) ?? left
        }
    }

    // MARK: - Parts of these

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
}
