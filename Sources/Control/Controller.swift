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
        /// The name that an exit looks up through its tunnel before its proxy opens.
        package var checkName: String

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
        package var leadership: Leadership
        /// Carries operators' changes to the controller that leads; nil where no other one can be.
        package var orders: (any OrderRelay)?
        package var log: Log
        package var now: @Sendable () -> Timestamp

        package init(
            engine: any ExitEngine, gateway: any Gateway, store: any StateStore, catalog: any ServerCatalog, keys: any TunnelKeys,
            prober: any ExitProber, leadership: Leadership = .alone, orders: (any OrderRelay)? = nil, log: Log,
            now: @escaping @Sendable () -> Timestamp = SystemClock.now
        ) {
            self.engine = engine
            self.gateway = gateway
            self.store = store
            self.catalog = catalog
            self.keys = keys
            self.prober = prober
            self.leadership = leadership
            self.orders = orders
            self.log = log
            self.now = now
        }
    }

    /// An outside part of ours, and whether it answered when it was last asked.
    package enum Part: String, Sendable, CaseIterable { case engine, gateway, store, catalog, host }

    let settings: Settings
    let parts: Parts
    let view: StateView
    var desired = Desired()
    var exits: [ExitID: Exit] = [:]
    var problems: [Part: String] = [:]
    var problemsSince: [Part: Timestamp] = [:]
    /// Operations under way, one at most for each exit.
    var operations: [ExitID: Task<Void, Never>] = [:]
    var watches: [ExitID: Watch] = [:]
    var breakers: [String: Breaker] = [:]
    var unsavedBreakers: Set<String> = []
    var handshakeFailures: [ProviderName: [HandshakeFailure]] = [:]
    var alerts: [String: Alert] = [:]
    /// Pools that nobody serves, and since when.
    var unserved: [CountryCode: Timestamp] = [:]
    /// Containers whose removal was refused, and why.
    var stuckContainers: [String: String] = [:]
    var removalTries: [String: Int] = [:]
    /// When containers of each pool were begun lately, and when its servers were last asked for.
    var launches: [CountryCode: [Timestamp]] = [:]
    var searchedAt: [CountryCode: Timestamp] = [:]
    /// Bytes of each slot when they were last looked at.
    var slotBytes: [ExitID: (generation: Int, bytes: Int)] = [:]
    /// Events that the store has not been told of yet.
    var unsentEvents: [Event] = []
    let events: AsyncStream<Void>
    nonisolated let eventBell: AsyncStream<Void>.Continuation
    var removing: Set<String> = []
    /// Exits that changed while the world was being looked at: what was seen says nothing about them.
    var changedWhileLooking: Set<ExitID> = []
    var servers: [CountryCode: (ranked: [Server], at: Timestamp)] = [:]
    var searches: Set<CountryCode> = []
    var published: GatewayLayout?
    /// Exits that the gateway has been seen to have; one that is proved but not here yet serves nobody.
    var plugged: Set<ExitID> = []
    /// When the machine was seen online again after it had lost the internet.
    var hostReturnedAt: Timestamp?
    /// What the last question said, which is not repeated at every look.
    var hostCheck: (isOnline: Bool, at: Timestamp)?
    /// Exits that the store has not been told about yet.
    var unsaved: Set<ExitID> = []
    var hasLoaded = false
    /// Counts the terms in which we lead or follow: what began in another one is void.
    var term = 0
    /// Who led when we last asked, where it was another controller, and whether the store was read since.
    var followed: String?
    var isFollowing = false
    /// The store's count of changes when it was last read to be shown.
    var storeVersion = 0
    private var hasLooked = false
    private var lastEvent: ContinuousClock.Instant?
    /// Operators' changes go through one by one: each must see what the one before has left.
    let changes = Turnstile()
    /// What is saved later must also arrive later.
    private let saves = Turnstile()
    private let bell: AsyncStream<Void>
    nonisolated private let bellPull: AsyncStream<Void>.Continuation

    package init(parts: Parts, settings: Settings) {
        self.parts = parts
        self.settings = settings
        view = StateView()
        (bell, bellPull) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        (events, eventBell) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Something happened: look at the world now.
    nonisolated package func ring() { bellPull.yield() }

    /// What can be read without waiting for the loop.
    nonisolated package var snapshot: Snapshot { view.current }
    nonisolated package var publicView: StateView { view }

    // MARK: - The loop

    /// Reads the stored state; without it nothing may be planned, or everything that runs would look like an orphan.
    package func load() async throws {
        let state = try await parts.store.load()
        // An operator's change may have needed it at the same time.
        guard !hasLoaded else { return }
        adopt(state)
        hasLoaded = true
        problems[.store] = nil
        followWatches()
        publishView()
    }

    func adopt(_ state: StoredState) {
        desired = Desired(pools: state.pools, users: state.users, blocked: state.blocked)
        exits = state.exits
        breakers = state.breakers
        alerts = state.alerts.reduce(into: [:]) { $0[$1.id] = $1 }
        plugged = Set(exits.values.filter { $0.state.takesTraffic }.map(\.id))
    }

    /// Runs until it is cancelled. Exits and gateway go on without it.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.followEngine() }
            group.addTask { await self.keepHistory() }
            group.addTask { await self.keepEvents() }
            group.addTask { await self.lookRegularly() }
            group.addTask { await self.keepLease() }
            group.addTask { await self.takeOrders() }
            await group.waitForAll()
        }
        for operation in operations.values { operation.cancel() }
        for watch in watches.values { watch.task?.cancel() }
        watches = [:]
    }

    private func lookRegularly() async {
        var rings = bell.makeAsyncIterator()
        while !Task.isCancelled {
            let begin = ContinuousClock.now
            let lookAgain = await look()
            Metrics.loopSeconds.observe((ContinuousClock.now - begin) / .seconds(1))
            // An engine tells of a death some milliseconds before its list does: look again soon after an event.
            let isLively = lastEvent.map { ContinuousClock.now - $0 < .milliseconds(600) } ?? false
            let pause = min(isLively ? 0.05 : settings.lookSeconds, max(0.01, (lookAgain.map { $0 - parts.now() }) ?? .infinity))
            let alarm = Task {
                // A cancelled alarm must not ring, or every look would begin the next.
                guard (try? await Task.sleep(for: .seconds(pause))) != nil else { return }
                self.ring()
            }
            await rings.next()
            alarm.cancel()
        }
    }

    /// One turn: observe, plan, act. Returns when the next one is due although nothing may have happened.
    package func look() async -> Timestamp? {
        guard parts.leadership.isLeader else { return nil }
        if !hasLoaded {
            do { try await load() } catch {
                note(.store, error)
                return nil
            }
        }
        let term = term
        changedWhileLooking = []
        async let seenContainers = observeContainers()
        async let seenGateway = observeGateway()
        var world = await World(containers: seenContainers, gateway: seenGateway, published: published)
        world.servers = freshServers()
        world.searchedAt = searchedAt
        world.breakers = breakers
        world.launches = recentLaunches()
        world.hostIsOnline = await observeHost()
        countBytes(world.gateway)
        world.busy = Set(operations.keys).union(changedWhileLooking)
        world.removing = removing
        // What was seen in another term, or what nobody may act on, is worth nothing.
        guard term == self.term, parts.leadership.isLeader else { return nil }
        stopHopelessOperations(world.containers)
        let plan = Planner.plan(desired: desired, exits: exits, world: world, now: parts.now(), rules: settings.rules)
        take(plan.exits)
        await saveExits()
        guard term == self.term else { return nil }
        await apply(plan.steps)
        await saveBreakers()
        await reviewAlerts()
        if !hasLooked, world.containers != nil {
            hasLooked = true
            publishView()
        }
        return plan.lookAgain
    }

    private func followEngine() async {
        var pause = 0.2
        while !Task.isCancelled {
            do {
                for try await _ in try await parts.engine.changes() {
                    pause = 0.2
                    lastEvent = .now
                    ring()
                }
            } catch {
                parts.log.debug("the engine's events ended", ["error": "\(error)"])
            }
            try? await Task.sleep(for: .seconds(pause))
            pause = min(5, pause * 2)
            // Whatever was missed in between shows in the next look.
            ring()
        }
    }

    // MARK: - State

    /// Makes these the exits, tells what changed, and remembers to save it.
    func take(_ new: [ExitID: Exit]) {
        for id in Set(exits.keys).union(new.keys) where exits[id] != new[id] { noteChange(of: id, to: new[id]) }
        exits = new
        followWatches()
        publishView()
    }

    private func noteChange(of id: ExitID, to new: Exit?) {
        tell(from: exits[id], to: new)
        if let new { learn(from: exits[id], to: new) }
        if !Self.differOnlyInFigures(exits[id], new) { unsaved.insert(id) }
    }

    /// True where only the figures of a probe differ, which is nothing that a restart must remember.
    private static func differOnlyInFigures(_ old: Exit?, _ new: Exit?) -> Bool {
        guard var old, let new else { return false }
        guard old.health.verdict == new.health.verdict else { return false }
        old.health = new.health
        old.carriedBytes = new.carriedBytes
        return old == new
    }

    /// Changes one exit, unless it has moved on since the operation began.
    func change(_ id: ExitID, generation: Int, _ body: (inout Exit) -> Void) {
        guard let old = exits[id], old.generation == generation else { return }
        var exit = old
        body(&exit)
        changedWhileLooking.insert(id)
        guard exit != old else { return }
        // Every probe comes here: it must not cost more where there are more exits.
        noteChange(of: id, to: exit)
        exits[id] = exit
        if exit.state.isProbed != old.state.isProbed || exit.generation != old.generation { followWatches() }
        view.show(shown(exit))
    }

    func saveExits() async {
        await saves.pass {
            guard !unsaved.isEmpty else { return }
            let ids = unsaved
            unsaved = []
            do {
                try await parts.store.save(ids.compactMap { exits[$0] }, removed: ids.filter { exits[$0] == nil })
                clear(.store)
            } catch {
                // Failover goes on from memory; the store hears of it when it is back.
                unsaved.formUnion(ids)
                note(.store, error)
            }
        }
    }

    /// Saves an exit as it will be, before it is; whatever happens, the next look saves it as it is.
    func saveAhead(_ exit: Exit) async throws {
        defer { unsaved.insert(exit.id) }
        try await saves.pass { try await parts.store.save([exit], removed: []) }
    }

    func publishView() {
        view.set(
            Snapshot(
                hasLooked: hasLooked || isFollowing, desired: desired, exits: exits.mapValues(shown), problems: problems,
                breakers: breakers, alerts: alerts.values.sorted { $0.id < $1.id }, leader: parts.leadership.leader))
    }

    private func shown(_ exit: Exit) -> Exit {
        guard exit.state.takesTraffic, exit.health.verdict != .dead, !plugged.contains(exit.id) else { return exit }
        var shown = exit
        shown.state = .verifying
        return shown
    }

    /// Remembers what is wrong with a part, and says so once.
    func note(_ part: Part, _ error: any Error) {
        // Whoever stops us in the middle of a question is no trouble of the part's.
        if Task.isCancelled || error is NotLeader { return }
        let words = "\(error)"
        if problems[part] == nil {
            problemsSince[part] = parts.now()
            record(.partTroubled, .warning, "trouble with the \(part.rawValue)", log: ["error": words])
        }
        guard problems[part] != words else { return }
        problems[part] = words
        publishView()
    }

    func clear(_ part: Part) {
        guard problems[part] != nil else { return }
        problems[part] = nil
        problemsSince[part] = nil
        record(.partRecovered, .info, "the \(part.rawValue) is well again")
        publishView()
    }
}
