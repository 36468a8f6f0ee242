import Control
import Model
import Platform
import TestSupport
import Testing

/// How the controller learns what an exit says of its tunnel.
@Suite(.timeLimit(.minutes(1)), .inSimulatedTime) struct ExitStatusTests {
    private static func quiet(_ settings: inout ControllerSettings) {
        settings.probing.deepSeconds = 6_000
        (settings.probing.handshakeSeconds, settings.probing.handshakesPerSecond) = (0.2, 100)
    }

    private func withExit(_ answer: Result<ExitReport?, Away>, _ body: (FakeWorld, Running) async throws -> Void) async throws {
        try await withController(tune: Self.quiet) { world, running in
            world.with { $0.statusAnswer = answer }
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            try await body(world, running)
        }
    }

    @Test func `an exit that tells its status is read by it alone, and its figures are shown`() async throws {
        try await withExit(.success(exampleStatus)) { world, running in
            try await eventually("it is asked again and again") { world.with { $0.statuses } > 5 }
            #expect(world.with { $0.programs } == [])
            #expect(running.exit(1)?.health.handshakeAge != nil && running.exit(1)?.health.countsLeaks == true)
            let labels = ["us-1", "US"]
            #expect(Metrics.exitConnections.values[labels] == 3)
            #expect(Metrics.exitAttempts.values[labels + ["connect", "ok"]] == 18)
            #expect(Metrics.exitAttempts.values[labels + ["lookup", "failed"]] == 1)
            #expect(Metrics.exitAttemptSeconds.values[labels + ["connect"]] == 4)
        }
    }

    @Test func `an exit of the version before is asked for its status once, and then read by a program`() async throws {
        try await withExit(.success(nil)) { world, running in
            try await eventually("the program is run again and again") { world.with { $0.programs.count } > 5 }
            #expect(world.with { $0.statuses } == 1 && Set(world.with { $0.programs }) == ["us-1-g1"])
            #expect(running.exit(1)?.health.handshakeAge != nil)
        }
    }

    @Test func `an exit whose status does not answer is read by a program until it does`() async throws {
        try await withExit(.failure(Away())) { world, running in
            try await eventually("the program is run again and again") { world.with { $0.programs.count } > 5 }
            #expect(world.with { $0.statuses } > 5 && running.exit(1)?.health.handshakeAge != nil)
            let (programs, statuses) = world.with { state in
                state.statusAnswer = .success(exampleStatus)
                return (state.programs.count, state.statuses)
            }
            try await eventually("it is asked again and again") { world.with { $0.statuses } > statuses + 5 }
            // One may have been under way.
            #expect(world.with { $0.programs.count } <= programs + 1)
        }
    }

    @Test func `a leak that the status tells is one also while the engine is away`() async throws {
        try await withExit(.success(exampleStatus)) { world, running in
            world.with { $0.away.insert(.engine) }
            try await eventually("the engine is in trouble") { running.controller.snapshot.problems[.engine] != nil }
            world.with { $0.leaks = .counted(packets: 1, bytes: 60) }
            try await eventually("it is dead for a leak") {
                running.exit(1)?.health.verdict == .dead && running.exit(1)?.health.reason == .leak
            }
            #expect(world.with { $0.programs } == [])
        }
    }
}
