import HAProxyControl
import HTTPTransport
import Model
import Planning
import TestSupport
import Testing

/// Whether a pool's strategy holds for all ways in which its country can be asked for, on a real HAProxy.
@Suite(.timeLimit(.minutes(1))) struct HAProxyStrategyTests {
    typealias Subject = GatewaySubject
    private let alice = GatewaySubject.user("alice")
    private let fr = CountryCode("fr")!  // An ISO code.

    /// A pool whose exits have these weights, made as the planner makes it.
    private func layout(_ exits: [ScriptedServer], weights: [Int], _ spread: Spread) -> GatewayLayout {
        let now = Timestamp(milliseconds: 1_000_000)
        var all: [ExitID: Exit] = [:]
        for (index, exit) in exits.enumerated() {
            let id = ExitID(country: us, number: index + 1)
            var made = Exit(id: id, slot: index + 1, now: now)
            (made.state, made.container, made.endpoint) = (.serving, "c", exit.endpoint)
            made.health.weight = weights[index]
            all[id] = made
        }
        var desired = Desired(pools: [us: Pool(country: us, size: exits.count, spread: spread)])
        desired.users = [alice]
        return GatewayLayout.of(desired: desired, exits: all)
    }

    @Test func `round robin takes each exit as often as any other, whatever their health; by score it does not`() async throws {
        try await Subject.with { subject in
            let exits = try (1...3).map { try Subject.exit("\($0)") }
            try await subject.gateway.publish(layout(exits, weights: [100, 40, 15], .roundRobin))
            #expect(try await subject.answers(30) == ["1": 10, "2": 10, "3": 10])
            try await subject.gateway.publish(layout(exits, weights: [100, 40, 15], .score))
            let answers = try await subject.answers(31)
            #expect(answers["1", default: 0] > 2 * answers["3", default: 0], "\(answers)")
        }
    }

    @Test func `a list of countries, any country, a city and a fallback take exits in turn where their pools do`() async throws {
        try await Subject.with { subject in
            let exits = try (1...5).map { try Subject.exit("\($0)") }
            func slot(_ number: Int, _ country: CountryCode, _ exit: Int) -> GatewaySlot {
                Subject.slot(number, exits[exit - 1].endpoint, country: country, city: number < 3 ? "Dallas" : "Miami")
            }
            var pools = [
                Subject.pool(us, [slot(1, us, 1), slot(2, us, 2), slot(3, us, 3)], spread: .roundRobin),
                Subject.pool(de, [slot(1, de, 4), slot(2, de, 5)], spread: .roundRobin),
                Subject.pool(fr, spread: .roundRobin),
            ]
            pools[2].fallback = [us]
            try await subject.gateway.publish(GatewayLayout(pools: pools, users: [alice]))
            let all = ["1": 8, "2": 8, "3": 8, "4": 8, "5": 8]
            #expect(try await subject.answers(40, user: "alice-country-us,de") == all)
            #expect(try await subject.answers(40, user: "alice-country-de,us,fr") == all)
            #expect(try await subject.answers(40, user: "alice-country-any") == all)
            #expect(try await subject.answers(40, user: "alice-country-us-city-dallas") == ["1": 20, "2": 20])
            #expect(try await subject.answers(30, user: "alice-country-fr") == ["1": 10, "2": 10, "3": 10])
        }
    }

    @Test func `a list of countries gives each pool its share, and there its own strategy decides`() async throws {
        try await Subject.with { subject in
            let (holding, free, german) = (try Subject.holdingExit(), try Subject.exit("free"), try Subject.exit("german"))
            var pools = [
                Subject.pool(us, [Subject.slot(1, holding.endpoint)], spread: .leastConnections),
                Subject.pool(de, [Subject.slot(1, german.endpoint, country: de)], spread: .roundRobin),
            ]
            try await subject.gateway.publish(GatewayLayout(pools: pools, users: [alice]))
            let held = (1...3).map { _ in Task { try await subject.client.send(subject.request(tunnels: true, deadline: 0)) } }
            try await eventually("three are held") { try await subject.gateway.observe().sessions(country: us, slot: 1) == 3 }
            pools[0].slots[1] = Subject.slot(2, free.endpoint)
            try await subject.gateway.publish(GatewayLayout(pools: pools, users: [alice]))
            #expect(try await subject.answers(30, user: "alice-country-us,de") == ["free": 20, "german": 10])
            for task in held {
                task.cancel()
                _ = try? await task.value
            }
        }
    }
}
