package import Model
package import Planning

// What the loop asks of the world, in its own words. Adapters answer; `sallyport` brings the two together.

/// Runs the exits' containers. Nothing here names a host path, a bridge or a local address.
package protocol ExitEngine: Sendable {
    /// Every container of ours, running or not.
    func list() async throws -> [ExitContainer]
    /// The addresses that exits can be given.
    func addressSpace() async throws -> AddressSpace
    /// Creates and starts a container at the specification's address; what it throws should be an `ExitFailure`, or `AddressInUse`.
    func launch(_ specification: ExitSpecification) async throws -> (container: String, endpoint: Endpoint)
    func remove(_ container: String) async throws
    /// The last lines that a container wrote.
    func logs(of container: String, lines: Int) async throws -> String
    /// What the tunnel of a running container says of itself, by a program that runs inside of it.
    func tunnel(of container: String) async throws -> TunnelReading
    /// An element for each change of one of our containers, until the engine goes away.
    func changes() async throws -> AsyncThrowingStream<Void, any Error>
}

/// The proxies' front door.
package protocol Gateway: Sendable {
    func observe() async throws -> GatewayObservation
    /// Makes the gateway equal to the layout and returns when it is.
    func publish(_ layout: GatewayLayout) async throws
    /// Where it may lead to now, or after a start from its file.
    func reach() async -> GatewayReach
}

/// Something on the exits' network has the address that an exit was to get.
package struct AddressInUse: Error {
    package init() {}
}

/// Keeps what must outlive the controller.
package protocol StateStore: Sendable {
    func load() async throws -> StoredState
    func save(_ exits: [Exit], removed: [ExitID]) async throws
    func save(_ pool: Pool) async throws
    func removePool(_ country: CountryCode) async throws
    func save(_ user: ProxyUser) async throws
    func removeUser(_ name: String) async throws
    func append(_ samples: [(exit: ExitID, sample: HealthSample)]) async throws
    /// Keeps what the probes of all exits say now, for a minute.
    func save(_ health: [ExitID: Health]) async throws
    /// What was kept of these; empty where the leader tells it to nobody.
    func health() async throws -> [ExitID: Health]
    func append(_ events: [Event]) async throws
    /// An exit's latest samples, newest first.
    func history(of exit: ExitID, limit: Int) async throws -> [HealthSample]
    /// Who of these users is over a quota, with its name.
    func blocked(among users: [ProxyUser]) async throws -> [String: Quota]
    /// Nil forgets a breaker.
    func save(breakers: [BreakerKey: Breaker?]) async throws
    func save(alerts: [Alert], cleared: [AlertSubject]) async throws
    /// Nil for one that is held no more.
    func save(addresses: [IPv4Address: HeldAddress?]) async throws
    /// Writes something that nobody reads.
    /// - Throws: `StoreFull` where the store has no room.
    func tryToWrite() async throws
}

/// A store that answers, but takes no writes for want of room.
package struct StoreFull: Error, CustomStringConvertible {
    package var description: String
    package var remedy: String

    package init(_ description: String, remedy: String) {
        self.description = description
        self.remedy = remedy
    }
}

package struct StoredState: Sendable {
    package var pools: [CountryCode: Pool]
    package var exits: [ExitID: Exit]
    package var users: [ProxyUser]
    package var breakers: [BreakerKey: Breaker]
    package var alerts: [Alert]
    /// Users who are over a quota, with its name.
    package var blocked: [String: Quota]
    /// Addresses that are not to be given to another exit.
    package var addresses: [IPv4Address: HeldAddress]
    package init(
        pools: [CountryCode: Pool] = [:], exits: [ExitID: Exit] = [:], users: [ProxyUser] = [], breakers: [BreakerKey: Breaker] = [:],
        alerts: [Alert] = [], blocked: [String: Quota] = [:], addresses: [IPv4Address: HeldAddress] = [:]
    ) {
        self.addresses = addresses
        self.blocked = blocked
        self.pools = pools
        self.exits = exits
        self.users = users
        self.breakers = breakers
        self.alerts = alerts
    }
}

/// A provider answers, but with nothing that can be used as its list.
package struct ListUnreadable: Error, CustomStringConvertible {
    package var description: String
    package init(_ description: String) { self.description = description }
}

package protocol ServerCatalog: Sendable {
    /// The servers of a pool with what is known of each by itself, best first.
    /// - Throws: what stands in the way, in words for operators; `ListUnreadable` for a list that says nothing.
    func ranked(for pool: Pool) async throws -> [RankedServer]
    /// The same without measuring anything first: for who can't wait.
    func known(for pool: Pool) async throws -> [RankedServer]
    /// The countries that have servers; nil while no list is known.
    func countries() async -> Set<CountryCode>?
}

extension ServerCatalog {
    package func known(for pool: Pool) async throws -> [RankedServer] { try await ranked(for: pool) }
    package func countries() async -> Set<CountryCode>? { nil }
}

/// Asks servers from this machine, without an exit. Must not be asked about a server that an exit holds: it would take the exit's tunnel.
package protocol ServerHandshakes: Sendable {
    /// Those that take our key, by host name; nil where no handshake can be sent.
    func accepted(by servers: [Server]) async -> Set<String>?
    /// Those that answer an echo or a connection, by host name.
    func reachable(_ servers: [Server]) async -> Set<String>
    /// A provider's least loaded servers of some countries.
    func sample(of provider: ProviderName, limit: Int) async -> [Server]
}

/// What a tunnel to a provider needs beside a server.
package protocol TunnelKeys: Sendable {
    var providers: [ProviderName] { get }
    /// The resolvers behind a server; empty where they are not known.
    func resolvers(of server: Server) -> [String]
    /// Names for the keys that accounts have now, which tell nothing of the keys; an account whose key was not fetched yet has none.
    var keyNames: [ProviderAccount: String] { get }
    /// - Throws: `ExitFailure`, with what an operator should see to.
    func access(to server: Server) async throws -> TunnelAccess
}

extension TunnelKeys {
    package var keyNames: [ProviderAccount: String] { [:] }
}

/// With what a tunnel to a server is made, of one moment.
package struct TunnelAccess: Sendable {
    package var facts: TunnelFacts
    package var privateKey: Secret
    /// A name for the key, which tells nothing of it.
    package var keyName: String?

    package init(facts: TunnelFacts, privateKey: Secret, keyName: String? = nil) {
        self.facts = facts
        self.privateKey = privateKey
        self.keyName = keyName
    }
}

/// Sends real traffic through an exit.
package protocol ExitProber: Sendable {
    /// Asks who the internet sees, through the exit; a second one where the first sees it outside of the exit's country. What it throws should
    /// be an `ExitFailure`.
    func verify(_ exit: ExitProxy) async throws -> Sighting
    /// False where this machine, which was online before, gets no answer from anybody without a tunnel either.
    func hostIsOnline() async -> Bool
    /// Opens a connection through the exit and its tunnel; milliseconds that it took.
    func probe(_ exit: ExitProxy, resolver: String) async throws -> Double
    /// What users would notice and a fast probe doesn't: names, large packets, the address and its country.
    /// - Parameter isUrgent: address and country are wanted now, and not only in the exit's turn.
    func examine(_ exit: ExitProxy, isUrgent: Bool) async -> Examination
    /// Asks a target through the exit, as a user would.
    func ask(_ canary: Canary, through exit: ExitProxy) async -> CanaryOutcome
    /// What the exit says of itself and its tunnel; nil where its version has no status address.
    func status(of exit: ExitProxy) async throws -> ExitReport?
}

/// What a deep probe has found. That an exit carries answers is one thing, that somebody has said its address another.
package struct Examination: Sendable, Equatable {
    /// Nil where all is well, or where it can't be told.
    package var reason: ExitReason?
    /// What was seen, where a word is too little: of a leak.
    package var detail: String?
    /// True where an address service said the exit's address and it was compared with this machine's own; and where one said its country.
    package var isCompared = false
    package var isPlaced = false
    /// Why one of these is false.
    package var problem: String?
    /// The address that another service saw, where they differ.
    package var otherAddress: String?
    /// True where address services were not asked because it is another exit's turn.
    package var awaitsTurn = false

    package init(reason: ExitReason? = nil) { self.reason = reason }
}

/// What became of a question to a canary.
package enum CanaryOutcome: Sendable, Equatable {
    case passed
    /// Something else came, or nothing; in words.
    case blocked(String)
    /// It could not be asked, for a reason that is not the target's.
    case unknown
}

/// What the internet sees of an exit.
package struct Sighting: Sendable, Equatable {
    package var address: String
    /// Nil where the one that was asked doesn't say.
    package var country: CountryCode?
    package var latencyMilliseconds: Double
    /// False where this machine's own address was not known, so that nothing could be compared.
    package var isCompared: Bool
    package init(address: String, country: CountryCode?, latencyMilliseconds: Double, isCompared: Bool = true) {
        self.isCompared = isCompared
        self.address = address
        self.country = country
        self.latencyMilliseconds = latencyMilliseconds
    }
}

/// Why something about an exit did not work, in the model's words.
package struct ExitFailure: Error, CustomStringConvertible {
    package var reason: ExitReason
    package var detail: String
    /// True where another server may do better.
    package var isServersFault: Bool
    /// True where it may pass within moments: the proxy does not listen yet.
    package var isNotYet: Bool
    /// True where the question could not be asked for a reason of this process's own: it says nothing about the exit.
    package var isOurs: Bool

    package init(reason: ExitReason, detail: String, isServersFault: Bool = false, isNotYet: Bool = false, isOurs: Bool = false) {
        self.reason = reason
        self.detail = detail
        self.isServersFault = isServersFault
        self.isNotYet = isNotYet
        self.isOurs = isOurs
    }

    package var description: String { detail }
}
