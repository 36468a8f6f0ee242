import Control
import Model
import Planning
import Platform
import TestSupport
import Testing

/// Several accounts at one provider: a key's trouble is one account's, and exits move while they serve.
@Suite(.timeLimit(.minutes(1)), .inSimulatedTime) struct AccountTests {
    private let servers = (1...12).map { server($0) }
    private let second = ProviderAccount(.nordvpn, "second")

    private var devices: DeviceBudget {
        var budget = DeviceBudget()
        budget.accounts = [.nordvpn: [.init("first", 8), .init("second", 8)]]
        return budget
    }

    private func accounts(_ running: Running) -> [String: Int] {
        running.exits.values.filter { $0.state == .serving }.reduce(into: [:]) { $0[$1.server?.account ?? "none", default: 0] += 1 }
    }

    @Test func `exits of a key that every server refuses are on the other account, and it is used again once it is taken`() async throws {
        try await withController(servers: servers, asksServers: true, devices: devices) { world, running in
            try await running.controller.execute(.setPool(Pool(country: us, size: 4)))
            try await running.serves(4)
            #expect(accounts(running) == ["first": 2, "second": 2])
            let others = running.exits.values.filter { $0.server?.account == "first" }
            world.with { $0.refusedAccounts = ["second"] }
            try await eventually("all are the other account's", within: 30) { accounts(running) == ["first": 4] }
            try await eventually("the key is at fault", within: 30) {
                running.controller.snapshot.breakers[.credential(second)] != nil
            }
            #expect(others.allSatisfy { running.exits[$0.id]?.generation == $0.generation }, "the other account's went on")
            #expect(running.controller.snapshot.alerts.map(\.subject).filter { $0 == .credential(second) }.count == 1)
            #expect(running.controller.snapshot.breakers[.credential(ProviderAccount(.nordvpn, "first"))] == nil)
            let use = running.controller.snapshot.accounts.first { $0.account == second }
            #expect(use?.inUse == 0 && use?.limit == 8 && use?.state == .open)

            world.with { $0.refusedAccounts = [] }
            try await eventually("it is good again", within: 300) { running.controller.snapshot.breakers[.credential(second)] == nil }
            try await running.controller.execute(.setPool(Pool(country: us, size: 6)))
            try await running.serves(6)
            #expect(accounts(running) == ["first": 4, "second": 2])
        }
    }

    @Test func `where a key is exchanged its exits are replaced, and never fewer serve`() async throws {
        let servers = servers
        try await withController(servers: servers, devices: devices) { world, running in
            world.with { $0.keyNames = [second: "key-1", ProviderAccount(.nordvpn, "first"): "key-a"] }
            try await running.controller.execute(.setPool(Pool(country: us, size: 4)))
            try await running.serves(4)
            let before = running.exits.values.filter { $0.server?.account == "first" }
            world.with { $0.keyNames[second] = "key-2" }
            await running.controller.use(devices, exchanged: [second])
            var least = 4
            try await eventually("no exit has the old key", within: 60) {
                let serving = running.exits.values.filter { $0.state == .serving }
                least = min(least, serving.count)
                return serving.count == 4 && !running.exits.values.contains { $0.keyName == "key-1" }
            }
            #expect(least >= 4 && before.allSatisfy { running.exits[$0.id]?.generation == $0.generation })
        }
    }

    @Test func `an account that is taken away is left, and its breaker with it`() async throws {
        try await withController(servers: servers, devices: devices) { world, running in
            try await running.controller.execute(.setPool(Pool(country: us, size: 2)))
            try await running.serves(2)
            var budget = DeviceBudget()
            budget.accounts = [.nordvpn: [.init("first", 8)]]
            await running.controller.use(budget, exchanged: [])
            try await eventually("all are the other's", within: 60) { accounts(running) == ["first": 2] && running.exits.count == 2 }
        }
    }
}
