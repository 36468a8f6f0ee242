package import Model

/// What a human should see to, from the state alone. Pure: an alert stands for as long as what it says is true.
package enum Alerts {
    /// Seconds that a pool may be without anybody who serves, or a part without an answer, before somebody is called.
    package static let patience = 30.0
    /// Seconds for which a leak is told after the exit was cut off for it.
    package static let leakSeconds = 3_600.0

    package struct Facts: Sendable {
        package var desired: Desired
        package var exits: [ExitID: Exit]
        package var breakers: [String: Breaker]
        /// Parts that don't answer, the reason, and since when.
        package var problems: [String: (message: String, since: Timestamp)]
        /// Pools that nobody serves, and since when.
        package var unserved: [CountryCode: Timestamp]
        /// Containers that can't be removed, and the reason.
        package var stuckContainers: [String: String]
        /// What parts say that have no say in the plan.
        package var reported: [Alert] = []
        /// What to do about a part, where it is known better than from its name. Such a problem does not pass by itself.
        package var remedies: [String: String] = [:]
        package var uncompared: [Uncompared]

        package init(
            desired: Desired, exits: [ExitID: Exit], breakers: [String: Breaker] = [:],
            problems: [String: (message: String, since: Timestamp)] = [:], unserved: [CountryCode: Timestamp] = [:],
            stuckContainers: [String: String] = [:], uncompared: [Uncompared] = []
        ) {
            self.uncompared = uncompared
            self.desired = desired
            self.exits = exits
            self.breakers = breakers
            self.problems = problems
            self.unserved = unserved
            self.stuckContainers = stuckContainers
        }
    }

    package static func of(_ facts: Facts, now: Timestamp) -> [Alert] {
        var alerts = facts.reported
        for (part, problem) in facts.problems
        where part == "host" || facts.remedies[part] != nil || now - problem.since >= patience {
            let isCritical = ["host", "gateway", "loop"].contains(part)
            alerts.append(
                Alert(
                    id: "part:\(part)", severity: isCritical ? .critical : .warning, message: "\(part): \(problem.message)",
                    remedy: facts.remedies[part] ?? remedy(part: part), since: problem.since))
        }
        for (name, breaker) in facts.breakers where name.hasPrefix("credential:") && breaker.state(now) != .closed {
            alerts.append(alert(ofCredential: String(name.dropFirst("credential:".count)), breaker, now))
        }
        for pool in facts.desired.pools.values {
            if let alert = alert(pool, facts, now: now) { alerts.append(alert) }
        }
        if Retirement().isCommon(facts.exits.values, now) {
            let reasons = Set(facts.exits.values.compactMap(\.health.reason?.rawValue)).sorted().joined(separator: ", ")
            alerts.append(
                Alert(
                    id: "exits", severity: .critical,
                    message: "all exits are degraded at once (\(reasons)), so only one is moved, as a trial",
                    remedy: "check what they share: the provider's resolver, the services of verification.urls, this machine's network",
                    since: facts.exits.values.compactMap(\.health.degradedSince).max() ?? now))
        }
        alerts += Uncompared.What.allCases.compactMap { alert($0, facts.uncompared) }
        for exit in facts.exits.values {
            guard let failure = exit.lastFailure, failure.reason == .leak, now - failure.at < leakSeconds else { continue }
            alerts.append(
                Alert(
                    id: "leak:\(exit.id)", severity: .critical, message: "exit \(exit.id) leaked and was cut off: \(failure.detail)",
                    remedy:
                        "find out who changed the exit's firewall or routes: see the engine's events and who may run programs in containers",
                    since: failure.at))
        }
        for (container, reason) in facts.stuckContainers {
            alerts.append(
                Alert(
                    id: "container:\(container)", severity: .warning, message: stuck(container) + reason,
                    remedy: "remove it by hand (docker rm -f \(container)), or restart the engine", since: now))
        }
        alerts += ProxyUser.openUsers(among: facts.desired.users).refused.map { user in
            Alert(
                id: "user:\(user.name)", severity: .warning,
                message: "the addresses of user \(user.name) are too much of the internet to stand for a password: a password is asked for",
                remedy: "give \(user.name) networks of its own (sallyport users set \(user.name) --addresses), or the rule with_password",
                since: user.createdAt)
        }
        return alerts.sorted { $0.id < $1.id }
    }

    private static func alert(ofCredential provider: String, _ breaker: Breaker, _ now: Timestamp) -> Alert {
        let (message, remedy) =
            breaker.isOfToken
            ? (
                "\(provider) refuses the access token, so no exit of it can start; those that run go on",
                "make a new access token in the account and put it into providers.\(provider).access_token_file, or set private_key_file"
            )
            : (
                "servers of \(provider) refuse its key, so no exit is moved for that",
                "renew the token or key of \(provider) in the configuration; check the account and its limit of devices, and that UDP may go out"
            )
        return Alert(
            id: Breaker.name(credential: ProviderName(rawValue: provider)), severity: .critical, message: message, remedy: remedy,
            since: breaker.changedAt ?? now)
    }

    private static func stuck(_ container: String) -> String { "container \(container) can't be removed: " }

    /// The containers of which these alerts say that they can't be removed, and why.
    package static func stuckContainers(in alerts: [Alert]) -> [String: String] {
        alerts.reduce(into: [:]) { result, alert in
            guard alert.id.hasPrefix("container:") else { return }
            let container = String(alert.id.dropFirst("container:".count))
            result[container] = String(alert.message.dropFirst(stuck(container).count))
        }
    }

    /// The pools of which these alerts say that nobody serves them, and since when.
    package static func unserved(in alerts: [Alert]) -> [CountryCode: Timestamp] {
        alerts.reduce(into: [:]) { result, alert in
            guard alert.severity == .critical, alert.id.hasPrefix("pool:") else { return }
            if let country = CountryCode(String(alert.id.dropFirst("pool:".count))) { result[country] = alert.since }
        }
    }

    private static func alert(_ pool: Pool, _ facts: Facts, now: Timestamp) -> Alert? {
        let members = facts.exits.of(pool.country).filter { !$0.leaving }.sorted { $0.id < $1.id }
        let stuck = members.filter {
            $0.state == .failed || [.restartBudget, .deviceLimit, .noAddress].contains($0.reason) || waits($0, now)
        }
        let serving = members.count(where: \.state.takesTraffic)
        let reason = (stuck.first ?? members.first { $0.reason != nil })?.reason
        let detail = (stuck.first ?? members.first { $0.detail != nil })?.detail ?? "its exits don't come up"
        if let alert = stranded(pool, facts, now) { return alert }
        if let since = facts.unserved[pool.country], now - since >= patience {
            return Alert(
                id: "pool:\(pool.country.lowercased)", severity: .critical, message: "nobody serves \(pool.country): \(detail)",
                remedy: remedy(reason: reason), since: since)
        }
        let standbys = members.count { $0.state == .standby }
        guard let first = stuck.first, serving < pool.size || standbys < pool.standby else { return nil }
        // One that is to leave serves until another takes its place.
        let leaving = facts.exits.of(pool.country).count { $0.leaving && $0.state.takesTraffic }
        let exits = "\(serving + leaving) of \(pool.size) exits" + (leaving > 0 ? ", \(leaving) of which can't be replaced yet" : "")
        let lack = serving < pool.size ? exits : "\(standbys) of \(pool.standby) standbys"
        return Alert(
            id: "pool:\(pool.country.lowercased)", severity: .warning,
            message: "\(pool.country) has \(lack): \(detail)", remedy: remedy(reason: reason), since: first.since)
    }

    /// A pool that nobody serves while the engine is away: nothing but the engine brings an exit back, so this is told at once.
    private static func stranded(_ pool: Pool, _ facts: Facts, _ now: Timestamp) -> Alert? {
        guard let since = facts.unserved[pool.country], now - since >= 1, facts.problems["engine"] != nil else { return nil }
        let others = (pool.fallback ?? []).filter { country in
            facts.desired.pools[country] != nil && facts.unserved[country] == nil
        }
        let meanwhile = others.first.map { "; its users leave by \($0) meanwhile" } ?? ""
        return Alert(
            id: "pool:\(pool.country.lowercased)", severity: .critical,
            message: "nobody serves \(pool.country), and no exit can be started while the Docker Engine does not answer\(meanwhile)",
            remedy: "see to the Docker Engine (docker.host); a standby or a fallback country serves while it is away, where a pool has one",
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

    private static func remedy(part: String) -> String {
        switch part {
        case "host": "check this machine's network, its firewall for UDP, and its resolver"
        case "engine": "check that the Docker Engine runs and that docker.host leads to it"
        case "gateway": "see the log for why HAProxy refuses its configuration or can't be started"
        case "store": "check that Redis runs and that redis.url leads to it; the exits go on meanwhile"
        case "loop": "restart the controller (exits, gateway and store go on); its log says what it did last"
        case "catalog": "check the provider's API and the token; the last good list is used meanwhile"
        default: "see the log"
        }
    }

    private static func remedy(reason: ExitReason?) -> String {
        switch reason {
        case .deviceLimit: "make pools smaller, add another provider, or set providers.<name>.devices to what the account allows"
        case .noAddress:
            "check that HAProxy and its master answer on their sockets (addresses are free again when it is seen without them), or give the exits a larger network (docker.subnet)"
        case .providerUnavailable:
            "see GET /api/providers for what each provider says; check that this machine reaches and resolves its API and its servers' names"
        case .noServer: "allow more servers: another city or provider, or a smaller pool"
        case .credentialsMissing, .credentialsRejected: "set a valid token or key of the provider in the configuration"
        case .handshakeTimeout:
            "choose another country, city or provider (sallyport latency <country> --method wireguard shows which servers answer); if none does, check that UDP may go out"
        case .imageMissing: "build the exit's image (make images), or set docker.image_archive"
        case .badConfiguration: "see the exit's log (sallyport status) for the field that is refused"
        case .startFailed: "check that the host lets containers have NET_ADMIN and /dev/net/tun"
        case .engineUnavailable: "check that the Docker Engine runs"
        case .wrongCountry: "the provider's servers are elsewhere than it says: choose another city or provider"
        case .restartBudget: "its exits die as soon as they come up; see the events for the reason"
        default: "see the events of the pool for what its servers answer"
        }
    }
}
