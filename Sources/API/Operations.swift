import HTTPServing
package import Model
import OpenAPI

/// What the API lets its callers do, as it asks for it. Errors that it throws should be `APIProblem`.
package protocol Operations: Sendable {
    /// The latest state, without waiting.
    var state: OperatorState { get }
    /// That of the latest state, without making the rest of it.
    var revision: Int { get }
    /// The providers whose servers are in the catalog.
    var providers: [ProviderName] { get }
    /// What is known of each provider's list, without waiting for any.
    var listings: [ProviderListing] { get }
    /// All servers, as they are known now.
    /// - Parameter provider: whose list is needed; nil where any will do.
    func catalog(of provider: ProviderName?) async throws -> CatalogView
    /// The servers that are wanted, best first, with their scores.
    func explained(_ filter: ServerFilter, strategy: Strategy) async throws -> [RankedServer]
    /// Measures the servers that are wanted, at most so many; nearest first.
    func measured(_ filter: ServerFilter, method: LatencyMethod, limit: Int) async throws -> [(server: Server, figures: LatencyFigures)]
    /// Finds the nearest of the servers that are wanted.
    func fastest(_ filter: ServerFilter, method: LatencyMethod, limit: Int) async throws -> [(server: Server, figures: LatencyFigures)]
    /// Carries a command out. Its change is in the store before this returns.
    /// - Returns: the exit that the command is about; nil where it is about none.
    @discardableResult
    func execute(_ command: ControllerCommand) async throws -> Exit?
    /// What the probes of an exit said, newest first.
    func history(of id: ExitID, limit: Int) async throws -> [HealthSample]
    func logs(of id: ExitID, lines: Int) async throws -> String
    /// Downloads through an exit, at most so many bytes and seconds; one at a time for each exit.
    func testSpeed(of id: ExitID, bytes: Int, seconds: Double) async throws -> SpeedTest
    /// The speed test of an exit that runs, as far as it has come, or its last one.
    func speedTest(of id: ExitID) -> SpeedTest?
    /// Waits until the exit serves or is given up, for at most `seconds`; nil when it is gone.
    func waitUntilServing(_ id: ExitID, seconds: Double) async -> Exit?
    /// What a user has used until now, and in these many hours and days.
    func usage(of name: String, hours: Int, days: Int) async throws -> UsageReport
    /// The same of what an exit has carried.
    func usage(of id: ExitID, hours: Int, days: Int) async throws -> UsageReport
    /// The sessions that a user has at the proxies now.
    func sessions(of name: String) async throws -> [ProxySession]
    /// Gives sessions another exit, each with its next request.
    func move(_ sessions: [ProxySession]) async throws
    /// What all exits and users carry now, and have carried today.
    func traffic() async throws -> TrafficReport
}

extension Operations {
    package var revision: Int { state.revision }

    /// The exit that a command is about, as the command has left it.
    /// - Throws: 503 `not_leader` where the leader's answer has none.
    func exit(after command: ControllerCommand) async throws -> Exit {
        if let exit = try await execute(command) { return exit }
        throw APIProblem.unavailable("the leader's answer has no exit", code: "not_leader")
    }
}

/// All that the API shows.
package struct OperatorState: Sendable {
    /// Equal revisions are equal states: an answer encoded for one is good for the other.
    package var revision: Int
    package var pools: [CountryCode: Pool]
    package var exits: [ExitID: Exit]
    package var users: [ProxyUser]
    /// Users who are over a quota, with its name.
    package var blockedUsers: [String: Quota] = [:]
    /// Countries that a request opens though they have no pool.
    package var onDemand: Set<CountryCode> = []
    /// Open pools on demand that carry nothing.
    package var idle: [CountryCode: PoolIdleness] = [:]
    /// Outside parts that do not answer, with the reason.
    package var problems: [String: String]
    /// When each part was last asked by this controller; one that it has never asked is not in it.
    package var asked: [String: Timestamp] = [:]
    /// The controller that leads, where it is another one and this one only shows its state.
    package var leader: String?
    package var alerts: [Alert]
    package var breakers: [BreakerView]
    /// Accounts by the provider's name, in the order of the configuration.
    package var accounts: [ProviderName: [AccountView]] = [:]

    package init(
        revision: Int = 0, pools: [CountryCode: Pool] = [:], exits: [ExitID: Exit] = [:], users: [ProxyUser] = [],
        problems: [String: String] = [:], leader: String? = nil, alerts: [Alert] = [], breakers: [BreakerView] = [],
        blockedUsers: [String: Quota] = [:],
        asked: [String: Timestamp] = [:]
    ) {
        self.asked = asked
        self.alerts = alerts
        self.breakers = breakers
        self.revision = revision
        self.pools = pools
        self.exits = exits
        self.users = users
        self.problems = problems
        self.leader = leader
        self.blockedUsers = blockedUsers
    }

    /// Whether a request may ask for an exit of this country.
    package func isOnDemand(_ country: CountryCode) -> Bool { pools[country]?.isOnDemand ?? onDemand.contains(country) }
}

/// The catalog at one moment.
package struct CatalogView: Sendable {
    /// Equal revisions are equal views: an answer encoded for one is good for the other.
    package var revision: Int
    /// Least loaded first.
    package var servers: [Server]
    package var listings: [ProviderListing]

    package init(revision: Int, servers: [Server], listings: [ProviderListing]) {
        self.revision = revision
        self.servers = servers
        self.listings = listings
    }
}

/// An account at a provider.
package struct AccountView: Sendable, Encodable, Hashable {
    package var name: String
    /// Exits that have a tunnel of it, and tunnels that it may have at once; nil for no limit.
    package var inUse: Int
    package var devices: Int?
    /// "closed", or "open" and "half_open" while its key or token is refused, with the reason.
    package var state: String
    package var reason: String?

    package init(name: String, inUse: Int, devices: Int?, state: String, reason: String?) {
        self.name = name
        self.inUse = inUse
        self.devices = devices
        self.state = state
        self.reason = reason
    }
}

/// One provider's part of the catalog.
package struct ProviderListing: Sendable, Encodable, Hashable {
    package var provider: ProviderName
    package var name: ProviderName
    package var servers: Int
    /// Rows of its list that are not used, by reason.
    package var dropped: [String: Int]
    package var fetchedAt: Timestamp?
    /// True where the list is old, for no newer one could be had.
    package var stale: Bool
    /// Why the last fetch failed.
    package var problem: String?
    /// Tunnels that all of its accounts together may have at once.
    package var devices: Int?
    package var accounts: [AccountView]

    package init(
        name: ProviderName, servers: Int, dropped: [String: Int], fetchedAt: Timestamp?, stale: Bool, problem: String?, devices: Int?,
        accounts: [AccountView] = []
    ) {
        self.accounts = accounts
        (provider, self.name) = (name, name)
        self.servers = servers
        self.dropped = dropped
        self.fetchedAt = fetchedAt
        self.stale = stale
        self.problem = problem
        self.devices = devices
    }
}
