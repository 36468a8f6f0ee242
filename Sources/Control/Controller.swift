package import Model
import Planning
import Platform

/// The reconcile loop: sees the world, plans, acts, and again. One actor owns the state; operations that take time run
/// beside it and bring their results back.
package actor Controller {
    let settings: ControllerSettings
    let ports: ControllerPorts
    let view: StateView
    let loopWatchdog: LoopWatchdog
    let started: ContinuousClock.Instant
    let checks = DependencyChecks()
    var failovers = FailoverClock()
    var desired = Desired()
    var exits: [ExitID: Exit] = [:]
    var alerts = AlertRegistry()
    /// When a full store has last refused a write; nil where it takes them.
    var storeRefusedAt: ContinuousClock.Instant?
    /// Operations under way, one at most for each exit.
    var operations: [ExitID: Task<Void, Never>] = [:]
    var watches: [ExitID: Watch] = [:]
    /// Wakes who begins the probes before `watchWakesAt`; nil where nothing is due.
    let probesDue = WakeSignal()
    var watchWakesAt: ContinuousClock.Instant?
    /// When it was last said that probes can't be made.
    var toldUnaskedAt: Timestamp?
    var breakers = BreakerRegistry()
    var handshakeFailures: [ProviderName: [HandshakeFailure]] = [:]
    /// What servers have answered without an exit, the pools whose servers are being asked, and the providers whose key is in doubt.
    var handshakes = HandshakeKnowledge()
    var asking: Set<CountryCode> = []
    var doubted: Set<ProviderName> = []
    /// Writes breakers and alerts.
    var savingMemories: Task<Void, Never>?
    /// The save of exits for which a pass did not wait any longer.
    var saving: Task<Void, Never>?
    var removalTries: [String: Int] = [:]
    /// When containers of each pool were begun lately, and when its servers were last asked for.
    var launches: [CountryCode: [Timestamp]] = [:]
    var searchedAt: [CountryCode: Timestamp] = [:]
    /// Bytes and errors of each slot when they were last observed.
    var slotFigures: [ExitID: (generation: Int, bytes: Int, errors: Int)] = [:]
    /// Exits that carry connections, as the gateway said last.
    var usedSlots: Set<ExitID> = []
    /// Events that the store has not been told of yet.
    var unsentEvents: [Event] = []
    let eventsDue = WakeSignal()
    var removing: Set<String> = []
    /// Exits that changed while the world was being observed: what was seen says nothing about them.
    var changedWhileLooking: Set<ExitID> = []
    /// Addresses that exits have, or may not be given; and whether those that the gateway leads to are among them.
    var ledger = AddressLedger()
    var knowsGatewaysAddresses = false
    var servers: [CountryCode: (ranked: [RankedServer], at: Timestamp)] = [:]
    var searches: Set<CountryCode> = []
    /// Why the last search for a pool's servers has failed.
    var searchProblems: [CountryCode: String] = [:]
    var published: GatewayLayout?
    /// Counts the changes of users, and how many of them the gateway has.
    var usersEdition = 0
    var publishedEdition = 0
    /// The wall clock and one that nobody can set, when they were last compared.
    var clock: (wall: Timestamp, steady: ContinuousClock.Instant)?
    /// Exits that the gateway has been seen to have; one that is proved but not here yet serves nobody.
    var plugged: Set<ExitID> = []
    /// When the machine was seen online again after it had lost the internet.
    var hostReturnedAt: Timestamp?
    /// True while it is not known yet whether one exit fails, or all of them.
    var isUndecided = false
    /// Since when all exits fail at once while this machine is online.
    var allFailedAt: Timestamp?
    /// What the last question said, which is not repeated at every pass.
    var hostCheck: (isOnline: Bool, at: Timestamp)?
    var exitWrites = WriteBehind<ExitID>()
    var hasLoaded = false
    /// Counts the terms in which we lead or follow: what began in another one is void.
    var term = 0
    /// Who led when we last asked, where it was another controller, and whether the store was read since.
    var followed: String?
    var isFollowing = false
    /// When one that follows last asked who is over a quota.
    var quotasAskedAt: ContinuousClock.Instant?
    /// The store's count of changes when it was last read to be shown.
    var storeVersion = 0
    var hasObserved = false
    /// What has been heard of the engine by events, and what by its lists.
    var eventStream: EventStreamWatchdog
    /// The list of containers that is on its way, maybe for longer than a pass.
    var listing: Task<[ExitContainer], any Error>?
    var listingSince: ContinuousClock.Instant
    /// Operators' changes go through one by one: each must see what the one before has left.
    let changes = Turnstile()
    /// What is saved later must also arrive later.
    let saves = Turnstile()
    nonisolated let wakeSignal = WakeSignal()

    package init(ports: ControllerPorts, settings: ControllerSettings) {
        self.ports = ports
        self.settings = settings
        view = StateView(time: ports.time)
        loopWatchdog = LoopWatchdog(view: view, seconds: settings.standstillSeconds, time: ports.time)
        started = ports.instant
        listingSince = started
        eventStream = EventStreamWatchdog(now: started)
    }

    /// Begins a task beside the loop.
    @discardableResult
    func spawn(_ body: @escaping @Sendable (isolated Controller) async -> Void) -> Task<Void, Never> {
        Task(executorPreference: ports.executor) { await body(self) }
    }

    @discardableResult
    func spawn<Value: Sendable>(_ body: @escaping @Sendable (isolated Controller) async throws -> Value) -> Task<Value, any Error> {
        Task(executorPreference: ports.executor) { try await body(self) }
    }

    /// Begins a pass now.
    nonisolated package func wake() { wakeSignal.signal() }

    /// What can be read without waiting for the loop.
    nonisolated package var snapshot: Snapshot { view.current }
    nonisolated package var revision: Int { view.revision }
    nonisolated package var publicView: StateView { view }
    /// When each part was last asked, whatever came of it; what was never asked in this term is not in it.
    nonisolated package var asked: [Dependency: Timestamp] { checks.times }

    // MARK: - The stored state

    /// Reads the stored state; without it nothing may be planned, or everything that runs would look like an orphan.
    package func load() async throws {
        async let seen = gatewayAsFound()
        let state = try await ports.store.load()
        let gateway = await seen
        // An operator's change may have needed it at the same time.
        guard !hasLoaded else { return }
        adopt(state)
        // An exit is saved as serving before it is plugged in, and the last controller may have ended between the two.
        if gateway.map({ GatewayLayout.of(desired: desired, exits: exits).differs(from: $0) }) ?? true { plugged = [] }
        hasLoaded = true
        clear(.store)
        followWatches()
        publishView()
    }

    func adopt(_ state: StoredState) {
        desired = Desired(pools: state.pools, users: state.users, blocked: state.blocked)
        let now = ports.now()
        exits = state.exits.mapValues { exit in
            var exit = exit
            exit.clampTimes(to: now)
            return exit
        }
        breakers = BreakerRegistry(stored: state.breakers, now: now)
        alerts.recall(state.alerts, now: now)
        ledger = AddressLedger(held: state.addresses)
        plugged = Set(exits.values.filter { $0.state.takesTraffic }.map(\.id))
    }
}
