import Control
import Model
import Planning
import Platform
import TestSupport
import Testing

/// What a controller remembers: alerts over a restart, pauses over a clock that is set, failover while the store hangs.
@Suite(.timeLimit(.minutes(1)), .inSimulatedTime) struct MemoryTests {
    /// Runs with a controller one of whose exits has died, and left a container that can't be removed: `us-1-g1`.
    private func withStuckContainer(_ body: (FakeWorld, Running) async throws -> Void) async throws {
        try await withController(tune: { $0.removalSeconds = 0.05 }) { world, running in
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            world.with { $0.resisting = ["us-1-g1"] }
            world.end("us-1-g1", exitCode: 67)
            try await body(world, running)
        }
    }

    @Test func `an alert about a container is over when somebody removes it by hand`() async throws {
        try await withStuckContainer { world, running in
            try await eventually("a human is told") { running.controller.snapshot.alerts.contains { $0.subject == .container("us-1-g1") } }
            // What the remedy says.
            world.with { $0.containers["us-1-g1"] = nil }
            try await eventually("the alert is over") { running.controller.snapshot.alerts.isEmpty }
            try await eventually("and the store knows it") { world.stored.alerts.isEmpty }
        }
    }

    @Test func `an alert stands over a restart, without a word, for as long as it is true`() async throws {
        let world = FakeWorld(servers: [server(1)])
        let since = SimulatedTime.current.now() + -600
        func alert(_ subject: AlertSubject, _ message: String = "") -> Alert {
            Alert(subject, .critical, message, remedy: "do something", since: since)
        }
        // As an earlier controller has left it: nobody serves, a container resists, the engine and the provider don't answer.
        world.with { state in
            state.stored.pools[us] = Pool(country: us, size: 1)
            state.stored.alerts = [
                alert(.pool(us)), alert(.part(.engine)), alert(.part(.catalog)),
                alert(.container("old"), "container old can't be removed: device or resource busy"),
            ]
            state.away = [.engine, .catalog]
        }
        let running = Running(on: world, tune: { $0.removalSeconds = 0.05 })
        try await eventually("it has made several passes") { world.with { $0.lists } > 5 }
        let alerts = running.controller.snapshot.alerts
        #expect(alerts.map(\.subject) == [.container("old"), .part(.catalog), .part(.engine), .pool(us)])
        #expect(alerts.allSatisfy { $0.since == since })
        #expect(!world.with { $0.events }.contains { $0.kind == .alertCleared || $0.kind == .alertRaised })
        world.with { $0.away = [] }
        try await running.serves(1)
        try await eventually("all are over") { running.controller.snapshot.alerts.isEmpty && world.stored.alerts.isEmpty }
        try await eventually("each of them was told") { world.with { $0.events.count { $0.kind == .alertCleared } } == 4 }
        await running.stop()
    }

    @Test func `what alerts have become while the store was away it hears of later`() async throws {
        try await withStuckContainer { world, running in
            try await eventually("it is stored") { world.stored.alerts.map(\.subject) == [.container("us-1-g1")] }
            world.go(away: .store)
            world.with { $0.resisting = [] }
            try await eventually("it is over") { running.controller.snapshot.alerts.isEmpty }
            #expect(!world.stored.alerts.isEmpty)
            world.come(back: .store)
            try await eventually("the store knows it") { world.stored.alerts.isEmpty }
        }
    }

    @Test func `while the store hangs a dead exit is out and another one serves before anything is saved`() async throws {
        try await withController { world, running in
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            try await eventually("it is saved") { world.stored.exits[id(1)]?.state == .serving }
            world.with {
                $0.storeMilliseconds = 40_000
                $0.deadServers = ["us1"]
            }
            try await eventually("another one serves", within: 30) {
                running.exit(1)?.generation == 2 && running.exit(1)?.state == .serving
            }
            #expect(world.readyEndpoints == [running.exit(1)?.endpoint] && world.stored.exits[id(1)]?.generation == 1)
            world.with { $0.storeMilliseconds = 0 }
        }
    }

    @Test(arguments: [-7_200.0, 7_200]) func `a clock that is set by hours holds nobody up`(seconds: Double) async throws {
        let world = FakeWorld(servers: (1...3).map { server($0) })
        // One after another, so that it waits.
        world.with { $0.launchFailures = Array(repeating: ExitFailure(reason: .startFailed, detail: "not now"), count: 2) }
        let running = Running(on: world)
        try await running.controller.execute(.addExit(ExitRequest(country: us)))
        try await eventually("it waits") { running.exit(1)?.attempts == 2 && running.exit(1)?.state == .pending }
        try #require(world.time as? SimulatedTime).setWall(by: seconds)
        try await running.serves(1, within: 30)
        let exit = try #require(running.exit(1))
        #expect(abs(exit.since - running.now()) < 60)
        world.with { $0.deadServers = [exit.server?.hostname ?? ""] }
        try await eventually("failover works", within: 30) {
            running.exit(1)?.state == .serving && running.exit(1)?.server?.hostname != exit.server?.hostname
        }
        await running.stop()
    }

    @Test func `what a clock that was ahead has stored holds nobody up`() async throws {
        let world = FakeWorld(servers: [server(1)])
        let later = world.time.now() + 7_200
        world.with { state in
            state.stored.pools[us] = Pool(country: us, size: 1)
            var exit = Exit(id: id(1), slot: 1, now: later)
            exit.retryAt = later + 10
            state.stored.exits[exit.id] = exit
            var breaker = Breaker()
            breaker.fail("handshake_timeout", later, Breaker.ofServers)
            state.stored.breakers = [BreakerKey.server("us1"): breaker]
        }
        let running = Running(on: world)
        try await running.serves(1, within: 30)
        #expect(running.controller.snapshot.breakers.values.allSatisfy { ($0.openUntil ?? later) < running.now() + 120 })
        await running.stop()
    }
}
