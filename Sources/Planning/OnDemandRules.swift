package import Model

/// Which countries a request opens, and when they close again.
package struct OnDemandRules: Sendable, Equatable {
    package enum Countries: Sendable, Equatable {
        /// Those alone whose pools say so.
        case none
        /// All that have servers.
        case all
        case some(Set<CountryCode>)
    }

    package var countries = Countries.none
    /// Seconds without a connection after which a pool closes.
    package var idleSeconds = 600.0
    /// Countries that one user may open in a minute.
    package var openingsPerMinute = 10
    /// Seconds of service that a country has at least before it gives way to another one: who asked for it needs a moment to connect.
    package var graceSeconds = 2.0

    package init() {}

    /// Those that the catalog has servers in; nil where its lists are not known yet.
    package func countries(listed: Set<CountryCode>?) -> Set<CountryCode>? {
        switch countries {
        case .none: []
        case .some(let named): named
        case .all: listed
        }
    }
}

extension Desired {
    /// Whether a request may ask for an exit of this country.
    package func isOnDemand(_ country: CountryCode) -> Bool { pools[country]?.isOnDemand ?? onDemand.contains(country) }

    /// What a request makes of a country on demand; nil where it is not, or open already.
    package func opened(_ country: CountryCode) -> Pool? {
        guard var pool = pools[country] else { return onDemand.contains(country) ? .passing(country) : nil }
        guard pool.isClosed else { return nil }
        pool.onDemand = .open
        return pool
    }
}

/// What becomes of the pools on demand: which close, and which could give way to others. Pure.
package struct OnDemandView: Sendable {
    package var desired: Desired
    package var exits: [ExitID: Exit]
    /// When each open pool has last carried anything, and those that carry connections now.
    package var usedAt: [CountryCode: Timestamp]
    package var connected: Set<CountryCode>
    /// Accounts whose key or token is refused: their tunnels carry nobody else.
    package var refused: Set<ProviderAccount>
    package var rules: Planner.Rules
    package var now: Timestamp

    package init(
        desired: Desired, exits: [ExitID: Exit], usedAt: [CountryCode: Timestamp], connected: Set<CountryCode>,
        refused: Set<ProviderAccount> = [], rules: Planner.Rules, now: Timestamp
    ) {
        (self.desired, self.exits, self.usedAt, self.connected) = (desired, exits, usedAt, connected)
        (self.refused, self.rules, self.now) = (refused, rules, now)
    }

    private var open: [Pool] { desired.pools.values.filter { $0.isOnDemand && !$0.isClosed } }

    /// Seconds since a pool was last used; nil where it carries connections, or nobody has looked yet.
    private func idleSeconds(_ country: CountryCode) -> Double? {
        connected.contains(country) ? nil : usedAt[country].map { now - $0 }
    }

    /// Open pools that nobody has used for so long that they close.
    package var idle: [CountryCode] {
        open.map(\.country).filter { idleSeconds($0).map { $0 >= rules.onDemand.idleSeconds } ?? false }.sorted()
    }

    /// Open pools without a connection that serve by tunnels of these providers, the one that was idle for longest first.
    func spare(of providers: Set<ProviderName>) -> [CountryCode] {
        let found = open.compactMap { pool -> (country: CountryCode, seconds: Double)? in
            guard let seconds = idleSeconds(pool.country), seconds >= rules.onDemand.graceSeconds else { return nil }
            let members = exits.of(pool.country).filter { !$0.leaving && $0.keepsContainer }
            guard members.contains(where: \.state.takesTraffic),
                members.contains(where: { $0.server != nil && holds($0, providers) })
            else { return nil }
            return (pool.country, seconds)
        }
        return found.sorted { ($1.seconds, $0.country) < ($0.seconds, $1.country) }.map(\.country)
    }

    private func accounts(of providers: Set<ProviderName>) -> [ProviderAccount] {
        providers.flatMap { rules.devices.accounts(of: $0) }.filter { !refused.contains($0) }
    }

    /// False where the key of each account of these providers is refused.
    package func hasAccount(_ providers: Set<ProviderName>) -> Bool { !accounts(of: providers).isEmpty }

    /// True where accounts of these providers can carry one exit more, now or when what is spare has given way.
    package func hasRoom(_ providers: Set<ProviderName>) -> Bool {
        let limits = accounts(of: providers).map { rules.devices.limit(of: $0) }
        guard !limits.contains(nil) else { return true }
        let spare = spare(of: providers).reduce(0) { sum, country in
            sum + exits.of(country).count { !$0.leaving && $0.keepsContainer && holds($0, providers) }
        }
        return load(providers) - spare < limits.compactMap(\.self).reduce(0, +)
    }

    /// Tunnels of these providers that exits hold, or wait for. One that gives way holds its own for as long as it carries connections.
    private func load(_ providers: Set<ProviderName>) -> Int {
        exits.values.count { exit in
            if exit.givesWay { return exit.keepsContainer && connected.contains(exit.country) && holds(exit, providers) }
            return exit.keepsContainer ? holds(exit, providers) : exit.state == .pending
        }
    }

    private func holds(_ exit: Exit, _ providers: Set<ProviderName>) -> Bool {
        guard let server = exit.server else { return true }
        return providers.contains(server.provider) && !refused.contains(rules.devices.account(of: server))
    }

    /// The pools that close so that exits which wait for a tunnel get one: as many as are waited for, besides what is given back already.
    package func evicted(servers: [CountryCode: [RankedServer]]) -> [CountryCode] {
        let waiting = exits.values.filter { $0.state == .pending && $0.reason == .deviceLimit && !$0.leaving }.sorted { $0.id < $1.id }
        // A stopped one holds its tunnel until its container is gone.
        var promised = exits.values.count { $0.givesWay && !($0.keepsContainer && connected.contains($0.country)) }
        var evicted: [CountryCode] = []
        for exit in waiting {
            guard promised == 0 else {
                promised -= 1
                continue
            }
            let providers = Set((servers[exit.country] ?? []).lazy.map(\.server.provider))
            guard let country = spare(of: providers).first(where: { !evicted.contains($0) && $0 != exit.country }) else { continue }
            evicted.append(country)
            promised += max(0, exits.of(country).count { !$0.leaving && $0.keepsContainer } - 1)
        }
        return evicted
    }
}

/// Which users have opened how many countries lately. A value; time is an input.
package struct OpeningLimits: Sendable {
    private var openings: [String: [Timestamp]] = [:]

    package init() {}

    /// False where the user has opened as many in the last minute as are allowed; else this one counts.
    package mutating func take(_ user: String, limit: Int, now: Timestamp) -> Bool {
        openings = openings.compactMapValues { times in
            let left = times.filter { now - $0 < 60 && $0 <= now }
            return left.isEmpty ? nil : left
        }
        guard openings[user]?.count ?? 0 < limit else { return false }
        openings[user, default: []].append(now)
        return true
    }

    /// One that came to nothing does not count.
    package mutating func giveBack(_ user: String) {
        if openings[user]?.popLast() != nil, openings[user]?.isEmpty ?? false { openings[user] = nil }
    }
}
