import Model
import Planning
import Testing

/// Standbys, planned moves, budgets and breakers: tables.
@Suite struct StandbyTests {
    private func plan(
        _ pool: Pool, _ exits: [Exit], at now: Timestamp = start, servers: [Server] = (1...6).map { server($0) },
        _ change: (inout World) -> Void = { _ in }
    ) -> Plan {
        let all = Dictionary(uniqueKeysWithValues: exits.map { ($0.id, $0) })
        let running = exits.filter { $0.keepsContainer && $0.state != .starting }.map { container(of: $0) }
        var world = World(containers: running, servers: [us: servers])
        change(&world)
        return Planner.plan(desired: Desired(pools: [us: pool]), exits: all, world: world, now: now)
    }

    private let pool = Pool(country: us, size: 1, standby: 1)

    @Test func `a pool with a standby has one exit more, on another server, which is not plugged in`() {
        let first = plan(pool, [])
        #expect(first.launches.count == 2 && Set(first.exits.values.compactMap(\.server?.address)).count == 2)
        let settled = plan(pool, [serving(1, on: server(1)), standby(2, on: server(2))])
        #expect(settled.launches.isEmpty && settled.removals.isEmpty)
        #expect(settled.layout?.pools.first?.slots.map(\.state).filter { $0 == .ready }.count == 1)
    }

    @Test func `when one that serves dies its standby serves in the same plan, and another standby is begun`() {
        var lost = serving(1, on: server(1))
        lost.judged(dead, now: start)
        let plan = plan(pool, [lost, standby(2, on: server(2))])
        #expect(plan.exits[id(2)]?.state == .serving && plan.exits[id(1)]?.state == .starting)
        #expect(plan.exits[id(1)]?.server == server(3), "not the one that failed, nor the one in use")
        #expect(plan.layout?.pools.first?.slots[1].state == .ready && plan.layout?.pools.first?.slots[0].state == .maintenance)
    }

    @Test func `a standby steps in also while the engine is away`() {
        var lost = serving(1, on: server(1))
        lost.judged(dead, now: start)
        let plan = plan(pool, [lost, standby(2, on: server(2))]) { $0.containers = nil }
        #expect(plan.exits[id(2)]?.state == .serving && plan.launches.isEmpty && plan.removals.isEmpty)
    }

    @Test func `of two that serve where one is wanted, the unwell one goes, however old it is`() {
        // It was given up, a standby took its place, and now it half answers again.
        var unwell = serving(1, on: server(1))
        unwell.judged(degraded(.blackhole), now: start)
        let plan = plan(pool, [unwell, serving(2, on: server(2))])
        #expect(plan.exits[id(1)]?.state == .draining && plan.exits[id(2)]?.state == .serving)
    }

    @Test func `the best standby is taken, and never a dead one`() {
        var (good, better, lost) = (standby(2, on: server(2)), standby(3, on: server(3)), standby(4, on: server(4)))
        good.health.score = 0.5
        better.health.score = 0.9
        lost.health.verdict = .dead
        let plan = plan(Pool(country: us, size: 1, standby: 3), [good, better, lost])
        #expect(plan.exits[id(3)]?.state == .serving && plan.exits[id(2)]?.state == .standby)
    }

    @Test func `a dead standby is replaced`() {
        var lost = standby(2, on: server(2))
        lost.judged(dead, now: start)
        let plan = plan(pool, [serving(1, on: server(1)), lost], at: start + 0.1)
        #expect(plan.exits[id(2)]?.state == .pending && plan.removals == ["c-us-2-2"] && plan.exits[id(1)]?.state == .serving)
    }

    @Test func `a rotation takes the standby at once`() {
        var old = serving(1, on: server(1))
        old.leaving = true
        let plan = plan(pool, [old, standby(2, on: server(2))])
        #expect(plan.exits[id(2)]?.state == .serving && plan.exits[id(1)]?.state == .draining && plan.launches == [id(3)])
    }

    @Test func `a pool made smaller loses standbys before those that serve`() {
        let plan = plan(Pool(country: us, size: 1), [serving(1, on: server(1)), standby(2, on: server(2))])
        #expect(plan.exits[id(1)]?.leaving == false && plan.exits[id(2)] != nil && plan.exits[id(2)]?.state == .stopped)
    }

    // MARK: - Planned moves

    @Test(arguments: [
        (ExitReason.dnsFailed, 0.0, true), (.mtu, 0, true), (.wrongCountry, 0, true), (.slow, 0, true), (.lossy, 20, false),
        (.lossy, 31, true),
        (.blackhole, 29, false),
    ])
    func `a degraded exit is moved before it breaks, once that is sure`(reason: ExitReason, seconds: Double, moves: Bool) {
        var exit = serving(1, on: server(1))
        let now = start + 100
        exit.judged(degraded(reason, since: now + -seconds), now: now)
        let plan = plan(Pool(country: us, size: 1), [exit], at: now)
        #expect((plan.exits[id(1)]?.leaving == true) == moves && plan.exits[id(1)]?.state == .degraded)
        #expect(plan.launches == (moves ? [id(2)] : []))
    }

    @Test func `only one exit of a pool is moved at a time, and none where no other server is free`() {
        var exits = (1...3).map { serving($0, on: server($0)) }
        for index in exits.indices { exits[index].judged(degraded(.dnsFailed, since: start), now: start + 100) }
        let three = Pool(country: us, size: 3)
        #expect(plan(three, exits, at: start + 100).exits.values.count(where: \.leaving) == 1)
        #expect(plan(three, exits, at: start + 100, servers: (1...3).map { server($0) }).exits.values.count(where: \.leaving) == 0)
        #expect(plan(three, exits, at: start + 100) { $0.hostIsOnline = false }.exits.values.count(where: \.leaving) == 0)
    }

    @Test func `where all exits are degraded at once one is moved as a trial, and one alert says why`() {
        let now = start + 100
        func exits(_ healthy: Int = 0) -> [ExitID: Exit] {
            var exits: [Exit] = []
            for number in 1...2 { exits += [serving(number, on: server(number)), serving(number, de, on: server(number, de))] }
            for index in exits.indices.dropFirst(healthy) { exits[index].judged(degraded(.dnsFailed, since: start), now: now) }
            return Dictionary(uniqueKeysWithValues: exits.map { ($0.id, $0) })
        }
        func plan(_ exits: [ExitID: Exit]) -> Plan {
            let desired = Desired(pools: [us: Pool(country: us, size: 2), de: Pool(country: de, size: 2)])
            let world = World(
                containers: exits.values.map { container(of: $0) },
                servers: [us: (1...5).map { server($0) }, de: (1...5).map { server($0, de) }])
            return Planner.plan(desired: desired, exits: exits, world: world, now: now)
        }
        let all = plan(exits())
        #expect(all.exits.values.count(where: \.leaving) == 1 && all.launches.count == 1)
        #expect(Alerts.of(Alerts.Facts(desired: Desired(), exits: all.exits), now: now).map(\.subject) == [.exits])
        // Where one is well it is no common fault: one of each pool moves.
        let most = plan(exits(1))
        #expect(most.exits.values.count(where: \.leaving) == 2)
        #expect(Alerts.of(Alerts.Facts(desired: Desired(), exits: most.exits), now: now).isEmpty)
    }

    @Test func `an exit is moved when its time is up, or its volume, and looked at again then`() {
        let timed = Pool(country: us, size: 1, rotateEvery: 100)
        let early = plan(timed, [serving(1, on: server(1))], at: start + 50)
        #expect(early.exits[id(1)]?.leaving == false)
        #expect((90...100).contains((early.requeueAt ?? start) - start))
        #expect(plan(timed, [serving(1, on: server(1))], at: start + 101).exits[id(1)]?.reason == .rotated)
        var full = serving(1, on: server(1))
        full.proof.carriedBytes = 5_000_000
        #expect(plan(Pool(country: us, size: 1, rotateAfterMegabytes: 5), [full], at: start + 50).exits[id(1)]?.leaving == true)
        #expect(plan(Pool(country: us, size: 1, rotateAfterMegabytes: 6), [full], at: start + 50).exits[id(1)]?.leaving == false)
    }

    @Test func `a much better server is worth a move only after it has been better for a while`() {
        var exit = serving(1, on: server(1, load: 80, latency: 100))
        let servers = [server(1, load: 80, latency: 100), server(2, load: 20, latency: 30)]
        let pool = Pool(country: us, size: 1)
        let first = plan(pool, [exit], at: start + 3_000, servers: servers)
        exit = first.exits[id(1)] ?? exit
        #expect(exit.outclassedSince == start + 3_000 && !exit.leaving)
        #expect(plan(pool, [exit], at: start + 3_700, servers: servers).exits[id(1)]?.leaving == true)
        // A little better is nothing, and what was better once and is no more is forgotten.
        let equal = plan(pool, [exit], at: start + 3_700, servers: [servers[0], server(2, load: 60, latency: 30)])
        #expect(equal.exits[id(1)]?.leaving == false && equal.exits[id(1)]?.outclassedSince == nil)
    }

    // MARK: - Limits

    @Test func `a pool that begins too many containers waits, and says so`() {
        let launches = (0..<6).map { start + -Double($0) }
        let plan = plan(Pool(country: us, size: 1), []) { $0.launches = [us: launches] }
        #expect(plan.launches.isEmpty && plan.exits[id(1)]?.reason == .restartBudget)
        #expect(plan.requeueAt == start + 55)
        let later = self.plan(Pool(country: us, size: 1), Array(plan.exits.values), at: start + 56) { $0.launches = [us: launches] }
        #expect(later.launches == [id(1)])
    }

    @Test func `a server whose breaker is open is left out, unless there is no other`() {
        var breaker = Breaker()
        breaker.fail("blackhole", start, Breaker.ofServers)
        let open = [BreakerKey.server("us1"): breaker]
        #expect(plan(Pool(country: us, size: 1), []) { $0.breakers = open }.exits[id(1)]?.server == server(2))
        #expect(plan(Pool(country: us, size: 1), [], servers: [server(1)]) { $0.breakers = open }.exits[id(1)]?.server == server(1))
    }

    @Test func `a key that is refused stops its provider's exits, and one trial goes when the pause is over`() {
        var breaker = Breaker()
        breaker.fail("handshake_timeout", start, Breaker.ofCredentials)
        let open = [BreakerKey.credential(.nordvpn): breaker]
        let two = Pool(country: us, size: 2)
        let blocked = plan(two, []) { $0.breakers = open }
        #expect(blocked.launches.isEmpty && blocked.exits.values.allSatisfy { $0.reason == .credentialsRejected })
        let after = (breaker.openUntil ?? start) + 1
        #expect(plan(two, Array(blocked.exits.values), at: after) { $0.breakers = open }.launches.count == 1)
    }

    @Test func `alerts say what to do, and stand only while they are true`() {
        var failed = Exit(id: id(1), slot: 1, now: start)
        failed.state = .failed
        failed.reason = .startFailed
        failed.detail = "no tunnel device"
        var breaker = Breaker()
        breaker.fail("handshake_timeout", start, Breaker.ofCredentials)
        let facts = Alerts.Facts(
            desired: Desired(pools: [us: Pool(country: us, size: 1)]), exits: [failed.id: failed],
            breakers: [BreakerKey.credential(.nordvpn): breaker, BreakerKey.server("us1"): breaker])
        let memory = Alerts.Memory(
            troubles: [.host: .init(message: "offline", since: start), .engine: .init(message: "nobody answers", since: start)],
            unserved: [us: start], stuckContainers: ["c-us-9-1": "busy"])
        let soon: [AlertSubject] = [.container("c-us-9-1"), .credential(.nordvpn), .part(.host), .pool(us)]
        #expect(Alerts.of(facts, memory, now: start + 1).map(\.subject) == soon)
        let later = Alerts.of(facts, memory, now: start + 31)
        #expect(later.map(\.subject.description) == ["container:c-us-9-1", "credential:nordvpn", "part:engine", "part:host", "pool:us"])
        #expect(later.allSatisfy { !$0.remedy.isEmpty } && later.last?.severity == .critical)
        #expect(Alerts.of(Alerts.Facts(desired: facts.desired, exits: [id(1): serving(1, on: server(1))]), now: start + 31).isEmpty)
    }

    @Test func `a pool that waits for a server for long, or lacks its standby, is told too`() {
        var waiting = Exit(id: id(2), slot: 2, now: start)
        waiting.reason = .noServer
        waiting.detail = "every server of US is in use"
        var exits = [id(1): serving(1, on: server(1)), id(2): waiting]
        func alerts(_ pool: Pool, at seconds: Double) -> [Alert] {
            Alerts.of(Alerts.Facts(desired: Desired(pools: [us: pool]), exits: exits), now: start + seconds)
        }
        #expect(alerts(Pool(country: us, size: 2), at: 29).isEmpty)
        let lacking = alerts(Pool(country: us, size: 2), at: 30)
        #expect(
            lacking.map(\.message) == ["US has 1 of 2 exits: every server of US is in use"] && lacking[0].remedy.contains("more servers"))
        exits[id(1)]?.leaving = true
        #expect(
            alerts(Pool(country: us, size: 2), at: 30).map(\.message)
                == ["US has 1 of 2 exits, 1 of which can't be replaced yet: every server of US is in use"])
        exits[id(1)]?.leaving = false
        exits[id(2)]?.state = .failed
        #expect(
            alerts(Pool(country: us, size: 1, standby: 1), at: 1).map(\.message) == ["US has 0 of 1 standbys: every server of US is in use"]
        )
        exits[id(2)] = standby(2, on: server(2))
        #expect(alerts(Pool(country: us, size: 1, standby: 1), at: 31).isEmpty)
    }

    @Test func `a leak is cut off at once, whatever else is wrong`() {
        var leaking = serving(1, on: server(1))
        leaking.judged(Health(verdict: .dead, reason: .leak), now: start)
        let plan = plan(Pool(country: us, size: 1), [leaking]) { $0.hostIsOnline = false }
        #expect(plan.layout?.pools.first?.slots.first?.state == .maintenance && plan.exits[id(1)]?.lastFailure?.reason == .leak)
        let blind = self.plan(Pool(country: us, size: 1), [leaking]) { world in (world.hostIsOnline, world.containers) = (false, nil) }
        #expect(blind.layout?.pools.first?.slots.first?.state == .maintenance)
    }

    @Test func `while all fail at once only the trial is moved`() {
        let lost = (1...3).map { number in
            var exit = serving(number, on: server(number))
            exit.judged(dead, now: start)
            return exit
        }
        let plan = plan(Pool(country: us, size: 3), lost) { world in (world.hostIsOnline, world.trial) = (false, id(2)) }
        #expect(plan.launches == [id(2)] && plan.exits[id(2)]?.server == server(4))
        #expect(plan.layout?.pools.first?.slots.map(\.state).prefix(3) == [.ready, .maintenance, .ready])
    }
}
