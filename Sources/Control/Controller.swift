package import Model
package import Planning
package import Platform

/// The reconcile loop: sees the world, plans, acts, and again. One actor owns the state; operations that take time run
/// beside it and bring their results back.
package actor Controller {
    package struct Settings: Sendable {
        package var rules: Planner.Rules
        /// Seconds between looks at the world when nothing rings.
        package var lookSeconds: Double
        /// Seconds between two fast probes of an exit, and fast probes of all exits in a second at most: with many exits the
        /// pauses are longer.
        package var probeSeconds: Double
        package var probesPerSecond: Double
        /// Seconds between two deep probes of an exit, and between two samples of its history.
        package var deepSeconds: Double
        package var historySeconds: Double
        /// Servers that must refuse a provider's key, one after the other, for the key to be at fault.
        package var serversUntilCredential = 3
        /// Seconds that a new exit has to prove itself.
        package var verifySeconds: Double
        /// Seconds that exits have to recover by themselves once the machine is online again.
        package var recoverySeconds: Double
        /// Seconds that a change waits for the controller that leads: longer than a take-over takes.
        package var orderSeconds: Double
        /// Seconds between two readings of a tunnel's last handshake, for the metrics, and tunnels read in a second at most:
        /// each is a program that starts in an exit.
        package var handshakeSeconds = 60.0
        package var handshakesPerSecond = 0.5
        /// Seconds that a change of users waits for the gateway to have it, and for one that is away to come back.
        package var usersSeconds = 10.0
        package var usersSecondsIfAway = 2.0
        /// Seconds between two questions of one that follows who is over a quota.
        package var quotaSeconds = 2.0
        /// Seconds that a look waits for the engine's list, and for the store to have what it has planned; then it goes on without.
        package var listSeconds = 1.0
        /// Seconds without a list after which the engine counts as one that does not answer.
        package var engineHangSeconds = 3.0
        package var saveSeconds = 0.5
        /// Seconds for which an alert about a part stands although the part has not been asked.
        package var unaskedSeconds = 600.0
        /// Seconds without a finished turn after which the loop counts as standing still.
        package var standstillSeconds = 30.0
        /// Seconds between two tries to remove a container that resists, times the number of tries, up to a minute.
        package var removalSeconds = 2.0
        /// Seconds in which a store that was full must take all writes to be well again.
        package var roomSeconds = 10.0
        /// The name that an exit looks up through its tunnel before its proxy opens.
        package var checkName: String
        /// False where an exit is kept though the internet sees it in another country.
        package var countryMustMatch = true

        package init(
            rules: Planner.Rules = .init(), lookSeconds: Double = 1, probeSeconds: Double = 0.5, probesPerSecond: Double = 200,
            deepSeconds: Double = 15, historySeconds: Double = 10, verifySeconds: Double = 15, recoverySeconds: Double = 15,
            orderSeconds: Double = 15,
            checkName: String
        ) {
            self.rules = rules
            self.lookSeconds = lookSeconds
            self.probeSeconds = probeSeconds
            self.probesPerSecond = probesPerSecond
            self.deepSeconds = deepSeconds
            self.historySeconds = historySeconds
            self.verifySeconds = verifySeconds
            self.recoverySeconds = recoverySeconds
            self.orderSeconds = orderSeconds
            self.checkName = checkName
        }
    }

    package struct Parts: Sendable {
        package var engine: any ExitEngine
        package var gateway: any Gateway
        package var store: any StateStore
        package var catalog: any ServerCatalog
        package var keys: any TunnelKeys
        package var prober: any ExitProber
        /// Nil where servers are tried by exits alone.
        package var handshakes: (any ServerHandshakes)?
        package var leadership: Leadership
        /// Carries operators' changes to the controller that leads; nil where no other one can be.
        package var orders: (any OrderRelay)?
        package var log: Log
        package var now: @Sendable () -> Timestamp
        /// Alerts that others stand for, asked at each look.
        package var reports: @Sendable () -> [Alert]

        package init(
            engine: any ExitEngine, gateway: any Gateway, store: any StateStore, catalog: any ServerCatalog, keys: any TunnelKeys,
            prober: any ExitProber, handshakes: (any ServerHandshakes)? = nil, leadership: Leadership = .alone,
            orders: (any OrderRelay)? = nil, log: Log, now: @escaping @Sendable () -> Timestamp = SystemClock.now,
            reports: @escaping @Sendable () -> [Alert] = { [] }
        ) {
            self.engine = engine
            self.gateway = gateway
            self.store = store
            self.catalog = catalog
            self.keys = keys
            self.prober = prober
            self.handshakes = handshakes
            self.leadership = leadership
            self.orders = orders
            self.log = log
            self.now = now
            self.reports = reports
        }
    }

    /// An outside part of ours, which answered when it was last asked or didn't; and the loop itself.
    package enum Part: String, Sendable, CaseIterable { case engine, gateway, store, catalog, host, loop }

    let settings: Settings
    let parts: Parts
    let view: StateView
    let loopWatch: LoopWatch
    let askedParts = AskedParts()
    var failovers = FailoverClock()
    var desired = Desired()
    var exits: [ExitID: Exit] = [:]
    var problems: [Part: String] = [:]
    var problemsSince: [Part: Timestamp] = [:]
    /// What to do about a problem, where it is known better than from the part alone.
    var remedies: [Part: String] = [:]
    /// When a full store has last refused a write; nil where it takes them.
    var storeRefusedAt: ContinuousClock.Instant?
    /// Operations under way, one at most for each exit.
    var operations: [ExitID: Task<Void, Never>] = [:]
    var watches: [ExitID: Watch] = [:]
    /// Wakes who begins the probes before `watchWakesAt`; nil where nothing is due.
    let watchRings: AsyncStream<Void>
    let watchBell: AsyncStream<Void>.Continuation
    var watchWakesAt: ContinuousClock.Instant?
    /// When it was last said that probes can't be made.
    var toldUnaskedAt: Timestamp?
    var breakers: [String: Breaker] = [:]
    var unsavedBreakers: Set<String> = []
    var handshakeFailures: [ProviderName: [HandshakeFailure]] = [:]
    /// What servers have answered without an exit, the pools whose servers are being asked, and the providers whose key is in doubt.
    var handshakes = HandshakeKnowledge()
    var asking: Set<CountryCode> = []
    var doubted: Set<ProviderName> = []
    var alerts: [String: Alert] = [:]
    /// Those that the store has not been told of yet, or that they are over; and who tells it of these and of breakers.
    var unsavedAlerts: Set<String> = []
    var savingMemories: Task<Void, Never>?
    /// The save of exits for which a look did not wait any longer.
    var saving: Task<Void, Never>?
    /// Pools that nobody serves, and since when.
    var unserved: [CountryCode: Timestamp] = [:]
    /// Since when exits were not compared, where an earlier controller's alert says so.
    var recalledComparisons: [Alerts.Uncompared.What: Timestamp] = [:]
    /// Containers whose removal was refused, and why.
    var stuckContainers: [String: String] = [:]
    var removalTries: [String: Int] = [:]
    /// When containers of each pool were begun lately, and when its servers were last asked for.
    var launches: [CountryCode: [Timestamp]] = [:]
    var searchedAt: [CountryCode: Timestamp] = [:]
    /// Bytes and errors of each slot when they were last looked at.
    var slotFigures: [ExitID: (generation: Int, bytes: Int, errors: Int)] = [:]
    /// Exits that carry connections, as the gateway said last.
    var usedSlots: Set<ExitID> = []
    /// Events that the store has not been told of yet.
    var unsentEvents: [Event] = []
    let events: AsyncStream<Void>
    nonisolated let eventBell: AsyncStream<Void>.Continuation
    var removing: Set<String> = []
    /// Exits that changed while the world was being looked at: what was seen says nothing about them.
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
    /// What the last question said, which is not repeated at every look.
    var hostCheck: (isOnline: Bool, at: Timestamp)?
    /// Exits that the store has not been told about yet.
    var unsaved: Set<ExitID> = []
    var hasLoaded = false
    var loadedAt: ContinuousClock.Instant?
    /// Counts the terms in which we lead or follow: what began in another one is void.
    var term = 0
    /// Who led when we last asked, where it was another controller, and whether the store was read since.
    var followed: String?
    var isFollowing = false
    /// When one that follows last asked who is over a quota.
    var quotasAskedAt: ContinuousClock.Instant?
    /// The store's count of changes when it was last read to be shown.
    var storeVersion = 0
    var hasLooked = false
    /// What has been heard of the engine by events, and what by its lists.
    var ear = EngineEar()
    /// The list of containers that is on its way, maybe for longer than a look.
    var listing: Task<[ExitContainer], any Error>?
    var listingSince = ContinuousClock.now
    /// When the loop has last finished a turn.
    var lastTurn = ContinuousClock.now
    /// Operators' changes go through one by one: each must see what the one before has left.
    let changes = Turnstile()
    /// What is saved later must also arrive later.
    let saves = Turnstile()
    let bell: AsyncStream<Void>
    nonisolated let bellPull: AsyncStream<Void>.Continuation

    package init(parts: Parts, settings: Settings) {
        self.parts = parts
        self.settings = settings
        view = StateView()
        loopWatch = LoopWatch(view: view, seconds: settings.standstillSeconds)
        (bell, bellPull) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        (watchRings, watchBell) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        (events, eventBell) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Something happened: look at the world now.
    nonisolated package func ring() { bellPull.yield() }

    /// What can be read without waiting for the loop.
    nonisolated package var snapshot: Snapshot { view.current }
    nonisolated package var revision: Int { view.revision }
    nonisolated package var publicView: StateView { view }
    /// When each part was last asked, whatever came of it; what was never asked in this term is not in it.
    nonisolated package var asked: [Part: Timestamp] { askedParts.times }

    // MARK: - The stored state

    /// Reads the stored state; without it nothing may be planned, or everything that runs would look like an orphan.
    package func load() async throws {
        async let seen = gatewayAsFound()
        let state = try await parts.store.load()
        let gateway = await seen
        // An operator's change may have needed it at the same time.
        guard !hasLoaded else { return }
        adopt(state)
        // An exit is saved as serving before it is plugged in, and the last controller may have ended between the two.
        if gateway.map({ GatewayLayout.of(desired: desired, exits: exits).differs(from: $0) }) ?? true { plugged = [] }
        hasLoaded = true
        loadedAt = .now
        clear(.store)
        followWatches()
        publishView()
    }

    func adopt(_ state: StoredState) {
        desired = Desired(pools: state.pools, users: state.users, blocked: state.blocked)
        let now = parts.now()
        exits = state.exits.mapValues { exit in
            var exit = exit
            exit.settle(now)
            return exit
        }
        breakers = state.breakers.filter { !$0.value.blamesNobody }.mapValues { breaker in
            var breaker = breaker
            breaker.settle(now)
            return breaker
        }
        unsavedBreakers.formUnion(state.breakers.keys.filter { breakers[$0] == nil })
        recall(state.alerts)
        let held = state.addresses.compactMap { address, holder in IPv4Address(address).map { ($0, holder) } }
        ledger = AddressLedger(held: Dictionary(held, uniquingKeysWith: { first, _ in first }))
        plugged = Set(exits.values.filter { $0.state.takesTraffic }.map(\.id))
    }
}
