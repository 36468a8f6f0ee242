import Model
import Planning
import TestSupport
import Testing

@Suite struct SimulatedWorldTests {
    @Test func `every world settles once its faults end, and no plan on the way does harm`() async throws {
        // A few long lives, and many short ones: thousands of worlds.
        try await heavily {
            for seed in 0..<200 as Range<UInt64> { settle(seed, turns: 150) }
            for seed in 10_000..<11_000 as Range<UInt64> { settle(seed, turns: 12) }
        }
    }

    private func settle(_ seed: UInt64, turns count: Int) {
        var world = SimulatedWorld(seed: seed)
        world.desired.pools[us] = Pool(country: us, size: 2)
        for _ in 0..<count { world.turn() }
        world.endFaults()
        var turns = 0
        while !world.isSettled, turns < 400 {
            world.turn()
            turns += 1
        }
        let isSettled = world.isSettled
        #expect(isSettled, "seed \(seed): \(world.exits.values.map { "\($0.id) \($0.state) \(String(describing: $0.reason))" })")
    }

    /// With turns of up to a minute: some four hundred hours in all.
    @Test func `nor does any plan in days of faults`() async throws {
        try await heavily { for seed in 1000..<1004 as Range<UInt64> { liveForDays(seed) } }
    }

    private func liveForDays(_ seed: UInt64) {
        var world = SimulatedWorld(seed: seed)
        world.longestTurn = 60
        world.desired.pools[us] = Pool(country: us, size: 2, standby: 1)
        let began = world.now
        for _ in 0..<6_000 {
            world.turn()
            world.launches = world.launches.mapValues { $0.suffix(50) }
        }
        #expect(world.now - began - world.jumped > 45 * 3_600)
        world.endFaults()
        for _ in 0..<400 where !world.isSettled { world.turn() }
        let isSettled = world.isSettled
        #expect(isSettled, "seed \(seed)")
    }
}
