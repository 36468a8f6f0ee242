import Model
import Planning
import Testing

/// Which server a waiting exit takes, in the world of that moment.
@Suite struct ChoosingTests {
    /// A pool of one exit that waits, beside exits of another country that hold some servers.
    private struct Scene {
        var listed: [Server]
        var pending: Exit
        var exits: [ExitID: Exit]
        var world: World
        var pool: Pool

        init(seed: UInt64) {
            var random = SplitMix64(state: seed)
            func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }
            let now = start + 1_000
            let count = Int.random(in: 1...40, using: &random)
            listed = (1...count).map { number in
                var server = server(
                    number, load: Int.random(in: 0...100, using: &random),
                    latency: chance(50) ? Double.random(in: 1...400, using: &random) : nil,
                    city: ["A", "B", "C"].randomElement(using: &random) ?? "A")
                server.address = "198.\(Int.random(in: 18...19, using: &random)).1.\(number)"
                return server
            }
            pool = Pool(country: us, size: 0, strategy: [.balanced, .load, .latency].randomElement(using: &random) ?? .load)
            pending = Exit(id: id(900), slot: 20, now: start)
            pending.avoid = listed.filter { _ in chance(10) }.map {
                AvoidedServer(hostname: $0.hostname, until: now + (chance(70) ? 10 : -10))
            }
            exits = [:]
            var containers: [ExitContainer] = []
            for (index, held) in listed.enumerated() where chance(35) {
                var exit = serving(index + 1, on: held)
                exit.state = [.serving, .degraded, .standby].randomElement(using: &random) ?? .serving
                exits[exit.id] = exit
                containers.append(container(of: exit))
            }
            // One that nobody claims any more still holds its tunnel.
            if chance(30), let left = listed.randomElement(using: &random) {
                containers.append(
                    ExitContainer(
                        name: "left", exit: id(950), generation: 1, isRunning: true, endpoint: nil, server: left.address, exitCode: nil))
            }
            exits[pending.id] = pending
            pool.size = exits.count
            world = World(containers: containers)
            world.servers = [us: ServerRanking.byItself(listed, strategy: pool.strategy)]
            for server in listed where chance(20) {
                var breaker = Breaker()
                breaker.fail("blackhole", chance(50) ? now + -5 : now + -500, Breaker.ofServers)
                world.breakers[BreakerKey.server(server.hostname)] = breaker
            }
        }

        /// Two more that wait, with an old server of their own.
        mutating func addWaiting() {
            for number in [901, 902] {
                var exit = Exit(id: id(number), slot: number - 890, now: start)
                exit.avoid = number == 901 ? [] : pending.avoid
                exit.server = listed.first
                exits[exit.id] = exit
            }
            pool.size = exits.count
        }

        var best: Server? { best(for: pending) }

        /// The best that is free, by looking at each.
        func best(for pending: Exit) -> Server? {
            let now = start + 1_000
            let others = exits.values.filter { $0.id != pending.id }.compactMap(\.server)
            let taken = Set(others.map(\.address)).union(world.containers?.filter(\.isRunning).compactMap(\.server) ?? [])
            var knowledge = ServerRanking.Knowledge()
            knowledge.held = others
            knowledge.breakers = world.breakers.mapValues { $0.state(now) }
            let free = listed.filter { server in
                !taken.contains(server.address) && !pending.avoid.contains { $0.hostname == server.hostname && $0.until > now }
                    && world.breakers[BreakerKey.server(server.hostname)]?.state(now) != .open
            }
            return ServerRanking.ranked(free, strategy: pool.strategy, knowledge: knowledge).first?.server
        }

        var plan: Plan { Planner.plan(desired: Desired(pools: [us: pool]), exits: exits, world: world, now: start + 1_000) }
        var chosen: Server? { plan.exits[pending.id]?.server }
    }

    @Test func `in any world the server that is chosen is the best that is free now`() {
        var choices = 0
        for seed in 0..<3_000 as Range<UInt64> {
            let scene = Scene(seed: seed)
            guard let best = scene.best else { continue }
            choices += 1
            let chosen = scene.chosen
            if chosen != best { Issue.record("seed \(seed): \(chosen?.hostname ?? "none"), not \(best.hostname)") }
        }
        #expect(choices > 2_000)
    }

    @Test func `exits that start together each take the best that those before have left`() {
        var choices = 0
        for seed in 0..<2_000 as Range<UInt64> {
            var scene = Scene(seed: seed)
            scene.addWaiting()
            let plan = scene.plan
            for id in [id(900), id(901), id(902)] {
                guard let waiting = scene.exits[id], let best = scene.best(for: waiting) else { break }
                let chosen = plan.exits[id]?.server
                if chosen != best { Issue.record("seed \(seed), \(id): \(chosen?.hostname ?? "none"), not \(best.hostname)") }
                scene.exits[id]?.server = chosen
                choices += 1
            }
        }
        #expect(choices > 3_000)
    }

    @Test func `a server that an exit has just given back is the best again, however old the list is`() {
        // The list came while both good servers were held; since then the pool has shrunk, and the other one's server is dark.
        let listed = [server(1, load: 3), server(2, load: 4), server(3, load: 31)]
        var exit = serving(2, on: listed[1])
        exit.judged(dead, now: start)
        var world = World(containers: [container(of: exit)])
        world.servers = [us: ServerRanking.byItself(listed, strategy: .balanced)]
        let plan = Planner.plan(desired: Desired(pools: [us: Pool(country: us, size: 1)]), exits: [exit.id: exit], world: world, now: start)
        #expect(plan.exits[id(2)]?.server == listed[0])
    }

    @Test func `a server that may be tried again is tried before one that is a little worse`() {
        let listed = [server(1, load: 3), server(2, load: 4), server(3, load: 12)]
        var breaker = Breaker()
        breaker.fail("blackhole", start, Breaker.ofServers)
        var world = World(containers: [])
        world.servers = [us: ServerRanking.byItself(listed, strategy: .load)]
        world.breakers = [BreakerKey.server("us1"): breaker, BreakerKey.server("us2"): breaker]
        func chosen(_ seconds: Double) -> Server? {
            Planner.plan(desired: Desired(pools: [us: Pool(country: us, size: 1)]), exits: [:], world: world, now: start + seconds).exits[
                id(1)]?
                .server
        }
        #expect(chosen(10) == listed[2] && chosen(100) == listed[0])
    }

    @Test func `random takes any of the ten best that are free, and another one at another moment`() {
        let listed = (1...30).map { server($0, load: $0) }
        let held = (1...5).map { serving($0, on: server($0, load: $0)) }
        var world = World(containers: held.map { container(of: $0) })
        world.servers = [us: ServerRanking.byItself(listed, strategy: .random)]
        let exits = Dictionary(uniqueKeysWithValues: held.map { ($0.id, $0) })
        let pool = Pool(country: us, size: 6, strategy: .random)
        let chosen = (0..<200).compactMap { second in
            Planner.plan(desired: Desired(pools: [us: pool]), exits: exits, world: world, now: start + Double(second)).exits[id(6)]?.server?
                .load
        }
        #expect(Set(chosen) == Set(6...15))
    }
}

/// The same where servers are asked for a handshake first.
@Suite struct HandshakeChoiceTests {
    private let listed = (1...30).map { server($0, load: $0) }
    private let pool = Desired(pools: [us: Pool(country: us, size: 1)])

    private func world(_ knowledge: HandshakeKnowledge, _ servers: [Server]? = nil) -> World {
        var world = World(containers: [])
        world.servers = [us: ServerRanking.byItself(servers ?? listed, strategy: .load)]
        world.handshakes = knowledge
        return world
    }

    private func asked(_ plan: Plan) -> [String] {
        plan.steps.flatMap { if case .ask(_, let servers) = $0 { servers.map(\.hostname) } else { [String]() } }
    }

    @Test func `an answer that came after the last plan counts for the next one, however long a turn has taken`() {
        var knowledge = HandshakeKnowledge()
        let server = server(1)
        knowledge.considered(start)
        knowledge.received([server.hostname], of: [server], for: us, start + 1)
        #expect(knowledge.answer(of: server, start + 10) == .accepted)
        knowledge.considered(start + 10)
        #expect(knowledge.answer(of: server, start + 11) == nil)
    }

    @Test func `the best few are asked, once, and the best that answers is taken`() {
        var knowledge = HandshakeKnowledge()
        let first = Planner.plan(desired: pool, exits: [:], world: world(knowledge), now: start)
        #expect(asked(first) == (1...8).map { "us\($0)" } && first.launches.isEmpty)
        var busy = world(knowledge)
        busy.asking = [us]
        #expect(Planner.plan(desired: pool, exits: first.exits, world: busy, now: start).steps.allSatisfy { $0 == .publish($0.layout) })
        knowledge.received(["us5", "us3"], of: Array(listed.prefix(8)), for: us, start)
        let second = Planner.plan(desired: pool, exits: first.exits, world: world(knowledge), now: start)
        #expect(second.exits[id(1)]?.server == listed[2] && second.launches == [id(1)])
    }

    @Test func `where the best are silent the next are asked, and one that failed but answers is taken before any that is silent`() {
        var knowledge = HandshakeKnowledge()
        knowledge.received([], of: Array(listed.prefix(8)), for: us, start)
        let next = Planner.plan(desired: pool, exits: [:], world: world(knowledge), now: start + 1)
        #expect(Set(asked(next)).isSuperset(of: (9...30).map { "us\($0)" }))
        var breaker = Breaker()
        breaker.fail("blackhole", start, Breaker.ofServers)
        knowledge.received(["us7"], of: listed, for: us, start + 1)
        var world = world(knowledge)
        world.breakers = [BreakerKey.server("us7"): breaker]
        #expect(Planner.plan(desired: pool, exits: [:], world: world, now: start + 1).exits[id(1)]?.server == listed[6])
    }

    @Test func `silence holds an exit back only where a server has answered before, and even then not for ever`() {
        var unknown = HandshakeKnowledge()
        unknown.received([], of: listed, for: us, start)
        #expect(Planner.plan(desired: pool, exits: [:], world: world(unknown), now: start).launches == [id(1)])
        var trusted = HandshakeKnowledge()
        trusted.received(["us1"], of: [listed[0]], for: us, start + -100)
        trusted.received([], of: listed, for: us, start)
        let plan = Planner.plan(desired: pool, exits: [:], world: world(trusted), now: start + 0.1)
        #expect(plan.launches.isEmpty && plan.exits[id(1)]?.detail == "none of the 30 tried servers of US answers a handshake")
        trusted.received([], of: listed, for: us, start + 16)
        #expect(Planner.plan(desired: pool, exits: plan.exits, world: world(trusted), now: start + 16).launches == [id(1)])
    }

    @Test func `where tunnels of the account work, silence may be its limit`() {
        var knowledge = HandshakeKnowledge()
        knowledge.received(["us1"], of: [listed[0]], for: us, start + -100)
        knowledge.received([], of: listed, for: us, start)
        var other = serving(1, de, on: server(1, de))
        for (verdict, words) in [
            (Verdict.healthy, ", while 1 of the account nordvpn works: it may allow no more tunnels at once"), (.dead, ""),
        ] {
            other.health = Health(verdict: verdict, score: 1)
            var world = world(knowledge)
            world.containers = [container(of: other)]
            let desired = Desired(pools: [us: Pool(country: us, size: 1), de: Pool(country: de, size: 1)])
            let plan = Planner.plan(desired: desired, exits: [other.id: other], world: world, now: start + 0.1)
            #expect(plan.exits[id(1)]?.detail == "none of the 30 tried servers of US answers a handshake\(words)")
        }
    }

    @Test func `in silence one exit of a pool goes to see, and a second plan of the same moment changes nothing`() {
        var knowledge = HandshakeKnowledge()
        knowledge.received(["us1"], of: [listed[0]], for: us, start + -100)
        for seconds in [0.0, 16.0] { knowledge.received([], of: listed, for: us, start + seconds) }
        let desired = Desired(pools: [us: Pool(country: us, size: 3)])
        var world = world(knowledge)
        let plan = Planner.plan(desired: desired, exits: [:], world: world, now: start + 16)
        #expect(plan.launches.count == 1 && plan.exits.values.count { $0.reason == .handshakeTimeout } == 2)
        world.busy = Set(plan.launches)
        world.launches = [us: [start + 16]]
        world.published = plan.layout
        let second = Planner.plan(desired: desired, exits: plan.exits, world: world, now: start + 16)
        #expect(second.steps.isEmpty && second.exits == plan.exits)
    }

    @Test func `a provider of which exits come up though its servers are silent to this machine is not asked`() {
        var knowledge = HandshakeKnowledge()
        knowledge.received([], of: listed, for: us, start)
        knowledge.proved(listed[0], us, start + 5)
        #expect(!knowledge.canAsk(.nordvpn, start + 6) && knowledge.canAsk(.nordvpn, start + 700))
        let plan = Planner.plan(desired: pool, exits: [:], world: world(knowledge), now: start + 6)
        #expect(asked(plan).isEmpty && plan.exits[id(1)]?.server == listed[0])
    }

    @Test func `in any world an exit that starts takes a server that is free and not known to be silent while another answers`() {
        for seed in 0..<2_000 as Range<UInt64> {
            var random = SplitMix64(state: seed)
            let held = listed.filter { _ in Int.random(in: 0..<4, using: &random) == 0 }
            let answering = Set(listed.map(\.hostname).filter { _ in Int.random(in: 0..<3, using: &random) == 0 })
            var exits = Dictionary(uniqueKeysWithValues: held.enumerated().map { (id($0 + 1), serving($0 + 1, on: $1)) })
            let waiting = Exit(id: id(900), slot: 20, now: start)
            exits[waiting.id] = waiting
            let desired = Desired(pools: [us: Pool(country: us, size: exits.count)])
            var knowledge = HandshakeKnowledge()
            var launched: Server?
            // As the loop does it: ask, hear, plan again.
            for turn in 0..<6 where launched == nil {
                let now = start + 100 + Double(turn) / 10
                var world = world(knowledge)
                world.containers = exits.values.filter { $0.id != waiting.id }.map { container(of: $0) }
                let plan = Planner.plan(desired: desired, exits: exits, world: world, now: now)
                let names = Set(asked(plan))
                if !names.isDisjoint(with: held.map(\.hostname)) { Issue.record("seed \(seed): one that is held was asked") }
                knowledge.received(answering.intersection(names), of: listed.filter { names.contains($0.hostname) }, for: us, now)
                if plan.launches.contains(waiting.id) { launched = plan.exits[waiting.id]?.server }
            }
            let free = listed.filter { server in !held.contains(server) }
            let best = free.first { answering.contains($0.hostname) }
            if let best, launched != best { Issue.record("seed \(seed): \(launched?.hostname ?? "none"), not \(best.hostname)") }
        }
    }
}

extension Step {
    fileprivate var layout: GatewayLayout {
        if case .publish(let layout) = self { layout } else { GatewayLayout(pools: [], users: []) }
    }
}
