@testable import Control
import Model
import Planning
import Platform
import TestSupport
import Testing

/// What a controller knows in one term is gone in the next.
@Suite(.timeLimit(.minutes(1)), .inSimulatedTime) struct TermTests {
    @Test func `a new term starts with nothing of the last one`() async throws {
        let world = FakeWorld(servers: (1...6).map { server($0) })
        let running = Running(on: world, instance: "one")
        try await eventually("it leads") { running.isLeader }
        try await running.controller.execute(.setPool(Pool(country: us, size: 3)))
        try await running.serves(3)
        world.with { $0.deadServers = Set($0.servers.map(\.hostname)) }
        try await eventually("all fail at once") { running.controller.snapshot.problems[.host] != nil }
        try await eventually("it is saved") { world.stored.exits.values.allSatisfy { $0.health.verdict == .dead } }
        await running.controller.learnAboutCredential(of: server(6), .handshakeTimeout, running.now())
        let before = await running.controller.memories
        #expect(before.allFailedAt != nil && before.silent == ["us6"] && before.monitored == 3)

        let end = world.time.instant + .seconds(10)
        world.with { state in
            let claim = LeaseClaim(instance: "other", token: "x", fence: 0, highest: 0, milliseconds: 0, mayInherit: false)
            state.lease = (claim, 5, end)
            (state.fence, state.deadServers) = (5, [])
        }
        try await eventually("it follows") { running.controller.snapshot.leader == "other" }
        let after = await running.controller.memories
        #expect(after.allFailedAt == nil && after.silent.isEmpty && after.monitored == 0 && after.published == nil)
        #expect(running.controller.snapshot.problems.isEmpty && running.exits.count == 3)

        try await eventually("it leads again", within: 20) { running.isLeader && world.with { $0.fence } == 6 }
        try await running.serves(3)
        try await eventually("it probes again") { await running.controller.memories.monitored == 3 }
        #expect(world.launches.count == 3 && running.exits.values.allSatisfy { $0.generation == 1 })
        await running.stop()
    }

    @Test func `an observation says nothing of exits that changed after it began`() {
        var revisions = ExitRevisions()
        revisions.changed(id(1))
        let began = revisions.latest
        #expect(revisions.newer(than: began).isEmpty && !revisions.isNewer(id(1), than: began))
        revisions.changed(id(2))
        #expect(revisions.newer(than: began) == [id(2)] && revisions.isNewer(id(2), than: began))
        // A change is forgotten once no observation began before it.
        revisions.forget(upTo: began)
        #expect(revisions.newer(than: 0) == [id(2)])
        revisions.changed(id(1))
        #expect(revisions.newer(than: began) == [id(1), id(2)])
    }

    @Test func `an exit that changed during an observation is left alone in that pass`() async throws {
        let tune: (inout ControllerSettings) -> Void = { settings in
            settings.listSeconds = 5
            // For hours no probe is due.
            (settings.probing.probeSeconds, settings.probing.deepSeconds) = (60_000, 60_000)
        }
        try await withController(tune: tune) { world, running in
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            // The list shows no container, as one that was made a moment before the launch.
            world.with { state in (state.listMilliseconds, state.containers) = (1_000, [:]) }
            let lists = world.with { $0.lists }
            try await eventually("a list is on its way") { world.with { $0.lists } > lists }
            try await world.time.sleep(seconds: 0.5)
            await running.controller.touch(id(1))
            try await world.time.sleep(seconds: 0.7)
            #expect(running.exit(1)?.state == .serving && running.exit(1)?.generation == 1, "that pass is over")
            try await eventually("the next one finds the loss") { running.exit(1)?.generation == 2 }
        }
    }
}

extension Controller {
    /// Changes an exit, as the end of an operation does.
    fileprivate func touch(_ id: ExitID) { change(id, generation: exits[id]?.generation ?? 0) { $0.detail = "changed meanwhile" } }

    /// What the present term remembers, as far as these tests ask.
    fileprivate var memories: (allFailedAt: Timestamp?, silent: [String], monitored: Int, published: GatewayLayout?) {
        (
            term.host.allFailedAt, term.handshakes.silentServers(of: .nordvpn).map(\.hostname), probes.monitors.count,
            term.gateway.published
        )
    }
}
