import Model
import Planning
import Testing

@Suite struct PlannerTests {
    private let one = Desired(pools: [us: Pool(country: us, size: 1)])
    private let two = Desired(pools: [us: Pool(country: us, size: 2)])

    private func world(_ exits: Exit..., servers: [Server] = [server(1), server(2), server(3)]) -> World {
        World(containers: exits.map { container(of: $0) }, servers: [us: servers])
    }

    @Test func `a new pool asks for its servers first`() {
        let plan = Planner.plan(desired: one, exits: [:], world: World(containers: []), now: start)
        #expect(plan.steps.contains(.findServers(us)))
        #expect(plan.exits[id(1)]?.state == .pending)
    }

    @Test func `exits of a pool start on different servers, best first`() {
        let plan = Planner.plan(desired: two, exits: [:], world: world(), now: start)
        #expect(plan.launches == [id(1), id(2)])
        #expect(plan.exits[id(1)]?.server == server(1))
        #expect(plan.exits[id(2)]?.server == server(2))
        #expect(plan.exits[id(1)]?.generation == 1)
    }

    @Test func `nothing is planned for exits while the engine can't be seen`() {
        let exit = serving(1, on: server(1))
        let plan = Planner.plan(desired: two, exits: [exit.id: exit], world: World(containers: nil, servers: [us: [server(2)]]), now: start)
        #expect(plan.exits == [exit.id: exit])
        #expect(plan.launches.isEmpty && plan.removals.isEmpty)
        #expect(plan.layout?.pools.first?.slots.first?.state == .ready)
    }

    @Test func `a second plan of a settled world is empty`() {
        let exit = serving(1, on: server(1))
        let layout = GatewayLayout.of(desired: one, exits: [exit.id: exit])
        var settled = world(exit)
        settled.published = layout
        let plan = Planner.plan(desired: one, exits: [exit.id: exit], world: settled, now: start)
        #expect(plan.steps.isEmpty)
        #expect(plan.exits == [exit.id: exit])
    }

    @Test func `a container that was killed is replaced at once, on the same server, which did nothing wrong, and its slot is freed`() {
        let exit = serving(1, on: server(1))
        var seen = world()
        seen.containers = [container(of: exit, isRunning: false, exitCode: 137)]
        let plan = Planner.plan(desired: one, exits: [exit.id: exit], world: seen, now: start)
        #expect(plan.launches == [id(1)])
        #expect(plan.exits[id(1)]?.server == server(1) && plan.exits[id(1)]?.lastFailure?.isServersFault == false)
        #expect(plan.exits[id(1)]?.generation == 3)
        #expect(plan.removals == ["c-us-1-2"])
        #expect(plan.layout?.pools.first?.slots.first?.state == .maintenance)
    }

    @Test func `a removed container is replaced, on the same server, which did nothing wrong`() {
        let exit = serving(1, on: server(1))
        let plan = Planner.plan(desired: one, exits: [exit.id: exit], world: world(), now: start)
        #expect(plan.exits[id(1)]?.server == server(1))
        #expect(plan.launches == [id(1)])
    }

    @Test func `an exit whose probes say dead moves to another server`() {
        var exit = serving(1, on: server(1))
        exit.judged(dead, now: start)
        let plan = Planner.plan(desired: one, exits: [exit.id: exit], world: world(exit), now: start)
        #expect(plan.exits[id(1)]?.server == server(2))
        #expect(plan.removals == ["c-us-1-2"])
    }

    @Test func `while the machine itself is offline no exit is moved for its failing probes`() {
        var exit = serving(1, on: server(1))
        exit.judged(dead, now: start)
        var seen = world(exit)
        seen.hostIsOnline = false
        let plan = Planner.plan(desired: one, exits: [exit.id: exit], world: seen, now: start)
        #expect(plan.exits[id(1)]?.server == server(1) && plan.launches.isEmpty && plan.removals.isEmpty)
        #expect(plan.layout?.pools.first?.slots.first?.state == .ready, "and it stays plugged in")
    }

    @Test func `where every other server is taken, the one that failed is tried again`() {
        var exit = serving(1, on: server(1))
        exit.backOff(.blackhole, "", avoidServer: true, now: start)
        let plan = Planner.plan(desired: one, exits: [exit.id: exit], world: world(servers: [server(1)]), now: start)
        #expect(plan.exits[id(1)]?.server == server(1))
    }

    @Test func `a server that failed is left alone for a while, and then is the best again`() {
        var exit = serving(1, on: server(1))
        exit.backOff(.blackhole, "", avoidServer: true, now: start)
        let soon = Planner.plan(desired: one, exits: [exit.id: exit], world: world(), now: start + 59)
        #expect(soon.exits[id(1)]?.server == server(2))
        let later = Planner.plan(desired: one, exits: [exit.id: exit], world: world(), now: start + 61)
        #expect(later.exits[id(1)]?.server == server(1))
    }

    @Test func `without a server an exit waits with its reason, and the loop looks again`() {
        let plan = Planner.plan(desired: one, exits: [:], world: world(servers: []), now: start)
        #expect(plan.exits[id(1)]?.reason == .noServer)
        #expect(plan.requeueAt == start + 30)
        #expect(plan.launches.isEmpty)
    }

    @Test func `a failed try waits longer each time`() {
        var exit = Exit(id: id(1), slot: 1, now: start)
        exit.server = server(1)
        exit.state = .verifying
        var pauses: [Double] = []
        for _ in 0..<8 {
            exit.state = .verifying
            exit.backOff(.handshakeTimeout, "", avoidServer: true, now: start)
            pauses.append((exit.retryAt ?? start) - start)
        }
        #expect(pauses[0] < 1 && pauses[7] > 30 && pauses.allSatisfy { $0 <= 75 })
        #expect(exit.state == .failed)
        let plan = Planner.plan(desired: one, exits: [exit.id: exit], world: world(), now: start)
        #expect(plan.launches.isEmpty && plan.requeueAt == exit.retryAt)
    }

    @Test func `an exit that comes up only to die again waits longer each time, until it has served for a while`() {
        var exit = serving(1, on: server(1))
        var pauses: [Double] = []
        for _ in 0..<4 {
            exit.lose(container(of: exit, isRunning: false, exitCode: 1), now: start)
            pauses.append((exit.retryAt ?? start) - start)
            exit.state = .verifying
            exit.verified(address: "198.18.1.1", country: us, latencyMilliseconds: 1, now: start)
            exit.promote(now: start)
        }
        #expect(pauses[0] == 0 && pauses[1] > 0 && pauses[3] > pauses[1])
        exit.judged(Health(verdict: .healthy), now: start + Exit.secondsUntilProven)
        exit.lose(container(of: exit, isRunning: false, exitCode: 1), now: start + Exit.secondsUntilProven)
        #expect(exit.retryAt == nil && exit.attempts == 0)
    }

    @Test func `on the same server an exit starts anew only when its old container is gone`() {
        var exit = serving(1, on: server(1))
        let old = container(of: exit)
        exit.backOff(.blackhole, "", avoidServer: true, now: start)
        var seen = world(servers: [server(1)])
        seen.containers = [old]
        let plan = Planner.plan(desired: one, exits: [exit.id: exit], world: seen, now: start)
        #expect(plan.launches.isEmpty && plan.removals == [old.name])
        let after = Planner.plan(desired: one, exits: plan.exits, world: world(servers: [server(1)]), now: start)
        #expect(after.launches == [id(1)])
    }

    @Test func `a server to which another exit's old container still leads is left for the next best`() {
        let left = ExitContainer(
            name: "left", exit: id(9), generation: 3, isRunning: true, endpoint: nil, server: server(1).address, exitCode: nil)
        var seen = world()
        seen.containers = [left]
        let plan = Planner.plan(desired: one, exits: [:], world: seen, now: start)
        #expect(plan.exits[id(1)]?.server == server(2) && plan.removals == ["left"])
    }

    @Test func `a dead exit is unplugged at once, also while the engine is away`() {
        var exit = serving(1, on: server(1))
        exit.judged(dead, now: start)
        let plan = Planner.plan(desired: one, exits: [exit.id: exit], world: World(containers: nil), now: start)
        #expect(plan.layout?.pools.first?.slots.first?.state == .maintenance)
        #expect(plan.exits[id(1)]?.state == .degraded)
    }

    @Test func `a rotated exit stays until its replacement serves, then drains, then goes`() {
        var old = serving(1, on: server(1))
        old.leaving = true
        var plan = Planner.plan(desired: one, exits: [old.id: old], world: world(old), now: start)
        #expect(plan.launches == [id(2)])
        #expect(plan.exits[id(1)]?.state == .serving)

        let new = serving(2, on: server(2))
        plan = Planner.plan(desired: one, exits: [old.id: old, new.id: new], world: world(old, new), now: start)
        #expect(plan.exits[id(1)]?.state == .draining)
        #expect(plan.removals.isEmpty)

        // Idle, and the gateway has been told to drain it.
        var seen = world(old, new)
        seen.published = plan.layout
        seen.gateway = GatewayObservation(slots: [
            .init(backend: "pool-us", slot: .init(number: 1, endpoint: old.endpoint, state: .drain), sessions: 0)
        ])
        let after = Planner.plan(desired: one, exits: plan.exits, world: seen, now: start)
        #expect(after.exits[id(1)]?.state == .stopped)
        #expect(after.removals == ["c-us-1-2"])
    }

    @Test func `a rotation for which no server is free is given up, and the exit stays`() {
        var exit = serving(1, on: server(1))
        exit.leaving = true
        let plan = Planner.plan(desired: one, exits: [exit.id: exit], world: world(exit, servers: [server(1)]), now: start)
        #expect(plan.exits.count == 1)
        #expect(plan.exits[id(1)]?.leaving == false && plan.exits[id(1)]?.state == .serving)
    }

    @Test func `an exit that was idle before the gateway was told to drain it is not idle by that`() {
        var (old, new) = (serving(1, on: server(1)), serving(2, on: server(2)))
        old.leaving = true
        new.leaving = false
        let exits = [old.id: old, new.id: new]
        var seen = world(old, new)
        seen.published = GatewayLayout.of(desired: one, exits: exits)
        seen.gateway = GatewayObservation(
            slots: (1...Pool.slots).map { number in
                let exit = exits.values.first { $0.slot == number }
                let slot = exit.map { GatewaySlot(number: number, endpoint: $0.endpoint, state: .ready) } ?? .free(number)
                return .init(backend: "pool-us", slot: slot, sessions: 0)
            })
        let plan = Planner.plan(desired: one, exits: exits, world: seen, now: start)
        #expect(plan.exits[id(1)]?.state == .draining && plan.removals.isEmpty)
        #expect(plan.layout?.pools[0].slots[0].state == .drain)
    }

    @Test func `a draining exit with connections stays until its deadline`() {
        var exit = serving(1, on: server(1))
        exit.move(to: .draining, now: start)
        var seen = world(exit)
        seen.published = GatewayLayout.of(desired: Desired(), exits: [exit.id: exit])
        seen.gateway = GatewayObservation(slots: [
            .init(backend: "pool-us", slot: .init(number: 1, endpoint: exit.endpoint, state: .drain), sessions: 3)
        ])
        let plan = Planner.plan(desired: Desired(), exits: [exit.id: exit], world: seen, now: start + 29)
        #expect(plan.exits[id(1)]?.state == .draining && plan.requeueAt == start + 30)
        let late = Planner.plan(desired: Desired(), exits: [exit.id: exit], world: seen, now: start + 30)
        #expect(late.exits[id(1)]?.state == .stopped)
    }

    @Test func `a removed pool lets its exits drain, and forgets them when their containers are gone`() {
        let exit = serving(1, on: server(1))
        let plan = Planner.plan(desired: Desired(), exits: [exit.id: exit], world: world(exit), now: start)
        #expect(plan.exits[id(1)]?.state == .draining)
        var stopped = exit
        stopped.move(to: .stopped, now: start)
        let after = Planner.plan(desired: Desired(), exits: [exit.id: stopped], world: World(containers: []), now: start)
        #expect(after.exits.isEmpty)
    }

    @Test func `a smaller pool loses the exit that doesn't serve, not the one that does`() {
        let good = serving(2, on: server(2))
        var waiting = Exit(id: id(1), slot: 1, now: start)
        waiting.retryAt = start + 60
        let plan = Planner.plan(desired: one, exits: [good.id: good, waiting.id: waiting], world: world(good), now: start)
        #expect(plan.exits[id(1)] == nil)
        #expect(plan.exits[id(2)]?.state == .serving)
    }
}
