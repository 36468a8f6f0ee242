package import Model

/// What operators want.
package struct Desired: Sendable, Equatable {
    package var pools: [CountryCode: Pool]
    package var users: [ProxyUser]
    /// Users who are over a quota, with the quota.
    package var blocked: [String: Quota]
    /// Countries that a request opens though they have no pool.
    package var onDemand: Set<CountryCode> = []
    /// What other countries are.
    package var elsewhere = GatewayLayout.Elsewhere.closed

    package init(pools: [CountryCode: Pool] = [:], users: [ProxyUser] = [], blocked: [String: Quota] = [:]) {
        self.pools = pools
        self.users = users
        self.blocked = blocked
    }
}

/// What was seen at one moment. A part that could not be seen is nil, and then nothing is planned from its absence.
package struct World: Sendable {
    /// Every container with our owner label; nil when the engine did not answer.
    package var containers: [ExitContainer]?
    /// What the gateway runs; nil when it did not answer.
    package var gateway: GatewayObservation?
    /// The layout that the gateway was last given.
    package var published: GatewayLayout?
    /// Servers of each pool with their own points, best first; a pool without an entry has not been asked for yet.
    package var servers: [CountryCode: [RankedServer]]
    /// False where this machine itself has lost the internet; then no exit is to blame for its failing probes.
    package var hostIsOnline: Bool
    /// The one exit that may be moved all the same while all of them fail at once.
    package var trial: ExitID?
    /// What is remembered of servers and credentials that failed.
    package var breakers: [BreakerKey: Breaker]
    /// Names for the keys that accounts have now; an account whose key is not known yet has none.
    package var keyNames: [ProviderAccount: String] = [:]
    /// What servers have answered to handshakes of this machine; nil where none are sent.
    package var handshakes: HandshakeKnowledge?
    /// Pools whose servers are being asked for handshakes.
    package var asking: Set<CountryCode> = []
    /// When the containers of each pool were begun lately.
    package var launches: [CountryCode: [Timestamp]]
    /// When the servers of each pool were last asked for.
    package var searchedAt: [CountryCode: Timestamp]
    /// Why the servers of a pool could not be had when they were last asked for.
    package var searchProblems: [CountryCode: String] = [:]
    /// Exits with an operation under way; they are left alone until its result is in.
    package var busy: Set<ExitID>
    /// Containers that are being removed.
    package var removing: Set<String>
    /// Servers behind which a canary was blocked, by host name; and pools that may replace an exit for that now.
    package var blockedServers: Set<String> = []
    package var movableBlocked: Set<CountryCode> = []

    package init(
        containers: [ExitContainer]? = nil, gateway: GatewayObservation? = nil, published: GatewayLayout? = nil,
        servers: [CountryCode: [RankedServer]] = [:], hostIsOnline: Bool = true, breakers: [BreakerKey: Breaker] = [:],
        launches: [CountryCode: [Timestamp]] = [:], searchedAt: [CountryCode: Timestamp] = [:], busy: Set<ExitID> = [],
        removing: Set<String> = []
    ) {
        self.containers = containers
        self.gateway = gateway
        self.published = published
        self.servers = servers
        self.hostIsOnline = hostIsOnline
        self.breakers = breakers
        self.launches = launches
        self.searchedAt = searchedAt
        self.busy = busy
        self.removing = removing
    }
}

/// One adapter call.
package enum Step: Hashable, Sendable {
    /// Ask the catalog for the pool's servers.
    case findServers(CountryCode)
    /// Send handshakes to servers that a pool's exits may take.
    case ask(CountryCode, [Server])
    /// Create and start the container of the exit's generation.
    case launch(ExitID)
    /// Prove that traffic through the exit leaves where it should.
    case verify(ExitID)
    /// Stop and remove a container.
    case remove(container: String)
    /// Make the gateway equal to this layout.
    case publish(GatewayLayout)
}

/// What is to be done, and what the exits are once it has begun.
package struct Plan: Sendable {
    package var exits: [ExitID: Exit]
    package var steps: [Step]
    /// When to reconcile again although nothing has happened; nil for no such moment.
    package var requeueAt: Timestamp?

    package init(exits: [ExitID: Exit], steps: [Step], requeueAt: Timestamp?) {
        self.exits = exits
        self.steps = steps
        self.requeueAt = requeueAt
    }
}
