package import Model

/// When an exit that still works is worth a planned move: make before break, one exit of a pool at a time.
package struct Retirement: Sendable, Equatable {
    /// Seconds that an exit may be degraded; what a deep probe has confirmed needs no more time.
    package var degradedSeconds = 30.0
    /// Seconds between two planned moves of a pool.
    package var pauseSeconds = 10.0
    /// How much less load, in percent points, and what share of the latency another server must have to be much better,
    /// for how many seconds, and how long after the last move of the pool.
    package var lessLoad = 30
    package var latencyShare = 0.75
    package var betterSeconds = 600.0
    package var betterPauseSeconds = 1_800.0
    /// Seconds between two questions for the servers of a pool that has all its exits.
    package var searchSeconds = 300.0
    /// True where an exit at which a canary is blocked is replaced.
    package var replacesBlocked = false

    package init() {}

    /// True where an exit has been degraded for long enough.
    package func isDue(_ health: Health, _ now: Timestamp) -> Bool {
        guard health.verdict == .degraded, let since = health.degradedSince else { return false }
        switch health.reason {
        case .dnsFailed, .mtu, .wrongCountry, .slow: return true
        default: return now - since >= degradedSeconds
        }
    }

    /// Servers whose exits must all be degraded at once for what they share to be at fault.
    package static let serversOfOneFault = 3

    /// True where every exit with a proved tunnel has been degraded for long enough to move, on several servers: then another
    /// server is hardly better, and one exit is moved as a trial.
    package func isCommon(_ exits: some Collection<Exit>, _ now: Timestamp) -> Bool {
        let probed = exits.filter(\.state.isProbed)
        return Set(probed.compactMap(\.server?.address)).count >= Self.serversOfOneFault && probed.allSatisfy { isDue($0.health, now) }
    }
}

extension Planner {
    /// Marks at most one exit of a pool as leaving: because it is degraded, because its time or its volume is up, or because
    /// another server is much better.
    mutating func retire(from pool: Pool) {
        let serving = serving(of: pool.country).sorted { $0.id < $1.id }
        let isMoving = exits.of(pool.country).contains { $0.leaving && $0.state.takesTraffic }
        let lastMove = serving.compactMap(\.proof.at).max()
        guard !isMoving, world.hostIsOnline, serving.count >= pool.sizeNow else { return }
        let sinceMove = lastMove.map { now - $0 } ?? .infinity
        reconsider(serving)
        if moveAccounts(of: serving, sinceMove) { return }
        guard hasAlternative(to: serving) else { return }
        // Users go out elsewhere meanwhile: that does not wait for a pause.
        let misplaced = serving.first { $0.health.reason == .wrongCountry && rules.retirement.isDue($0.health, now) }
        guard misplaced != nil || sinceMove >= rules.retirement.pauseSeconds else {
            if let lastMove { requeue(at: lastMove + rules.retirement.pauseSeconds) }
            return
        }
        if rules.retirement.isCommon(exits.values, now), exits.values.contains(where: { $0.leaving && $0.state.takesTraffic }) { return }
        if let exit = misplaced ?? serving.first(where: { rules.retirement.isDue($0.health, now) }) {
            return leave(exit, exit.health.reason ?? .unknown, "it has been degraded for a while")
        }
        if let exit = serving.first(where: isBlockedForGood) {
            return leave(exit, .targetBlocked, "it is blocked by \(exit.health.blockedBy?.joined(separator: ", ") ?? "a canary")")
        }
        for exit in serving {
            if let why = rotationReason(of: exit) { return leave(exit, .rotated, why) }
            if let due = dueTime(of: exit, in: pool) { requeue(at: due) }
            if sinceMove >= rules.retirement.betterPauseSeconds, isOutclassed(exit) {
                return leave(exit, .rotated, "another server is much better")
            }
        }
    }

    /// True where a canary is blocked at it, and there is a server of which that is not known.
    private func isBlockedForGood(_ exit: Exit) -> Bool {
        guard rules.retirement.replacesBlocked, exit.health.blockedBy != nil, world.movableBlocked.contains(exit.country) else {
            return false
        }
        if exits.of(exit.country).contains(where: { $0.state == .standby && !$0.leaving && $0.health.blockedBy == nil }) { return true }
        return world.servers[exit.country]?.contains {
            !held.contains($0.server.address) && !world.blockedServers.contains($0.server.hostname) && isAllowed($0.server)
        } ?? false
    }

    /// Moves one exit whose account is refused, gone, or has another key by now, where a tunnel more can be had; true where one has to wait.
    private mutating func moveAccounts(of serving: [Exit], _ sinceMove: Double) -> Bool {
        guard let country = serving.first?.country else { return false }
        // Nobody uses a standby: it need not wait for its replacement.
        let standbys = exits.of(country).filter { $0.state == .standby && !$0.leaving }
        for exit in serving + standbys.sorted(by: { $0.id < $1.id }) {
            guard let trouble = accountTrouble(of: exit), hasRoom(besides: exit) else { continue }
            guard sinceMove >= rules.retirement.pauseSeconds else {
                requeue(at: now + (rules.retirement.pauseSeconds - sinceMove))
                return true
            }
            leave(exit, trouble.reason, trouble.detail)
            return true
        }
        return false
    }

    /// Nil where the exit is not to be rotated now.
    private func rotationReason(of exit: Exit) -> String? {
        if !exit.knowsCredential { return "an earlier version started it, and its proxy needs no password" }
        return isRotationDue(exit) ? "its rotation time or volume is reached" : nil
    }

    /// True where a server has been much better than the exit's for long enough.
    private func isOutclassed(_ exit: Exit) -> Bool {
        exits[exit.id]?.outclassedSince.map { now - $0 >= rules.retirement.betterSeconds } ?? false
    }

    private func isRotationDue(_ exit: Exit) -> Bool {
        guard let pool = desired.pools[exit.country] else { return false }
        return dueTime(of: exit, in: pool).map { $0 <= now } ?? false
            || pool.rotateAfterMegabytes.map { exit.proof.carriedBytes >= $0 * 1_000_000 } ?? false
    }

    /// The moment of an exit's scheduled rotation, spread by up to a tenth so that a pool's exits don't go together.
    private func dueTime(of exit: Exit, in pool: Pool) -> Timestamp? {
        guard let seconds = pool.rotateEvery, let provedAt = exit.proof.at else { return nil }
        var random = SplitMix64(state: UInt64(exit.id.number) &+ UInt64(exit.generation) << 16)
        return provedAt + Double(seconds) * Double.random(in: 0.9...1, using: &random)
    }

    /// Notes which exits stand on a server that another one beats by far.
    private mutating func reconsider(_ serving: [Exit]) {
        guard let country = serving.first?.country else { return }
        guard let ranked = world.servers[country] else {
            // At once where somebody is to be moved, else from time to time.
            let isUrgent = serving.contains {
                rules.retirement.isDue($0.health, now) || isRotationDue($0) || !$0.knowsCredential || accountTrouble(of: $0) != nil
                    || rules.retirement.replacesBlocked && $0.health.blockedBy != nil && world.movableBlocked.contains(country)
            }
            if isUrgent || world.searchedAt[country].map({ now - $0 >= rules.retirement.searchSeconds }) ?? true { search(country) }
            return
        }
        for exit in serving {
            guard let address = exit.server?.address, let current = ranked.first(where: { $0.server.address == address })?.server
            else { continue }
            let isOutclassed = ranked.contains {
                isBetterByFar($0.server, than: current) && !held.contains($0.server.address) && isAllowed($0.server)
            }
            if !isOutclassed, exit.outclassedSince != nil {
                exits[exit.id]?.outclassedSince = nil
            } else if isOutclassed, exit.outclassedSince == nil {
                exits[exit.id]?.outclassedSince = now
            }
        }
    }

    private func isBetterByFar(_ other: Server, than current: Server) -> Bool {
        guard let load = current.load, let its = other.load, load - its >= rules.retirement.lessLoad else { return false }
        guard let mine = current.latencyMilliseconds, let its = other.latencyMilliseconds else { return false }
        return its <= mine * rules.retirement.latencyShare
    }

    /// False where a move would find no other server.
    private func hasAlternative(to serving: [Exit]) -> Bool {
        guard let country = serving.first?.country else { return false }
        if exits.of(country).contains(where: { $0.state == .standby && !$0.leaving }) { return true }
        guard let ranked = world.servers[country] else { return false }
        return ranked.contains { !held.contains($0.server.address) }
    }

    private mutating func leave(_ exit: Exit, _ reason: ExitReason, _ detail: String) {
        exits[exit.id]?.leaving = true
        exits[exit.id]?.reason = reason
        exits[exit.id]?.detail = detail
        requeue(at: now)
    }
}
