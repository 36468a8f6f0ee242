import Model
import Planning
import Testing

/// How often address services are asked, and in whose turn.
@Suite struct ServiceBudgetTests {
    private static let begin = ContinuousClock.now

    private static func exit(_ number: Int) -> ExitID { ExitID(country: CountryCode("us")!, number: number) }  // An ISO code.

    @Test(arguments: [24, 100, 1_000, 5_000]) func `no 24 hours see more than the budget, whoever asks how often`(perDay: Int) {
        var random = SplitMix64(state: UInt64(perDay))
        var budget = ServiceBudget(perDay: perDay, Self.begin)
        var now = Self.begin
        var taken: [ContinuousClock.Instant] = []
        while now - Self.begin < .seconds(3 * 86_400) {
            // Bursts, and long times of silence.
            let pause = Double.random(in: 0...1, using: &random) < 0.01 ? 20_000.0 : 86_400 / Double(perDay)
            now += .seconds(Double.random(in: 0...pause, using: &random))
            if budget.take(for: Bool.random(using: &random) ? .urgent : .routine, now) { taken.append(now) }
        }
        var first = 0
        var most = 0
        for (index, moment) in taken.enumerated() {
            while moment - taken[first] > .seconds(86_400) { first += 1 }
            most = max(most, index - first + 1)
        }
        #expect(most <= perDay && most > perDay / 4, "\(most) of \(perDay)")
    }

    @Test func `what can't wait has a reserve, and an exit that has to start is never refused, but pays later`() {
        var budget = ServiceBudget(perDay: 1_000, Self.begin)
        var now = Self.begin + .seconds(86_400)
        func take(_ need: ServiceBudget.Need) -> Bool { budget.take(for: need, now) }
        func left() -> Int { budget.left(for: .urgent, now) }
        while take(.routine) {}
        #expect(left() == 50)
        while take(.urgent) {}
        for _ in 0..<10 { #expect(take(.vital)) }
        #expect(left() == -10)
        // One in 96 seconds comes.
        now += .seconds(96 * 10)
        #expect(!take(.urgent))
        now += .seconds(96 * 2)
        #expect(take(.urgent) && !take(.routine))
    }

    @Test func `a controller that begins anew asks nothing from time to time before it has saved something up`() {
        var budget = ServiceBudget(perDay: 1_000, Self.begin)
        let (routine, urgent) = (budget.take(for: .routine, Self.begin), budget.take(for: .urgent, Self.begin))
        #expect(!routine && urgent)
    }

    @Test(arguments: [1, 10, 60]) func `each exit gets as many turns as any other`(exits: Int) {
        var random = SplitMix64(state: UInt64(exits))
        var (budget, turns) = (ServiceBudget(perDay: 2_000, Self.begin), ServiceTurns(patience: 60))
        var counts: [Int: Int] = [:]
        // One of them comes three times as often as the others.
        var due = (0..<exits).map { _ in Double.random(in: 0...15, using: &random) }
        for step in 0..<(86_400 * 2) {
            let now = Self.begin + .seconds(step)
            for exit in 0..<exits where due[exit] <= Double(step) {
                due[exit] = Double(step) + (exit == 0 ? 5 : Double.random(in: 13...17, using: &random))
                guard turns.take(Self.exit(exit + 1), free: max(0, budget.left(for: .routine, now)), now) else { continue }
                guard budget.take(for: .routine, now) else { return #expect(Bool(false), "the budget was empty in its turn") }
                counts[exit, default: 0] += 1
            }
        }
        let all = counts.values.reduce(0, +)
        #expect(all > 3_400 && all <= 4_000, "\(all)")
        let (least, most) = (counts.values.min() ?? 0, counts.values.max() ?? 0)
        #expect(counts.count == exits && most - least <= 2, "\(least) to \(most)")
    }

    @Test func `who does not come again loses its place, and who comes keeps it`() {
        var turns = ServiceTurns(patience: 60)
        func take(_ number: Int, free: Int, at seconds: Double) -> Bool {
            turns.take(Self.exit(number), free: free, Self.begin + .seconds(seconds))
        }
        #expect(!take(1, free: 0, at: 0) && !take(2, free: 0, at: 1))
        #expect(!take(2, free: 1, at: 2), "us-1 is first")
        #expect(take(2, free: 2, at: 3), "there is enough for both")
        #expect(!take(2, free: 1, at: 50))
        #expect(take(2, free: 1, at: 70), "us-1 has gone")
    }
}
