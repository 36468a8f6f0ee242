import Control
import Model
import Planning
import Platform
import TestSupport
import Testing

/// Targets that are asked through each exit.
@Suite(.timeLimit(.minutes(1)), .inSimulatedTime) struct CanaryTests {
    private static func asking(_ settings: inout ControllerSettings, replaces: Bool) {
        settings.canaries.list = [Canary(name: "shop", url: "https://shop.example/")]
        settings.canaries.seconds = 2
        settings.rules.retirement.replacesBlocked = replaces
        settings.rules.retirement.pauseSeconds = 0.5
    }

    @Test func `where one is blocked the exit ranks lower, which is shown and told, and is left in place`() async throws {
        try await withController(tune: { Self.asking(&$0, replaces: false) }) { world, running in
            try await running.controller.execute(.setPool(Pool(country: us, size: 2)))
            try await running.serves(2)
            let server = try #require(running.exit(1)?.server?.hostname)
            try await eventually("both were asked", within: 20) {
                running.exits.values.allSatisfy { $0.health.canaries?.first?.passed == true }
            }
            world.with { $0.canaryBlocked = ["shop": [server]] }
            try await eventually("it is found", within: 20) { running.exit(1)?.health.blockedBy == ["shop"] }
            #expect(running.exit(2)?.health.blockedBy == nil && running.exit(1)?.health.canaries?.first?.detail == "status 403")
            try await eventually("the gateway follows", within: 20) {
                world.with { $0.published?.pools.first?.slots.prefix(2).map(\.weight) } == [10, 100]
            }
            let alert = try await eventually("it is told", within: 20) {
                running.controller.snapshot.alerts.first { $0.subject == .canary("shop") }
            }
            #expect(alert.message.contains("us-1") && alert.message.contains("status 403"), "\(alert.message)")
            #expect(running.exits.values.allSatisfy { $0.state == .serving && !$0.leaving })
            world.with { $0.canaryBlocked = [:] }
            try await eventually("it ends", within: 20) {
                running.controller.snapshot.alerts.isEmpty && running.exit(1)?.health.blockedBy == nil
            }
        }
    }

    @Test func `where exits are replaced, it goes to another server; one that is blocked everywhere moves nobody and is told once`()
        async throws
    {
        try await withController(tune: { Self.asking(&$0, replaces: true) }) { world, running in
            try await running.controller.execute(.setPool(Pool(country: us, size: 2)))
            try await running.serves(2)
            let server = try #require(running.exit(1)?.server?.hostname)
            world.with { $0.canaryBlocked = ["shop": [server]] }
            try await eventually("another server serves", within: 40) {
                let servers = running.exits.values.filter { $0.state == .serving }.compactMap(\.server?.hostname)
                return servers.count == 2 && !servers.contains(server)
            }
            let rotations = world.with { $0.events }.filter { $0.kind == .rotation }
            #expect(rotations.map(\.reason) == [.targetBlocked], "\(rotations.map(\.message))")
            try await eventually("all were asked again", within: 20) {
                running.exits.values.allSatisfy { $0.health.canaries?.first?.passed == true }
            }
            world.with { state in state.canaryBlocked = ["shop": Set((1...9).map { "us\($0)" })] }
            let asked = world.with { $0.canaryQuestions }
            try await eventually("it is told", within: 20) {
                running.controller.snapshot.alerts.contains { $0.subject == .canary("shop") && $0.message.contains("every exit") }
            }
            try await eventually("it goes on", within: 60) { world.with { $0.canaryQuestions } >= asked + 20 }
            #expect(world.with { $0.events }.count { $0.kind == .rotation } == 1)
            #expect(running.exits.values.allSatisfy { $0.state == .serving && $0.health.blockedBy == nil })
        }
    }
}
