import Control
import Model
import Planning
import TestSupport
import Testing

/// Parts that hang, resist or fail all together: what the loop makes of them.
@Suite(.timeLimit(.minutes(1)), .inSimulatedTime) struct TroubleTests {
    @Test func `events that stand still are noticed by what they don't tell, and followed anew`() async throws {
        try await withController { world, running in
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            world.hangEvents()
            world.end("us-1-g1", exitCode: 67)
            try await eventually("a list shows the death") { running.exit(1)?.generation == 2 && running.exit(1)?.state == .serving }
            try await eventually("the events are followed anew", within: 20) { world.with { $0.followings } == 2 }
            world.end("us-1-g2", exitCode: 67)
            try await eventually("it is replaced again") { running.exit(1)?.generation == 3 && running.exit(1)?.state == .serving }
        }
    }

    @Test func `while the engine hangs a dead exit is out and its standby in; afterwards all is as wanted`() async throws {
        try await withController { world, running in
            try await running.controller.execute(.setPool(Pool(country: us, size: 1, standby: 1)))
            try await eventually("both are there") { Set(running.exits.values.map(\.state)) == [.serving, .standby] }
            let lost = try #require(running.exits.values.first { $0.state == .serving })
            let spare = try #require(running.exits.values.first { $0.state == .standby })
            world.with { state in
                state.engineHangs = true
                state.deadServers = [lost.server?.hostname ?? ""]
            }
            try await eventually("the standby serves alone") { world.readyEndpoints == [spare.endpoint] }
            #expect(running.exits[lost.id]?.generation == 1, "nothing is planned for exits that can't be seen")
            world.with { $0.engineHangs = false }
            try await eventually("the lost one is replaced") {
                Set(running.exits.values.map(\.state)) == [.serving, .standby] && running.exits[lost.id]?.generation == 2
            }
            try await eventually("its container is gone") { world.runningContainers.count == 2 }
            #expect(running.exits[spare.id]?.generation == 1)
        }
    }

    @Test func `with a dead engine and a dead exit, a fallback serves, and the page says what only the engine can do`() async throws {
        try await withController(tune: { $0.engineHangSeconds = 0.5 }) { world, running in
            world.with { $0.servers.append(server(9, de)) }
            try await running.controller.execute(.setPool(Pool(country: de, size: 1)))
            try await running.controller.execute(.setPool(Pool(country: us, size: 1, fallback: [de])))
            try await running.serves(2)
            let (lost, other) = (try #require(running.exit(1)), try #require(running.exit(1, de)))
            world.with { state in
                state.engineHangs = true
                state.deadServers = [lost.server?.hostname ?? ""]
            }
            try await eventually("the fallback is what is left") { world.readyEndpoints == [other.endpoint] }
            let alert = try await eventually("a human is told", within: 20) {
                running.controller.snapshot.alerts.first { $0.subject == .pool(us) }
            }
            #expect(alert.severity == .critical && alert.message.contains("while the Docker Engine does not answer"))
            #expect(alert.message.contains("DE"), "who serves meanwhile: \(alert.message)")
            #expect(running.controller.snapshot.problems[.engine]?.contains("does not answer") ?? false)
            world.with { $0.engineHangs = false }
            try await eventually("another one serves", within: 20) {
                running.exit(1)?.generation == 2 && running.exit(1)?.state == .serving
            }
            try await eventually("the alert is over") { !running.controller.snapshot.alerts.contains { $0.subject == .pool(us) } }
        }
    }

    @Test func `an exit through which bytes come is kept though its probes fail, and given up when none come any more`() async throws {
        try await withController { world, running in
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            world.with { ($0.deadServers, $0.busyServers) = (["us1"], ["us1"]) }
            try await eventually("it is degraded") { running.exit(1)?.state == .degraded }
            let probes = world.with { $0.probes }
            try await eventually("it has failed many times", within: 30) { world.with { $0.probes } > probes + 30 }
            #expect(running.exit(1)?.generation == 1 && running.exit(1)?.health.verdict == .degraded)
            world.with { $0.busyServers = [] }
            try await eventually("it is given up", within: 20) { running.exit(1)?.generation == 2 && running.exit(1)?.state == .serving }
            #expect(running.exit(1)?.lastFailure?.reason == .blackhole)
        }
    }

    @Test func `a container that resists is nobody's way, is told once with the remedy, and goes in the end`() async throws {
        try await withController(tune: { $0.removalSeconds = 0.05 }) { world, running in
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            world.with { $0.resisting = ["us-1-g1"] }
            world.end("us-1-g1", exitCode: 67)
            try await eventually("another one serves") { running.exit(1)?.generation == 2 && running.exit(1)?.state == .serving }
            let alert = try await eventually("a human is told") {
                running.controller.snapshot.alerts.first { $0.subject == .container("us-1-g1") }
            }
            #expect(alert.message.contains("busy") && alert.remedy.contains("docker rm -f us-1-g1"))
            try await running.serves(1)
            world.with { $0.resisting = [] }
            try await eventually("it goes") { world.with { $0.containers.keys.sorted() } == ["us-1-g2"] }
            try await eventually("the alert is over") { running.controller.snapshot.alerts.isEmpty }
            #expect(world.with { $0.events.count { $0.kind == .alertRaised } } == 1)
        }
    }

    @Test func `a loop that stands still is told, and a human too, until it goes on`() async throws {
        try await withController(tune: { $0.standstillSeconds = 1 }) { world, running in
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            world.with { $0.gatewayHangs = true }
            try await running.controller.execute(.addExit(ExitRequest(country: de)))
            try await eventually("it is told") { running.controller.snapshot.problems[.loop]?.contains("makes no progress") ?? false }
            world.with { $0.gatewayHangs = false }
            try await running.serves(2)
            try await eventually("it is over") { running.controller.snapshot.problems[.loop] == nil }
        }
    }

    @Test func `exits that all fail at once are blamed on what they share: one is tried elsewhere, the rest stay`() async throws {
        try await withController(tune: { $0.recoverySeconds = 1 }) { world, running in
            try await running.controller.execute(.setPool(Pool(country: us, size: 3)))
            try await running.serves(3)
            // Also the other servers are silent.
            world.with { $0.deadServers = Set($0.servers.map(\.hostname)) }
            try await eventually("it is told") { running.controller.snapshot.problems[.host]?.contains("all exits fail at once") ?? false }
            let kept = Set([2, 3].compactMap { running.exit($0)?.endpoint })
            try await eventually("one is tried elsewhere, in vain", within: 30) { world.launches.count > 4 }
            #expect([2, 3].allSatisfy { running.exit($0)?.generation == 1 })
            #expect(Set(world.launches.dropFirst(3).map(\.id)) == [id(1)])
            #expect(kept.count == 2 && kept.isSubset(of: world.readyEndpoints), "the others stay plugged in")
            world.with { $0.deadServers = [] }
            try await running.serves(3, within: 30)
            #expect([2, 3].allSatisfy { running.exit($0)?.generation == 1 }, "they are well again where they are")
            try await eventually("it is over") { running.controller.snapshot.problems.isEmpty }
        }
    }

    @Test func `where the trial shows that other servers answer, the rest follow at once`() async throws {
        try await withController(tune: { $0.recoverySeconds = 1 }) { world, running in
            try await running.controller.execute(.setPool(Pool(country: us, size: 3)))
            try await running.serves(3)
            let old = Set(running.exits.values.compactMap(\.server?.hostname))
            world.with {
                $0.deadServers = old
                $0.launchMilliseconds = 300
            }
            try await eventually("all serve elsewhere", within: 20) {
                running.exits.count == 3 && running.exits.values.allSatisfy { $0.state == .serving && $0.generation > 1 }
            }
            #expect(Set(running.exits.values.compactMap(\.server?.hostname)).isDisjoint(with: old))
            #expect(world.launches[3].id == id(1))
        }
    }

    @Test func `an exit that leaks is cut off also while the machine is offline`() async throws {
        try await withController { world, running in
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            world.with {
                $0.faults = ["us1": .leak]
                $0.away = [.internet]
            }
            try await eventually("another one serves") { running.exit(1)?.generation == 2 && running.exit(1)?.state == .serving }
            #expect(running.exit(1)?.server?.hostname == "us2" && running.exit(1)?.lastFailure?.reason == .leak)
            #expect(running.controller.snapshot.breakers.isEmpty, "the server has done nothing")
        }
    }

    @Test func `probes that can't be made say nothing about an exit`() async throws {
        try await withController { world, running in
            // So slow that an answer which is late on a busy machine is not suspected.
            world.with { $0.probeMilliseconds = 1_000 }
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            try await eventually("it has been probed") { world.with { $0.probes } > 0 }
            // Nor does anything come through its tunnel, which would speak for it.
            let asked = world.with { state in
                state.away = [.sockets]
                state.deadServers = Set(state.servers.map(\.hostname))
                return state.probes
            }
            try await eventually("it has been asked again and again") { world.with { $0.probes } > asked + 20 }
            #expect(running.exit(1)?.generation == 1 && running.exit(1)?.health.verdict != .dead)
            world.with { state in
                state.away = []
                state.deadServers = []
            }
            try await running.serves(1)
        }
    }
}
