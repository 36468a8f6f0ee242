import Model
import Planning
import Testing

/// Where canaries are blocked, and what follows.
@Suite struct CanaryTests {
    private func bad(_ ledger: inout CanaryLedger, _ exit: ExitID, at seconds: Double = 0) {
        ledger.note("shop", at: exit, detail: "status 403", server: "s-\(exit)", start + seconds)
    }
    private func good(_ ledger: inout CanaryLedger, _ exit: ExitID, at seconds: Double = 0) {
        ledger.note("shop", at: exit, detail: nil, server: "s-\(exit)", start + seconds)
    }

    @Test func `one that is bad twice at one exit and good at another is blocked there`() {
        var ledger = CanaryLedger()
        good(&ledger, id(1))
        bad(&ledger, id(2))
        #expect(ledger.blocked.isEmpty && ledger.isSuspect(id(2)) && !ledger.isSuspect(id(1)))
        bad(&ledger, id(2))
        #expect(ledger.blocked == [id(2): ["shop"]] && ledger.faulty.isEmpty && !ledger.isSuspect(id(2)))
        #expect(ledger.avoided(start) == ["s-us-2"] && ledger.avoided(start + 90_000).isEmpty)
        #expect(ledger.blocked("shop").exits == [id(2)] && ledger.blocked("shop").detail == "status 403")
        good(&ledger, id(2))
        #expect(ledger.blocked.isEmpty)
    }

    @Test func `one that is bad everywhere blocks nobody, and is told itself, since when it is so`() {
        var ledger = CanaryLedger()
        for number in 1...3 { good(&ledger, id(number)) }
        for number in 1...2 { for _ in 0..<2 { bad(&ledger, id(number), at: 10) } }
        #expect(ledger.blocked.count == 2 && ledger.faulty.isEmpty)
        // The last one may be the next: nothing is said of the canary before that is known.
        bad(&ledger, id(3), at: 20)
        #expect(ledger.blocked.isEmpty && ledger.faulty.isEmpty)
        bad(&ledger, id(3), at: 30)
        bad(&ledger, id(3), at: 40)
        #expect(ledger.blocked.isEmpty && ledger.faulty == ["shop": start + 30])
        good(&ledger, id(1), at: 50)
        #expect(ledger.blocked.count == 2 && ledger.faulty.isEmpty)
        // Alone, an exit can't be compared with any other.
        for number in [1, 2] { ledger.forget(id(number), start + 60) }
        #expect(ledger.blocked.isEmpty && ledger.faulty == ["shop": start + 60])
    }

    @Test func `a pool's replacements wait longer each time, and begin anew once none of it is blocked`() {
        var ledger = CanaryLedger()
        good(&ledger, id(1, de))
        for _ in 0..<2 { bad(&ledger, id(1)) }
        var pauses: [Double] = []
        var (now, last) = (start, start)
        while pauses.count < 6 {
            if ledger.movable(now).contains(us) {
                pauses.append(now - last)
                ledger.moved(us, now)
                last = now
            }
            now = now + 30
        }
        #expect(
            pauses[0] == 0 && pauses[1] >= 450 && pauses[5] >= 7_000 && zip(pauses, pauses.dropFirst()).allSatisfy { $0 < $1 }, "\(pauses)")
        good(&ledger, id(1))
        _ = ledger.movable(now + 86_400)
        for _ in 0..<2 { bad(&ledger, id(1)) }
        #expect(ledger.movable(now + 86_400) == [us])
    }

    private func plan(_ exits: [Exit], size: Int, blocked: Set<String>, movable: Set<CountryCode> = [us], replaces: Bool = true) -> Plan {
        var rules = Planner.Rules()
        rules.retirement.replacesBlocked = replaces
        var world = World(containers: exits.map { container(of: $0) }, servers: [us: (1...4).map { server($0) }])
        (world.blockedServers, world.movableBlocked) = (blocked, movable)
        return Planner.plan(
            desired: Desired(pools: [us: Pool(country: us, size: size)]),
            exits: Dictionary(uniqueKeysWithValues: exits.map { ($0.id, $0) }),
            world: world, now: start + 60, rules: rules)
    }

    @Test func `a blocked exit is replaced if that was asked for, after its replacement serves, on a server that is not blocked`() {
        var exits = [serving(1, on: server(1)), serving(2, on: server(2))]
        exits[0].health.blockedBy = ["shop"]
        exits[1].health.blockedBy = ["shop"]
        let moved = plan(exits, size: 2, blocked: ["us1", "us2", "us3"]).exits
        #expect(moved.values.count(where: \.leaving) == 1 && moved.values.count { $0.state.takesTraffic } == 2)
        let leaving = moved.values.first(where: \.leaving)
        #expect(leaving?.reason == .targetBlocked && leaving?.detail == "it is blocked by shop")
        #expect(moved.values.first { $0.generation == 1 }?.server?.hostname == "us4")
        for stays in [
            plan(exits, size: 2, blocked: ["us1"], replaces: false), plan(exits, size: 2, blocked: ["us1"], movable: []),
            plan(exits, size: 2, blocked: ["us1", "us2", "us3", "us4"]), plan([exits[0]], size: 2, blocked: ["us1"]),
        ] { #expect(stays.exits.values.allSatisfy { !$0.leaving }) }
    }

    @Test func `a blocked exit gets a tenth of its weight`() {
        var exits = [serving(1, on: server(1)), serving(2, on: server(2))]
        exits[0].health.blockedBy = ["shop"]
        let layout = GatewayLayout.of(
            desired: Desired(pools: [us: Pool(country: us, size: 2)]), exits: Dictionary(uniqueKeysWithValues: exits.map { ($0.id, $0) }))
        #expect(layout.pools[0].slots.prefix(2).map(\.weight) == [10, 100])
    }
}
