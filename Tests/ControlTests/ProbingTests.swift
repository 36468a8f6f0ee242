import Control
import Model
import Planning
import TestSupport
import Testing

/// When exits are probed.
@Suite(.timeLimit(.minutes(1)), .inSimulatedTime) struct ProbingTests {
    @Test func `a deep probe that finds all well stands for a fast one`() async throws {
        let tune: (inout ControllerSettings) -> Void = { settings in
            settings.probing.probeSeconds = 1
            settings.probing.deepSeconds = 0.2
        }
        try await withController(tune: tune) { world, running in
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            let fast = world.with { $0.probes }
            let deep = world.with { $0.deepProbes }
            // Five times as often as the fast one would be made; each puts that off.
            try await eventually("it is examined many times", within: 40) { world.with { $0.deepProbes } >= deep + 30 }
            let (nowFast, nowDeep) = world.with { ($0.probes, $0.deepProbes) }
            #expect(nowFast < fast + 4, "\(fast) \(deep) \(nowDeep)")
        }
    }

    @Test func `an exit of which the gateway gets an error is probed at once`() async throws {
        let tune: (inout ControllerSettings) -> Void = { settings in
            (settings.probing.probeSeconds, settings.probing.deepSeconds) = (6_000, 6_000)
        }
        try await withController(tune: tune) { world, running in
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            let lists = world.with { $0.lists }
            try await eventually("the gateway was observed") { world.with { $0.lists } > lists + 3 }
            // For hours none is due.
            world.with { state in
                state.deadServers = ["us1"]
                state.gatewayErrors = 1
            }
            try await eventually("it is found dead and moved", within: 20) {
                running.exit(1)?.generation == 2 && running.exit(1)?.state == .serving
            }
        }
    }

    @Test func `a server that comes back in another country is found out at once`() async throws {
        // Its pool may make no other planned move for hours.
        let tune: (inout ControllerSettings) -> Void = { ($0.probing.deepSeconds, $0.rules.retirement.pauseSeconds) = (6_000, 6_000) }
        try await withController(tune: tune) { world, running in
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            // Bytes come all the same, so that it is kept.
            world.with { ($0.deadServers, $0.busyServers) = (["us1"], ["us1"]) }
            try await eventually("it is degraded") { running.exit(1)?.state == .degraded }
            // For hours no deep probe is due.
            world.with { ($0.deadServers, $0.faults) = ([], ["us1": .wrongCountry]) }
            try await eventually("another server serves", within: 30) {
                running.exits.values.contains { $0.state == .serving && $0.server?.hostname != "us1" }
            }
        }
    }

    @Test func `an exit that is well tells its tunnel's last handshake, and one whose handshake is too old is probed at once`() async throws
    {
        let tune: (inout ControllerSettings) -> Void = { settings in
            (settings.probing.probeSeconds, settings.probing.deepSeconds) = (6_000, 6_000)
            (settings.probing.handshakeSeconds, settings.probing.handshakesPerSecond) = (0.2, 100)
        }
        try await withController(tune: tune) { world, running in
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            let lists = world.with { $0.lists }
            try await eventually("some handshakes are read") { world.with { $0.lists } > lists + 10 }
            // For hours no probe is due, and none was made for these.
            let probes = world.with { state in
                state.handshakeAge = 200
                return state.probes
            }
            #expect(probes <= 1)
            try await eventually("it is probed", within: 20) { world.with { $0.probes } > probes }
            try await eventually("its age is told", within: 20) { running.exit(1)?.health.handshakeAge.map { $0 >= 200 } ?? false }
            #expect(running.exit(1)?.state == .serving && running.exit(1)?.health.verdict == .healthy)
        }
    }

    @Test func `all exits of a fleet are probed, at the pace that they share`() async throws {
        let tune: (inout ControllerSettings) -> Void = { settings in
            settings.probing.probesPerSecond = 10
            settings.probing.deepSeconds = 60
        }
        try await withController(servers: (1...8).map { server($0) }, tune: tune) { world, running in
            try await running.controller.execute(.setPool(Pool(country: us, size: 6)))
            try await running.serves(6)
            func checked() -> [Timestamp?] { running.exits.values.map(\.health.checkedAt) }
            try await eventually("each is probed", within: 20) { checked().allSatisfy { $0 != nil } }
            let latest = checked().compactMap { $0 }.max() ?? .init(milliseconds: 0)
            try await eventually("and each again", within: 30) { checked().allSatisfy { $0 ?? latest > latest } }
            world.with { state in state.deadServers = running.exit(1)?.server.map { [$0.hostname] } ?? [] }
            try await eventually("one that dies is found and moved", within: 30) {
                running.exit(1)?.generation == 2 && running.exit(1)?.state == .serving
            }
        }
    }
}
