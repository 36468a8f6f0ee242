package import Model

/// From what is wanted and what was seen to the next steps. Pure: time and randomness are inputs.
package struct Planner: Sendable {
    package struct Rules: Sendable, Equatable {
        /// Seconds that a draining exit may keep its last connections.
        package var drainSeconds: Double
        /// Seconds until servers are asked for again where a country had none left.
        package var noServerSeconds: Double

        package init(drainSeconds: Double = 30, noServerSeconds: Double = 30) {
            self.drainSeconds = drainSeconds
            self.noServerSeconds = noServerSeconds
        }
    }

    private let desired: Desired
    private let world: World
    private let now: Timestamp
    private let rules: Rules
    private var exits: [ExitID: Exit]
    private var steps: [Step] = []
    private var lookAgain: Timestamp?

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

    private mutating func run() -> Plan {
        if let containers = world.containers {
            for id in exits.keys.sorted() where !world.busy.contains(id) { follow(id, in: containers) }
            for pool in desired.pools.values.sorted(by: { $0.country < $1.country }) { resize(pool) }
            for id in exits.keys.sorted() where !world.busy.contains(id) { leave(id, in: containers) }
            for id in exits.keys.sorted() where !world.busy.contains(id) { begin(id, containers) }
            removeOrphans(containers)
        }
        let layout = GatewayLayout.of(desired: desired, exits: exits, hostIsOnline: world.hostIsOnline)
        if world.published != layout || world.gateway.map({ layout.differs(from: $0) }) ?? false {
            steps.append(.publish(layout))
        }
        return Plan(exits: exits, steps: steps, lookAgain: lookAgain)
    }

    // MARK: - One exit

    /// Brings the record of an exit up to what its container shows.
    private mutating func follow(_ id: ExitID, in containers: [ExitContainer]) {
        guard var exit = exits[id] else { return }
        let container = containers.first { $0.exit == id && $0.generation == exit.generation }
        let isRunning = container?.isRunning ?? false
        switch exit.state {
        case .pending, .failed:
            return
        case .starting, .verifying:
            if isRunning, let container, let endpoint = container.endpoint {
                exit.container = container.name
                exit.endpoint = endpoint
                exit.move(to: .verifying, now: now)
                steps.append(.verify(id))
            } else if exit.state == .starting {
                // Its launch was lost with the controller that began it: begin anew, with a new generation.
                exit.move(to: .pending, now: now)
            } else {
                exit.lose(container, now: now)
            }
        case .serving, .degraded:
            if !isRunning {
                exit.lose(container, now: now)
            } else if exit.health.verdict == .dead, world.hostIsOnline {
                exit.giveUp(exit.health.reason ?? .blackhole, "its probes fail", avoidServer: true, now: now)
            } else {
                exit.endpoint = container?.endpoint ?? exit.endpoint
            }
        case .draining:
            if !isRunning { exit.move(to: .stopped, now: now) }
        case .stopped:
            if container == nil {
                exits[id] = nil
                return
            }
        }
        exits[id] = exit
    }

    /// Drains and stops what is to leave, but never the last one that serves while another is still to come.
    private mutating func leave(_ id: ExitID, in containers: [ExitContainer]) {
        guard var exit = exits[id] else { return }
        if desired.pools[id.country] == nil { exit.leaving = true }
        if exit.leaving, exit.state != .draining, exit.state != .stopped {
            if exit.state.takesTraffic {
                if isReplaced(exit) { exit.move(to: .draining, reason: exit.reason, now: now) }
            } else {
                exit.move(to: .stopped, reason: exit.reason, now: now)
                steps.removeAll { $0 == .verify(id) }
            }
        }
        if exit.state == .draining {
            let deadline = exit.since + rules.drainSeconds
            // The gateway must have been told to drain before "no sessions" means anything.
            exits[id] = exit
            let isPublished =
                world.published == nil
                ? false : world.published == GatewayLayout.of(desired: desired, exits: exits, hostIsOnline: world.hostIsOnline)
            let isIdle = isPublished && world.gateway?.sessions(country: id.country, slot: exit.slot) == 0
            if isIdle || deadline <= now { exit.move(to: .stopped, reason: exit.reason, now: now) } else { look(at: deadline) }
        }
        if exit.state == .stopped, !containers.contains(where: { $0.exit == id }) {
            exits[id] = nil
            return
        }
        exits[id] = exit
    }

    private func isReplaced(_ exit: Exit) -> Bool {
        guard let pool = desired.pools[exit.country] else { return true }
        return exits.values.count { $0.country == exit.country && !$0.leaving && $0.state.takesTraffic } >= pool.size
    }

    /// Gives a waiting exit a server and starts it.
    private mutating func begin(_ id: ExitID, _ containers: [ExitContainer]) {
        guard var exit = exits[id], exit.state == .pending || exit.state == .failed else { return }
        if let retryAt = exit.retryAt, retryAt > now { return look(at: retryAt) }
        guard let candidates = world.servers[id.country] else {
            if !steps.contains(.findServers(id.country)) { steps.append(.findServers(id.country)) }
            return
        }
        guard let server = choose(for: exit, from: candidates, containers) else {
            if keepLeaver(insteadOf: exit) { return }
            exit.move(to: .pending, reason: .noServer, now: now)
            exit.detail = candidates.isEmpty ? "the catalog has no server for it" : "every server of \(id.country) is in use"
            exit.retryAt = now + rules.noServerSeconds
            look(at: now + rules.noServerSeconds)
            exits[id] = exit
            return
        }
        // Where only a server is left whose last container still runs, that one goes first: two tunnels with one key on one
        // server would take the session from each other.
        if tunnelled(by: containers).contains(server.address) { return }
        exit.server = server
        exit.generation += 1
        exit.move(to: .starting, now: now)
        exits[id] = exit
        steps.append(.launch(id))
    }

    /// Where every server is taken, an exit that was to leave holds the one that its replacement needs: then it stays.
    private mutating func keepLeaver(insteadOf exit: Exit) -> Bool {
        let leavers = exits.values.filter { $0.country == exit.country && $0.leaving && $0.state.takesTraffic }
        guard desired.pools[exit.country] != nil, let leaver = leavers.min(by: { $0.id < $1.id }) else { return false }
        exits[leaver.id]?.leaving = false
        exits[leaver.id]?.reason = nil
        exits[exit.id] = nil
        return true
    }

    /// The best server that no other exit holds; one that failed lately only where there is no other.
    private func choose(for exit: Exit, from candidates: [Server], _ containers: [ExitContainer]) -> Server? {
        let held = Set(exits.values.filter { $0.id != exit.id && $0.state != .stopped }.compactMap(\.server).map(\.address))
        let avoided = exit.avoid.filter { $0.until > now }
        let tunnelled = tunnelled(by: containers)
        let free = candidates.filter { !held.contains($0.address) }
        let fresh = free.filter { server in !avoided.contains { $0.hostname == server.hostname } }
        return fresh.first { !tunnelled.contains($0.address) } ?? fresh.first
            ?? avoided.lazy.compactMap { entry in free.first { $0.hostname == entry.hostname } }.first
    }

    /// The servers to which a tunnel of ours still leads, whoever's it is.
    private func tunnelled(by containers: [ExitContainer]) -> Set<String> {
        Set(containers.filter(\.isRunning).compactMap(\.server))
    }

    // MARK: - The whole

    private mutating func resize(_ pool: Pool) {
        let staying = exits.values.filter {
            $0.country == pool.country && !$0.leaving && $0.state != .draining && $0.state != .stopped
        }
        for _ in 0..<max(0, pool.size - staying.count) { add(to: pool) }
        guard staying.count > pool.size else { return }
        // The ones that don't serve go first, then the newest.
        let order = staying.sorted { ($0.state.takesTraffic ? 0 : 1, $0.id.number) > ($1.state.takesTraffic ? 0 : 1, $1.id.number) }
        for exit in order.prefix(staying.count - pool.size) {
            exits[exit.id]?.leaving = true
            exits[exit.id]?.reason = .unwanted
        }
    }

    private mutating func add(to pool: Pool) {
        if let exit = Self.newExit(country: pool.country, among: exits, now: now) { exits[exit.id] = exit }
    }

    /// A waiting exit with the smallest number and slot that are free; nil where all slots are taken.
    package static func newExit(country: CountryCode, among exits: [ExitID: Exit], now: Timestamp) -> Exit? {
        let slots = Set(exits.values.filter { $0.country == country }.map(\.slot))
        guard let number = (1...999).first(where: { exits[ExitID(country: country, number: $0)] == nil }),
            let slot = (1...Pool.slots).first(where: { !slots.contains($0) })
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

    private mutating func look(at time: Timestamp) {
        lookAgain = min(lookAgain ?? time, time)
    }
}
