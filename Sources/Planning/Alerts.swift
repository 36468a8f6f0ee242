package import Model

/// What a human should see to, from the state alone. Pure: an alert is there for as long as what it says is true.
package enum Alerts {
    /// Seconds that a pool may be without anybody who serves, or a dependency without an answer, before somebody is called.
    package static let patience = 30.0
    /// Seconds for which a leak is told after the exit was cut off for it.
    package static let leakSeconds = 3_600.0

    /// What is seen now.
    package struct Facts: Sendable {
        package var desired: Desired
        package var exits: [ExitID: Exit]
        package var breakers: [BreakerKey: Breaker]
        package var uncompared: [Uncompared]
        package var canaries = CanaryLedger()
        /// Alerts of those who have no say in the plan.
        package var reported: [Alert] = []

        package init(desired: Desired, exits: [ExitID: Exit], breakers: [BreakerKey: Breaker] = [:], uncompared: [Uncompared] = []) {
            self.desired = desired
            self.exits = exits
            self.breakers = breakers
            self.uncompared = uncompared
        }
    }

    /// What needs a memory: since when something is as it is.
    package struct Memory: Sendable {
        package var troubles: [Dependency: Trouble]
        /// Pools that nobody serves, and since when.
        package var unserved: [CountryCode: Timestamp]
        /// Containers whose removal was refused, and why.
        package var stuckContainers: [String: String]

        package init(
            troubles: [Dependency: Trouble] = [:], unserved: [CountryCode: Timestamp] = [:], stuckContainers: [String: String] = [:]
        ) {
            self.troubles = troubles
            self.unserved = unserved
            self.stuckContainers = stuckContainers
        }
    }

    /// Why a dependency does not do what it is needed for, and since when.
    package struct Trouble: Hashable, Sendable {
        package var message: String
        package var since: Timestamp
        /// What to do about it, where that is known better than from the dependency alone. Such a trouble does not pass by itself.
        package var remedy: String?

        package init(message: String, since: Timestamp, remedy: String? = nil) {
            self.message = message
            self.since = since
            self.remedy = remedy
        }
    }

    /// In the order of their subjects.
    package static func of(_ facts: Facts, _ memory: Memory = Memory(), now: Timestamp) -> [Alert] {
        var alerts = facts.reported
        alerts += memory.troubles.compactMap { alert($0, $1, now) }
        for case (.credential(let account), let breaker) in facts.breakers where breaker.state(now) != .closed {
            alerts.append(alert(ofCredential: account, breaker, now))
        }
        alerts += facts.desired.pools.values.compactMap { alert($0, facts, memory, now: now) }
        alerts += [commonFault(facts.exits, now)].compactMap(\.self)
        alerts += AlertSubject.Comparison.allCases.compactMap { alert($0, facts.uncompared) }
        alerts += Self.alerts(facts.canaries, now)
        alerts += facts.exits.values.compactMap { leak(of: $0, now) }
        alerts += memory.stuckContainers.map { stuck($0, $1, now) }
        alerts += openUsers(facts.desired.users)
        return alerts.sorted { $0.subject < $1.subject }
    }

    // MARK: - Dependencies

    private static func alert(_ dependency: Dependency, _ trouble: Trouble, _ now: Timestamp) -> Alert? {
        guard dependency == .host || trouble.remedy != nil || now - trouble.since >= patience else { return nil }
        let isCritical = [.host, .gateway, .loop].contains(dependency)
        return Alert(
            .part(dependency), isCritical ? .critical : .warning, "\(dependency.rawValue): \(trouble.message)",
            remedy: trouble.remedy ?? remedy(dependency), since: trouble.since)
    }

    private static func remedy(_ dependency: Dependency) -> String {
        switch dependency {
        case .host: "check this machine's network, its firewall for UDP, and its resolver"
        case .engine: "check that the Docker Engine runs and that docker.host leads to it"
        case .gateway: "see the log for why HAProxy refuses its configuration or can't be started"
        case .store: "check that Redis runs and that redis.url leads to it; exits keep running meanwhile"
        case .loop: "restart the controller (exits, gateway and store keep running); its log says what it did last"
        case .catalog: "check the provider's API and the token; the last good list is used meanwhile"
        }
    }

    private static func openUsers(_ users: [ProxyUser]) -> [Alert] {
        ProxyUser.openUsers(among: users).refused.map { user in
            Alert(
                .user(user.name), .warning,
                "the addresses of user \(user.name) are too large to be used instead of a password: a password is required",
                remedy: "give \(user.name) networks of its own (sallyport users set \(user.name) --addresses), or the rule with_password",
                since: user.createdAt)
        }
    }
}
