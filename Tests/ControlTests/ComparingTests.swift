import Control
import Model
import Planning
import Platform
import TestSupport
import Testing

/// Exits that nobody can compare: they go on, and it is told.
@Suite(.timeLimit(.minutes(1)), .inSimulatedTime) struct ComparingTests {
    @Test func `an exit that serves without being compared is told by an alert, which ends by itself`() async throws {
        try await withController(tune: { $0.probing.deepSeconds = 0.3 }) { world, running in
            try await running.controller.execute(.setPool(Pool(country: us, size: 2)))
            try await running.serves(2)
            try await eventually("it is compared") { running.exit(1)?.health.comparedAt != nil && running.exit(1)?.health.placedAt != nil }
            #expect(running.controller.snapshot.alerts.isEmpty)
            world.with { $0.comparing = false }
            func alert(_ what: AlertSubject.Comparison) -> Alert? {
                running.controller.snapshot.alerts.first { $0.subject == .comparison(what) }
            }
            // The exits' deep probes are not at the same moment: the alert begins with one of them.
            let address = try await eventually("an alert tells it of both", within: 20) {
                alert(.address).flatMap { $0.message.contains("us-1, us-2") ? $0 : nil }
            }
            #expect(address.message.contains("status 429"), "\(address.message)")
            #expect(address.remedy.contains("verification.urls"))
            try await eventually("and that of the country") { alert(.country) != nil }
            #expect(running.exits.values.allSatisfy { $0.state == .serving && $0.generation == 1 && $0.health.verdict == .healthy })
            #expect(running.exit(1)?.health.comparedAge ?? 0 > 0.5 && running.exit(1)?.health.comparisonProblem == "status 429")
            world.with { $0.comparing = true }
            try await eventually("both end", within: 20) { running.controller.snapshot.alerts.isEmpty }
        }
    }

    @Test func `where budgets let exits be compared seldom, somebody is called only after as long, and at most after an hour`() {
        let probing = ControllerSettings(checkName: "check.test").probing
        #expect(probing.uncomparedSeconds(nil, exits: 250) == 60)
        #expect(probing.uncomparedSeconds(2_000, exits: 1) == 4 * 43.2)
        #expect(probing.uncomparedSeconds(2_000, exits: 10) == 4 * 432)
        #expect(probing.uncomparedSeconds(2_000, exits: 250) == 3_600)
    }

    @Test func `what is urgent is asked for at once, and else from time to time`() async throws {
        try await withController(tune: { $0.probing.deepSeconds = 0.3 }) { world, running in
            try await running.controller.execute(.setPool(Pool(country: us, size: 1)))
            try await running.serves(1)
            try await eventually("it is examined") { world.with { $0.deepProbes } >= 5 }
            #expect(world.with { $0.urgentProbes } == 0)
            world.with { state in (1...9).forEach { state.faults["us\($0)"] = .wrongCountry } }
            try await eventually("a finding is confirmed") { world.with { $0.urgentProbes } >= 1 }
        }
    }

    @Test func `what an earlier controller has told of it stands until an exit is compared`() async throws {
        let world = FakeWorld(servers: (1...3).map { server($0) })
        world.with { $0.comparing = false }
        let first = Running(on: world, tune: { $0.probing.deepSeconds = 0.3 })
        try await first.controller.execute(.setPool(Pool(country: us, size: 1)))
        try await first.serves(1)
        // Long enough for the exit to be one that was taken over.
        try await eventually("it is told, and stored", within: 20) {
            world.stored.alerts.contains { $0.subject == .comparison(.address) && first.now() - $0.since > 6 }
        }
        let since = world.stored.alerts.first { $0.subject == .comparison(.address) }?.since
        await first.kill()
        let second = Running(on: world, tune: { $0.probing.deepSeconds = 0.3 })
        try await second.controller.load()
        try await second.serves(1)
        try await eventually("the second one has observed the world") { second.controller.snapshot.hasObserved }
        #expect(second.controller.snapshot.alerts.first { $0.subject == .comparison(.address) }?.since == since)
        #expect(world.with { $0.events }.count { $0.kind == .alertRaised && $0.message.contains("comparison:address") } == 1)
        world.with { $0.comparing = true }
        try await eventually("it ends", within: 20) { second.controller.snapshot.alerts.isEmpty }
        await second.stop()
    }
}
