import Control
import Model
import Planning
import Platform
import Synchronization
import TestSupport

/// What a part answers while it is away.
struct Away: Error, CustomStringConvertible {
    var description: String { "nobody answers" }
}

let exampleStatus = ExitReport(
    """
    version 0.1.0
    connections 3
    connections_limit 20000
    lookups 10
    lookups_failed 1
    lookup_milliseconds 250
    connects 20
    connects_failed 2
    connect_milliseconds 4000
    handshake_age_seconds 12
    received_bytes 4096
    sent_bytes 2048
    """, at: Timestamp(milliseconds: 1_700_000_000_000))

/// The outside of controllers, in memory: what an engine, a gateway, a store and a provider hold when no controller runs.
final class FakeWorld: Sendable {
    enum Outside: Hashable, Sendable { case engine, gateway, store, catalog, prober, internet, sockets }

    struct State {
        var containers: [String: ExitContainer] = [:]
        /// The server that each proxy's tunnel leads to.
        var serverOfEndpoint: [Endpoint: Server] = [:]
        var published: GatewayLayout?
        var sessions = 0
        /// Connections of each exit that the gateway saw fail.
        var gatewayErrors = 0
        var stored = StoredState()
        var health: [ExitID: [Verdict]] = [:]
        /// What the leader has told of its probes.
        var shownHealth: [ExitID: Health] = [:]
        var events: [Event] = []
        var servers: [Server] = []
        var away: Set<Outside> = []
        /// Servers through which nothing comes, and those that the internet sees in another country.
        var deadServers: Set<String> = []
        /// Dead for probes, though bytes come through their tunnels; and what deep probes find at a server.
        var busyServers: Set<String> = []
        var faults: [String: ExitReason] = [:]
        var carried = 0
        /// What exits say when they are asked for their status, nil of a version without one; how often they were, and in which containers
        /// a program was run instead.
        var statusAnswer = Result<ExitReport?, Away>.success(exampleStatus)
        var statuses = 0
        var programs: [String] = []
        /// Seconds since each tunnel's last handshake.
        var handshakeAge = 30.0
        /// Address services say an address and a country.
        var comparing = true
        /// What the firewall of each exit has counted beside its tunnel.
        var leaks = LeakCount.counted(packets: 0, bytes: 0)
        var misplaced: [String: CountryCode] = [:]
        /// Servers that answer neither a handshake nor an exit, though they can be reached; and those that can't be reached at all.
        var refusing: Set<String> = []
        /// Accounts whose key every server refuses, and names for the keys that accounts have.
        var refusedAccounts: Set<String> = []
        var keyNames: [ProviderAccount: String] = [:]
        var unreachable: Set<String> = []
        /// False where handshakes of this machine never arrive; which servers were asked for one.
        var handshakesArrive = true
        var asked: [[String]] = []
        /// Thrown by the next launches, in order.
        var launchFailures: [ExitFailure] = []
        var launches: [ExitSpecification] = []
        var removals: [String] = []
        /// Fast probes that were asked for, and the latency that they find.
        var probes = 0
        var deepProbes = 0
        var urgentProbes = 0
        var canaryQuestions = 0
        /// Host names of servers that a canary blocks.
        var canaryBlocked: [String: Set<String>] = [:]
        var probeMilliseconds = 1.5
        /// How often the containers were listed, which each pass does once.
        var lists = 0
        /// Milliseconds that a list of containers is on its way.
        var listMilliseconds = 0
        /// The same for a launch.
        var launchMilliseconds = 0
        /// The same for what the store is told.
        var storeMilliseconds = 0
        /// Milliseconds that the gateway takes to have a layout.
        var publishMilliseconds = 0
        /// The engine takes every call and answers none; the gateway never gets ready.
        var engineHangs = false
        var gatewayHangs = false
        /// Containers that can't be removed; how often somebody has begun to follow the events.
        var resisting: Set<String> = []
        var followings = 0
        /// Who holds the lease, under which number, until when; and what is handed over.
        var lease: (claim: LeaseClaim, fence: Int, until: ContinuousClock.Instant)?
        var fence = 0
        var version = 0
        var commands: [(id: String, command: ForwardedCommand)] = []
        var answers: [String: CommandAnswer] = [:]
        /// Who did what: the instance of each launch, removal and publishing.
        var acts: [(instance: String, act: String)] = []
        var listeners: [Int: AsyncThrowingStream<Void, any Error>.Continuation] = [:]
        /// Streams that stand, and tell nothing any more.
        var hanging: [AsyncThrowingStream<Void, any Error>.Continuation] = []
        var nextNumber = 0
        /// The exits' network, addresses on it that others have, those that the gateway leads to beside its layout, and whether it
        /// does not tell all.
        var network = IPv4Network(IPv4Address(0xAC1F_0000), prefix: 16)
        var foreignAddresses: Set<String> = []
        var staleAddresses: [IPv4Address] = []
        var gatewayHides = false
        /// Where another container answers than the one that has the address.
        var strangers: Set<Endpoint> = []

        /// Nothing comes through a dead server's tunnel, and a good one carries a little all the time.
        mutating func reading(of endpoint: Endpoint?, at now: Timestamp) throws -> TunnelReading {
            let isRunning = containers.values.contains { $0.endpoint == endpoint && $0.isRunning }
            guard isRunning, let server = endpoint.flatMap({ serverOfEndpoint[$0] }) else { throw Away() }
            if !isSilent(server) || busyServers.contains(server.hostname) { carried += 10_000 }
            return TunnelReading(at: now, handshakeAt: now + -handshakeAge, received: carried, sent: 0, leaks: leaks)
        }

        /// True where no exit gets anything from a server.
        func isSilent(_ server: Server) -> Bool {
            isSilent(server.hostname) || server.account.map(refusedAccounts.contains) ?? false
        }

        func isSilent(_ name: String) -> Bool { deadServers.contains(name) || refusing.contains(name) || unreachable.contains(name) }
    }

    private let state: Mutex<State>
    let time = SimulatedTime.current

    init(servers: [Server]) {
        state = Mutex(State())
        with { $0.servers = servers }
    }

    /// Looks at the state, or changes it.
    @discardableResult
    func with<Value: Sendable>(_ body: (inout sending State) -> sending Value) -> Value { state.withLock { body(&$0) } }

    var launches: [ExitSpecification] { with { $0.launches } }
    var runningContainers: [ExitContainer] { with { state in state.containers.values.filter(\.isRunning) } }
    var stored: StoredState { with { $0.stored } }

    /// The exits of the layout that the gateway sends new connections to.
    var readyEndpoints: [Endpoint] {
        with { state in (state.published?.pools ?? []).flatMap { $0.slots.filter { $0.state == .ready }.compactMap(\.endpoint) } }
    }

    // MARK: - What happens out there

    func go(away part: Outside) {
        let listeners = with { state in
            state.away.insert(part)
            defer { if part == .engine { state.listeners = [:] } }
            return part == .engine ? Array(state.listeners.values) : []
        }
        for listener in listeners { listener.finish(throwing: Away()) }
    }

    /// From now on the streams of events that there are hang.
    func hangEvents() {
        with { state in
            state.hanging += Array(state.listeners.values)
            state.listeners = [:]
        }
    }

    func come(back part: Outside) { with { state in _ = state.away.remove(part) } }

    /// A container ends by itself.
    func end(_ name: String, exitCode: Int) {
        with { state in
            state.containers[name]?.isRunning = false
            state.containers[name]?.exitCode = exitCode
        }
        tellListeners()
    }

    func tellListeners() { for listener in with({ Array($0.listeners.values) }) { listener.yield() } }
}

/// Dies with its controller: from then on nothing that the controller does reaches the world.
final class Lifeline: Sendable {
    private let state: Mutex<(calls: Int, last: Int)>

    /// - Parameter calls: how many calls come through before the controller dies; the last one's answer is lost.
    init(calls: Int = .max) { state = Mutex((0, calls)) }

    var calls: Int { state.withLock { $0.calls } }
    var isCut: Bool { state.withLock { $0.calls >= $0.last } }
    func cut() { state.withLock { $0.last = 0 } }

    /// Runs one call, unless the controller is dead by then.
    func carry<Value: Sendable>(_ body: () throws -> Value) throws -> Value {
        let isLast = try state.withLock { state in
            guard state.calls < state.last else { throw CancellationError() }
            state.calls += 1
            return state.calls == state.last
        }
        let value = try body()
        if isLast { throw CancellationError() }
        return value
    }
}
