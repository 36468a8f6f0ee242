import Model
import Planning
import Testing

/// An engine, servers and a gateway in memory, with a clock of their own and faults drawn from a seed.
struct SimulatedWorld {
    var random: SplitMix64
    var now = start
    /// By how many seconds the clock was set, all in all.
    var jumped = 0.0
    var desired = Desired()
    var exits: [ExitID: Exit] = [:]
    var containers: [String: ExitContainer] = [:]
    var published: GatewayLayout?
    /// Operations whose result is still to come.
    var running: [(id: ExitID, generation: Int, isLaunch: Bool)] = []
    var faults = true
    var breakers: [BreakerKey: Breaker] = [:]
    var launches: [CountryCode: [Timestamp]] = [:]
    var hostIsOnline = true
    /// Handshakes without an exit: what they have said, and those whose answers are still to come. Some worlds send none.
    var handshakes: HandshakeKnowledge?
    var questions: [CountryCode: [Server]] = [:]
    /// Seconds that a turn takes at most.
    var longestTurn = 3.0
    let servers: [CountryCode: [Server]] = [us: (1...6).map { server($0) }, de: (1...5).map { server($0, de) }]
    let rules = Planner.Rules(drainSeconds: 10, noServerSeconds: 5)
    private let breakerRules = Breaker.Rules(threshold: 1, firstCoolDown: 20, longestCoolDown: 60)

    init(seed: UInt64) {
        random = SplitMix64(state: seed)
        if Int.random(in: 0..<3, using: &random) > 0 { handshakes = HandshakeKnowledge() }
    }

    mutating func endFaults() {
        faults = false
        for country in desired.pools.keys { desired.pools[country]?.rotateEvery = nil }
    }

    mutating func chance(_ percent: Int) -> Bool { faults && Int.random(in: 0..<100, using: &random) < percent }

    mutating func turn() {
        now = now + Double.random(in: 0.01...longestTurn, using: &random)
        // The clock may be set: a little, which nobody notices, or by hours.
        if chance(1) { now = now + -1.5 }
        if chance(1) { setClock(by: Double.random(in: -20_000...20_000, using: &random)) }
        hostIsOnline = !chance(5)
        finishOperations()
        answerQuestions()
        if chance(5) { restartController() }
        // The engine restarts, and every container ends.
        if chance(1) { for name in containers.keys { containers[name]?.isRunning = false } }
        if chance(8), let name = containers.keys.sorted().randomElement(using: &random) {
            if chance(50) { containers[name]?.isRunning = false } else { containers[name] = nil }
        }
        judge()
        if chance(4), let id = exits.keys.sorted().randomElement(using: &random) { exits[id]?.leaving = true }
        if chance(6) {
            let country = [us, de].randomElement(using: &random) ?? us
            if chance(20) {
                desired.pools[country] = nil
            } else {
                desired.pools[country] = Pool(
                    country: country, size: Int.random(in: 1...3, using: &random), standby: Int.random(in: 0...1, using: &random),
                    rotateEvery: chance(30) ? 60 : nil)
            }
        }
        let isPartial = chance(10)
        look(isPartial: isPartial)
    }

    mutating func look(isPartial: Bool) {
        var world = World(containers: isPartial ? nil : Array(containers.values), published: published, servers: servers)
        world.busy = Set(running.map(\.id))
        world.hostIsOnline = hostIsOnline
        world.breakers = breakers
        world.launches = launches
        world.handshakes = handshakes
        world.asking = Set(questions.keys)
        let before = exits
        let plan = Planner.plan(desired: desired, exits: exits, world: world, now: now, rules: rules)
        check(plan, before: before, isPartial: isPartial)
        checkSecond(plan, world)
        exits = plan.exits
        for id in plan.launches { launches[id.country, default: []].append(now) }
        for step in plan.steps { apply(step) }
    }

    /// What the loop does when it notices that.
    private mutating func setClock(by seconds: Double) {
        now = now + seconds
        jumped += seconds
        for id in exits.keys { exits[id]?.shift(by: seconds) }
        for name in breakers.keys { breakers[name]?.shift(by: seconds) }
        handshakes?.shift(by: seconds)
        launches = launches.mapValues { $0.map { $0 + seconds } }
    }

    /// The container that a launch makes.
    private mutating func make(_ exit: Exit, isRunning: Bool = true) {
        let name = "\(exit.id)-\(exit.generation)"
        let endpoint = Endpoint(address: "172.31.0.\(exit.slot)", port: 3128)
        containers[name] = ExitContainer(
            name: name, exit: exit.id, generation: exit.generation, isRunning: isRunning, endpoint: endpoint,
            server: exit.server?.address, exitCode: nil)
    }

    private mutating func apply(_ step: Step) {
        switch step {
        case .launch(let id): running.append((id, exits[id]?.generation ?? 0, true))
        case .verify(let id): running.append((id, exits[id]?.generation ?? 0, false))
        case .remove(let name): if !chance(10) { containers[name] = nil }
        case .publish(let layout): published = chance(10) ? nil : layout
        case .ask(let country, let servers):
            questions[country] = servers
            let tunnelled = Set(containers.values.filter(\.isRunning).compactMap(\.server))
            let held = Set(exits.values.filter(\.keepsContainer).compactMap(\.server?.address))
            demand(tunnelled.union(held).isDisjoint(with: servers.map(\.address)), "no server is asked to which a tunnel of ours leads")
        case .findServers: Issue.record("servers are always there")
        }
    }

    /// Probes say something, mostly that all is well.
    private mutating func judge() {
        for id in exits.keys.sorted() {
            guard exits[id]?.state.isProbed ?? false else { continue }
            let health =
                if chance(2) { dead } else if chance(4) {
                    degraded([.dnsFailed, .lossy].randomElement(using: &random) ?? .mtu, since: now)
                } else {
                    Health(verdict: .healthy, score: Double.random(in: 0.5...1, using: &random))
                }
            exits[id]?.judged(health, now: now)
        }
    }

    /// The same world, with what the plan asked for under way: there is nothing more to do.
    private func checkSecond(_ plan: Plan, _ world: World) {
        var world = world
        world.published = plan.layout ?? world.published
        world.removing.formUnion(plan.removals)
        for case .launch(let id) in plan.steps {
            world.busy.insert(id)
            world.launches[id.country, default: []].append(now)
        }
        for case .verify(let id) in plan.steps { world.busy.insert(id) }
        for case .ask(let country, _) in plan.steps { world.asking.insert(country) }
        let second = Planner.plan(desired: desired, exits: plan.exits, world: world, now: now, rules: rules)
        demand(
            second.steps.isEmpty && second.exits == plan.exits,
            "a second plan is empty: \(second.steps) \(Self.difference(plan.exits, second.exits))")
    }

    /// Mostly each server answers; now and then none does.
    private mutating func answerQuestions() {
        for (country, servers) in questions {
            let isDark = chance(20)
            let accepted = servers.map(\.hostname).filter { _ in !isDark && !chance(30) }
            handshakes?.received(Set(accepted), of: servers, for: country, now)
        }
        questions = [:]
    }

    private static func difference(_ first: [ExitID: Exit], _ second: [ExitID: Exit]) -> [String] {
        Set(first.keys).union(second.keys).sorted().filter { first[$0] != second[$0] }.map { id in
            "\(id): \(first[id].map { "\($0.state) \($0.leaving) \($0.reason?.rawValue ?? "")" } ?? "none") -> \(second[id].map { "\($0.state) \($0.leaving) \($0.reason?.rawValue ?? "")" } ?? "none")"
        }
    }

    private mutating func finishOperations() {
        let (due, later) = running.reduce(
            into: ([(id: ExitID, generation: Int, isLaunch: Bool)](), [(id: ExitID, generation: Int, isLaunch: Bool)]())
        ) {
            if Int.random(in: 0..<3, using: &random) > 0 { $0.0.append($1) } else { $0.1.append($1) }
        }
        running = later
        for operation in due {
            guard var exit = exits[operation.id], exit.generation == operation.generation else { continue }
            if operation.isLaunch {
                if chance(10) {
                    // Its answer may be lost, and only that.
                    if chance(40) { make(exit) }
                    exit.failed(.startFailed, "", avoidServer: true, now: now)
                    let name = BreakerKey.server(exit.server?.hostname ?? "")
                    breakers[name, default: Breaker()].fail("start", now, breakerRules)
                } else {
                    make(exit)
                    let endpoint = Endpoint(address: "172.31.0.\(exit.slot)", port: 3128)
                    exit.launched(container: "\(exit.id)-\(exit.generation)", endpoint: endpoint, now: now)
                    running.append((exit.id, exit.generation, false))
                }
            } else if chance(15) {
                exit.failed(.handshakeTimeout, "", avoidServer: true, now: now)
            } else {
                exit.verified(address: "198.18.0.1", country: exit.country, latencyMilliseconds: 1, now: now)
                if let server = exit.server { handshakes?.proved(server, exit.country, now) }
            }
            exits[exit.id] = exit
        }
    }

    /// Everything in memory is lost; a launch under way may have made its container or not.
    private mutating func restartController() {
        for operation in running where operation.isLaunch && chance(50) {
            if let exit = exits[operation.id], exit.generation == operation.generation { make(exit, isRunning: chance(50)) }
        }
        running = []
        published = nil
        questions = [:]
        if handshakes != nil { handshakes = HandshakeKnowledge() }
    }

    /// What must be true of every plan, whatever the world.
    private func check(_ plan: Plan, before: [ExitID: Exit], isPartial: Bool) {
        if isPartial {
            let promoted = plan.exits.filter { before[$0.key]?.state == .standby && $0.value.state.takesTraffic }
            demand(plan.exits.merging(before.filter { promoted[$0.key] != nil }) { $1 } == before, "a partial observation changes no exit")
            demand(plan.launches.isEmpty && plan.removals.isEmpty)
        }
        let held = plan.exits.values.filter(\.keepsContainer).compactMap(\.server).map(\.address)
        demand(Set(held).count == held.count, "two exits never hold one server")
        if !isPartial {
            let tunnelled = Set(containers.values.filter(\.isRunning).compactMap(\.server))
            let launched = plan.launches.compactMap { plan.exits[$0]?.server?.address }
            demand(tunnelled.isDisjoint(with: launched), "no launch where a tunnel of ours still leads")
        }
        for country in [us, de] {
            let slots = plan.exits.values.filter { $0.country == country }.map(\.slot)
            demand(Set(slots).count == slots.count, "two exits never hold one slot")
        }
        for (country, times) in launches {
            let recent = times.filter { now - $0 < rules.budget.window && now >= $0 }.count + plan.launches.count { $0.country == country }
            let pool = desired.pools[country]
            let limit = max(rules.budget.least, rules.budget.launchesAnExit * ((pool?.size ?? 0) + (pool?.standby ?? 0)))
            if plan.launches.contains(where: { $0.country == country }) { demand(recent <= limit, "no storm of containers") }
        }
        for pool in desired.pools.values {
            let idle = plan.exits.values.filter {
                $0.country == pool.country && $0.state == .standby && !$0.leaving && $0.health.verdict != .dead
            }
            let serving = plan.exits.values.count {
                $0.country == pool.country && $0.state.takesTraffic && !$0.leaving && ($0.health.verdict != .dead || !hostIsOnline)
            }
            let isFree = idle.contains { exit in !running.contains { $0.id == exit.id } }
            demand(serving >= pool.size || !isFree, "nobody waits unplugged while the pool lacks somebody")
        }
        if !hostIsOnline {
            for exit in before.values where exit.state.takesTraffic && exit.health.verdict == .dead && !isPartial {
                let isGone = !containers.values.contains { $0.exit == exit.id && $0.generation == exit.generation && $0.isRunning }
                let isKept = plan.exits[exit.id].map { $0.state == exit.state || $0.leaving } ?? true
                demand(isGone || isKept, "offline, no exit is moved for its probes")
            }
        }
        for exit in before.values where exit.leaving && exit.state.takesTraffic && plan.exits[exit.id]?.state == .draining {
            guard let pool = desired.pools[exit.country] else { continue }
            let others = plan.exits.values.count { $0.country == exit.country && $0.state.takesTraffic }
            demand(others >= pool.size, "nothing leaves before its replacement serves")
        }
        for exit in plan.exits.values where exit.state.takesTraffic {
            demand(plan.removals.allSatisfy { $0 != exit.container }, "no container that serves is removed")
        }
    }

    /// As `#expect`, which takes its words apart and would cost more than the plans.
    private func demand(_ isTrue: Bool, _ words: @autoclosure () -> String = "no launch and no removal", line: Int = #line) {
        if !isTrue { Issue.record("\(words()) (line \(line))") }
    }

    /// True when every pool has exactly its exits, all serving, and nothing else runs.
    var isSettled: Bool {
        let wanted = desired.pools.values.map { $0.size + $0.standby }.reduce(0, +)
        let serving = exits.values.count { $0.state == .serving }
        return exits.count == wanted && serving == desired.pools.values.map(\.size).reduce(0, +)
            && exits.values.allSatisfy { $0.state == .serving || $0.state == .standby } && containers.count == wanted && running.isEmpty
            && published == GatewayLayout.of(desired: desired, exits: exits)
    }
}
