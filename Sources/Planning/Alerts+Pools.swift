import Model

/// Alerts of pools that have fewer exits than they want.
extension Alerts {
    static func alert(_ pool: Pool, _ facts: Facts, _ memory: Memory, now: Timestamp) -> Alert? {
        let members = facts.exits.of(pool.country).filter { !$0.leaving }.sorted { $0.id < $1.id }
        let stuck = members.filter {
            $0.state == .failed || [.restartBudget, .deviceLimit, .noAddress].contains($0.reason) || waits($0, now)
        }
        let serving = members.count(where: \.state.takesTraffic)
        let reason = (stuck.first ?? members.first { $0.reason != nil })?.reason
        let detail = (stuck.first ?? members.first { $0.detail != nil })?.detail ?? "its exits don't start"
        if let alert = stranded(pool, facts, memory, now) { return alert }
        if pool.isOnDemand { return unopened(pool, memory, now, reason, detail) }
        if let since = memory.unserved[pool.country], now - since >= patience {
            return Alert(
                .pool(pool.country), .critical, "no exit of \(pool.country) serves: \(detail)",
                remedy: remedy(reason: reason), since: since)
        }
        let standbys = members.count { $0.state == .standby }
        guard let first = stuck.first, serving < pool.size || standbys < pool.standby else { return nil }
        // One that is to leave serves until another takes its place.
        let leaving = facts.exits.of(pool.country).count { $0.leaving && $0.state.takesTraffic }
        let exits = "\(serving + leaving) of \(pool.size) exits" + (leaving > 0 ? ", \(leaving) of which can't be replaced yet" : "")
        let lack = serving < pool.size ? exits : "\(standbys) of \(pool.standby) standbys"
        return Alert(
            .pool(pool.country), .warning, "\(pool.country) has \(lack): \(detail)", remedy: remedy(reason: reason), since: first.since)
    }

    /// A pool on demand that was asked for and does not open. One that is closed lacks nothing, and one that waits for a tunnel is told of
    /// by its refusals.
    private static func unopened(_ pool: Pool, _ memory: Memory, _ now: Timestamp, _ reason: ExitReason?, _ detail: String) -> Alert? {
        guard let since = memory.unserved[pool.country], now - since >= patience, reason != .deviceLimit else { return nil }
        return Alert(
            .pool(pool.country), .warning, "\(pool.country) was asked for and does not open: \(detail)", remedy: remedy(reason: reason),
            since: since)
    }

    /// A pool that nobody serves while the engine is away: nothing but the engine brings an exit back, so this is told at once.
    private static func stranded(_ pool: Pool, _ facts: Facts, _ memory: Memory, _ now: Timestamp) -> Alert? {
        guard let since = memory.unserved[pool.country], now - since >= 1, memory.troubles[.engine] != nil else { return nil }
        let others = (pool.fallback ?? []).filter { country in
            facts.desired.pools[country] != nil && memory.unserved[country] == nil
        }
        let meanwhile = others.first.map { "; its users use \($0) meanwhile" } ?? ""
        return Alert(
            .pool(pool.country), .critical,
            "no exit of \(pool.country) serves, and none can be started while the Docker Engine does not answer\(meanwhile)",
            remedy: "repair the Docker Engine (docker.host); meanwhile a standby or a fallback country serves, if the pool has one",
            since: since)
    }

    /// True for an exit that has found no server for so long that none will come by itself.
    private static func waits(_ exit: Exit, _ now: Timestamp) -> Bool {
        guard exit.state == .pending else { return false }
        switch exit.reason {
        case .noServer: return now - exit.since >= patience
        case .handshakeTimeout: return now - exit.since >= patienceWithSilence
        default: return false
        }
    }

    /// Seconds after which a pool is told of whose servers none answers: they have been asked several times by then.
    private static let patienceWithSilence = 5.0

    private static func remedy(reason: ExitReason?) -> String {
        switch reason {
        case .deviceLimit:
            "make pools smaller, add an account or another provider, or set the account's devices to what the provider allows"
        case .noAddress:
            "check that HAProxy and its master answer on their sockets (an address is free when HAProxy no longer uses it), or give the exits a larger network (docker.subnet)"
        case .providerUnavailable:
            "see GET /api/providers for what each provider says; check that this machine reaches and resolves its API and its servers' names"
        case .noServer: "allow more servers: another city or provider, or a smaller pool"
        case .credentialsMissing, .credentialsRejected: "set a valid token or key of the provider in the configuration"
        case .handshakeTimeout:
            "choose another country, city or provider (sallyport latency <country> --method wireguard shows which servers answer); if the account allows fewer tunnels than its devices says, set that to what it allows; if none answers at all, check that outgoing UDP is allowed"
        case .imageMissing: "build the exit's image (make images), or set docker.image_archive"
        case .badConfiguration: "see the exit's log (sallyport status) for the refused field"
        case .startFailed: "check that the host lets containers have NET_ADMIN and /dev/net/tun"
        case .engineUnavailable: "check that the Docker Engine runs"
        case .wrongCountry: "the provider's servers are in another country than it says: choose another city or provider"
        case .restartBudget: "its exits fail as soon as they start; see the events for the reason"
        default: "see the pool's events for the errors of its servers"
        }
    }
}
