package import Model

/// From what is wanted and what was seen to the next steps. Pure: time and randomness are inputs.
package struct Planner: Sendable {
    package struct Rules: Sendable, Equatable {
        /// Seconds that a draining exit may keep its last connections.
        package var drainSeconds: Double
        /// Seconds until servers are asked for again where a country had none left.
        package var noServerSeconds: Double
        package var budget = RestartBudget()
        package var retirement = Retirement()
        package var devices = DeviceBudget()
        package var onDemand = OnDemandRules()

        package init(drainSeconds: Double = 30, noServerSeconds: Double = 30) {
            self.drainSeconds = drainSeconds
            self.noServerSeconds = noServerSeconds
        }
    }

    let desired: Desired
    let world: World
    let now: Timestamp
    let rules: Rules
    var exits: [ExitID: Exit]
    var steps: [Step] = []
    var requeueAt: Timestamp?
    /// Launches of this plan, and half-open breakers on which one of them is a trial.
    var begun: [CountryCode: Int] = [:]
    var trials: Set<BreakerKey> = []
    var started: Set<ExitID> = []
    /// Addresses of the servers that exits had at the beginning of this pass.
    var held: Set<String> = []
    /// What is held while exits begin; nil before and after.
    var holdings: Holdings?
    /// Whose servers each pool may take: the world's, and so the same for the whole plan.
    var listedProviders: [CountryCode: Set<ProviderName>] = [:]
    /// Servers with the accounts that tunnels to them would have.
    var namedLists: [NamedList: [RankedServer]] = [:]

    package static func plan(
        desired: Desired, exits: [ExitID: Exit], world: World, now: Timestamp, rules: Rules = Rules()
    ) -> Plan {
        var planner = Planner(desired: desired, world: world, now: now, rules: rules, exits: exits)
        return planner.run()
    }

    private init(desired: Desired, world: World, now: Timestamp, rules: Rules, exits: [ExitID: Exit]) {
        self.desired = desired
        self.world = world
        self.now = now
        self.rules = rules
        self.exits = exits
    }

    var newHoldings: Holdings { Holdings(exits, world, now, rules.devices) }

    private mutating func run() -> Plan {
        if let containers = world.containers {
            // One change may call for another, of an exit that has been looked at: again until nothing changes. What takes
            // time is begun once, so that a few rounds are always enough.
            for _ in 0..<8 {
                let before = exits
                pass(containers)
                if exits == before { break }
            }
            pools.forEach { askAhead(for: $0) }
            removeOrphans(containers)
        } else {
            // Taking a dead exit out and plugging a standby in needs no engine.
            pools.forEach { promote(in: $0) }
        }
        let layout = GatewayLayout.of(desired: desired, exits: exits, hostIsOnline: world.hostIsOnline)
        if world.published != layout || world.gateway.map({ layout.differs(from: $0) }) ?? false {
            steps.append(.publish(layout))
        }
        return Plan(exits: exits, steps: steps, requeueAt: requeueAt)
    }

    private mutating func pass(_ containers: [ExitContainer]) {
        held = Set(exits.values.compactMap(\.server?.address))
        // An exit may have taken since what was to be asked.
        steps.removeAll { if case .ask = $0 { true } else { false } }
        let byExit = Dictionary(grouping: containers.filter { $0.exit != nil }, by: \.exit)
        for id in idle() { follow(id, in: byExit[id] ?? []) }
        for pool in pools {
            promote(in: pool)
            retire(from: pool)
            resize(pool)
            promote(in: pool)
        }
        for id in idle(where: mayLeave) { leave(id, in: containers) }
        let waiting = idle { $0.state == .pending || $0.state == .failed }
        guard !waiting.isEmpty else { return }
        holdings = newHoldings
        for id in waiting { begin(id) }
        holdings = nil
    }

    /// The exits without an operation, neither under way nor begun by this plan.
    private func idle(where isMeant: (Exit) -> Bool = { _ in true }) -> [ExitID] {
        exits.compactMap { id, exit in !world.busy.contains(id) && !started.contains(id) && isMeant(exit) ? id : nil }.sorted()
    }

    private var pools: [Pool] { desired.pools.values.sorted { $0.country < $1.country } }

    // MARK: - One exit

    /// Brings the record of an exit up to what its container shows. Where nothing has happened nothing is written, so that a fleet's
    /// exits aren't copied in each pass.
    private mutating func follow(_ id: ExitID, in containers: [ExitContainer]) {
        guard var exit = exits[id] else { return }
        let container = containers.first { $0.generation == exit.generation }
        let isRunning = container?.isRunning ?? false
        switch exit.state {
        case .pending, .failed: return
        case .starting, .verifying: followStart(of: &exit, container)
        case .serving, .degraded, .standby: followTunnel(of: &exit, container)
        case .draining: if !isRunning { exit.move(to: .stopped, now: now) }
        case .stopped:
            guard container != nil else {
                exits[id] = nil
                return
            }
        }
        if exit != exits[id] { exits[id] = exit }
    }

    /// An exit whose container was begun, and whose tunnel is not proved yet.
    private mutating func followStart(of exit: inout Exit, _ container: ExitContainer?) {
        if let container, container.isRunning, let endpoint = container.endpoint {
            exit.container = container.name
            exit.endpoint = endpoint
            exit.knowsCredential = container.knowsCredential
            exit.hasIPv6 = container.hasIPv6
            exit.move(to: .verifying, now: now)
            started.insert(exit.id)
            steps.append(.verify(exit.id))
        } else if exit.state == .starting {
            // Its launch was lost with the controller that began it: begin anew, with a new generation.
            exit.move(to: .pending, now: now)
        } else {
            exit.lose(container, now: now)
        }
    }

    /// An exit whose tunnel was proved.
    private func followTunnel(of exit: inout Exit, _ container: ExitContainer?) {
        guard let container, container.isRunning else { return exit.lose(container, now: now) }
        if isLost(exit) {
            let reason = exit.health.reason ?? .blackhole
            // A proxy that does not listen is the container's own trouble, and most often its end, which the list shows a moment later.
            exit.backOff(reason, Self.words(exit.health), avoidServer: reason != .proxyDown && reason != .wrongProxy, now: now)
        } else {
            exit.endpoint = container.endpoint ?? exit.endpoint
            exit.knowsCredential = container.knowsCredential
            exit.hasIPv6 = container.hasIPv6
            settleAccount(of: &exit)
        }
    }

    private static func words(_ health: Health) -> String {
        health.leak ?? (health.reason == .wrongProxy ? "another container's proxy answers at its address" : "its probes fail")
    }

    private func mayLeave(_ exit: Exit) -> Bool {
        exit.leaving || exit.state == .draining || exit.state == .stopped || desired.pools[exit.country] == nil
    }

    /// Drains and stops what is to leave, but never the last one that serves while another is still to come.
    private mutating func leave(_ id: ExitID, in containers: [ExitContainer]) {
        guard var exit = exits[id] else { return }
        if desired.pools[id.country] == nil { exit.leaving = true }
        if exit.leaving { beginLeaving(&exit) }
        if exit.state == .draining { drain(&exit) }
        exits[id] = exit.state == .stopped && !containers.contains { $0.exit == id } ? nil : exit
    }

    private mutating func beginLeaving(_ exit: inout Exit) {
        guard exit.state != .draining, exit.state != .stopped else { return }
        if exit.state.takesTraffic {
            if isReplaced(exit) { exit.move(to: .draining, reason: exit.reason, now: now) }
        } else {
            exit.move(to: .stopped, reason: exit.reason, now: now)
            steps.removeAll { $0 == .verify(exit.id) }
        }
    }

    private mutating func drain(_ exit: inout Exit) {
        let deadline = exit.since + rules.drainSeconds
        // The gateway must have been told to drain before "no sessions" means anything.
        exits[exit.id] = exit
        let isPublished =
            world.published == nil
            ? false : world.published == GatewayLayout.of(desired: desired, exits: exits, hostIsOnline: world.hostIsOnline)
        let hasNone = world.gateway?.sessions(country: exit.country, slot: exit.slot) == 0
        let isIdle = isPublished && hasNone
        // It most likely still has none when this plan is published.
        if hasNone && !isPublished { requeue(at: now) }
        // One that gives way was chosen because it had no connection: one that has come in the same moment is not cut for that.
        if isIdle || deadline <= now && !exit.givesWay {
            exit.move(to: .stopped, reason: exit.reason, now: now)
        } else if !exit.givesWay {
            requeue(at: deadline)
        }
    }

    private func isReplaced(_ exit: Exit) -> Bool {
        guard let pool = desired.pools[exit.country] else { return true }
        return serving(of: exit.country).count >= pool.sizeNow
    }

    /// The exits that take a country's traffic, and are to go on with it.
    func serving(of country: CountryCode) -> [Exit] {
        exits.of(country).filter { !$0.leaving && $0.state.takesTraffic && $0.isUsable(hostIsOnline: world.hostIsOnline) }
    }

    /// True where an exit's probes say that it is to be given up. While the machine is offline they blame the wrong one, but for
    /// what is certain; and one exit may go as a trial.
    private func isLost(_ exit: Exit) -> Bool {
        if exit.health.isCertain { return true }
        guard world.hostIsOnline || world.trial == exit.id else { return false }
        return exit.health.verdict == .dead || isUselessStandby(exit)
    }

    /// A standby has nobody to lose: it need not wait for its replacement.
    private func isUselessStandby(_ exit: Exit) -> Bool {
        exit.state == .standby && rules.retirement.isDue(exit.health, now) && !rules.retirement.isCommon(exits.values, now)
    }

    // MARK: - The whole

    private mutating func resize(_ pool: Pool) {
        if pool.isOnDemand { takeBack(for: pool) }
        // Never more of those that serve than the pool wants. What doesn't serve goes first, then what is unwell, then the newest.
        let order = staying(pool.country).sorted { (Self.removalRank($0), $0.id.number) > (Self.removalRank($1), $1.id.number) }
        let serving = order.filter(\.state.takesTraffic)
        for exit in serving.prefix(max(0, serving.count - pool.sizeNow)) { dismiss(exit, pool) }
        let wanted = pool.sizeNow + pool.standbyNow
        let left = order.filter { exits[$0.id]?.leaving == false }
        for exit in left.prefix(max(0, left.count - wanted)) { dismiss(exit, pool) }
        for _ in 0..<max(0, wanted - left.count) { add(to: pool) }
    }

    /// The exits with the highest rank are removed first.
    private static func removalRank(_ exit: Exit) -> Int {
        switch exit.state {
        case .serving: 0
        case .degraded: 1
        case .standby: 2
        default: 3
        }
    }

    private func staying(_ country: CountryCode) -> [Exit] {
        exits.of(country).filter { !$0.leaving && $0.state != .draining && $0.state != .stopped }
    }

    private mutating func dismiss(_ exit: Exit, _ pool: Pool) {
        exits[exit.id]?.leaving = true
        exits[exit.id]?.reason = pool.isClosed ? .idle : .unwanted
    }

    /// An exit that gives way and is still there serves again at once where its country is asked for.
    private mutating func takeBack(for pool: Pool) {
        var missing = pool.sizeNow - staying(pool.country).count
        for exit in exits.of(pool.country).sorted(by: { $0.id < $1.id }) where missing > 0 && exit.givesWay {
            guard exit.state.takesTraffic || exit.state == .draining, exit.isUsable(hostIsOnline: world.hostIsOnline) else { continue }
            exits[exit.id]?.takeBack(now: now)
            missing -= 1
        }
    }

    /// Plugs standbys in for as many exits as the pool lacks, the best first.
    private mutating func promote(in pool: Pool) {
        let missing = pool.sizeNow - serving(of: pool.country).count
        guard missing > 0 else { return }
        let standbys = exits.of(pool.country).filter {
            $0.state == .standby && !$0.leaving && $0.health.verdict != .dead && !world.busy.contains($0.id)
        }
        let best = standbys.sorted { ($1.health.score, $0.id.number) < ($0.health.score, $1.id.number) }
        for exit in best.prefix(missing) { exits[exit.id]?.promote(now: now) }
    }

    private mutating func add(to pool: Pool) {
        if let exit = Self.newExit(country: pool.country, slots: pool.slotCount, among: exits, now: now) { exits[exit.id] = exit }
    }

    /// A waiting exit with the smallest number and slot that are free; nil where all slots are taken.
    package static func newExit(
        country: CountryCode, slots count: Int = Pool.slots, among exits: [ExitID: Exit], now: Timestamp
    ) -> Exit? {
        let slots = Set(exits.of(country).map(\.slot))
        guard let number = (1...999).first(where: { exits[ExitID(country: country, number: $0)] == nil }),
            let slot = (1...count).first(where: { !slots.contains($0) })
        else { return nil }
        return Exit(id: ExitID(country: country, number: number), slot: slot, now: now)
    }

    /// Removes every container of ours that no exit claims: of an older generation, stopped, or of an exit that is gone.
    private mutating func removeOrphans(_ containers: [ExitContainer]) {
        for container in containers where !world.removing.contains(container.name) {
            if let id = container.exit, let exit = exits[id], container.generation == exit.generation, exit.keepsContainer { continue }
            if let id = container.exit, world.busy.contains(id), container.generation == exits[id]?.generation { continue }
            steps.append(.remove(container: container.name))
        }
    }

    mutating func requeue(at time: Timestamp) {
        requeueAt = min(requeueAt ?? time, time)
    }
}
