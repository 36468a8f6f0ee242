import Control
import Model
import Planning
import Platform
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2)), .inSimulatedTime) struct RestartTests {
    @Test func `a new controller adopts what runs, and launches and removes nothing`() async throws {
        let world = FakeWorld(servers: (1...4).map { server($0) })
        let first = Running(on: world)
        try await first.controller.execute(.setPool(Pool(country: us, size: 3)))
        try await first.serves(3)
        try await eventually("all is saved") { world.stored.exits.values.count { $0.state == .serving } == 3 }
        await first.kill()
        let containers = world.runningContainers.map(\.name).sorted()

        let second = Running(on: world)
        try await second.serves(3)
        try await eventually("it has made many passes") { second.lifeline.calls > 60 }
        #expect(world.launches.count == 3 && world.with { $0.removals }.isEmpty)
        #expect(world.runningContainers.map(\.name).sorted() == containers)
        #expect(world.readyEndpoints.count == 3)
        await second.stop()
    }

    @Test func `an exit that was saved as serving and never plugged in is not shown to serve after a restart`() async throws {
        let world = FakeWorld(servers: (1...4).map { server($0) })
        let first = Running(on: world, verifySeconds: 20)
        world.with { _ = $0.away.insert(.prober) }
        try await first.controller.execute(.setPool(Pool(country: us, size: 1)))
        try await eventually("it is to prove its tunnel, and the gateway has its pool") {
            first.exit(1)?.state == .verifying && world.with { $0.published?.pools.isEmpty } == false
        }
        world.with { state in
            state.gatewayHangs = true
            state.away.remove(.prober)
        }
        try await eventually("it is saved") { world.stored.exits.values.contains { $0.state == .serving } }
        #expect(world.readyEndpoints.isEmpty)
        await first.kill()

        let second = Running(on: world)
        try await eventually("it has found the exit") { second.exit(1) != nil }
        #expect(second.exit(1)?.state == .verifying)
        world.with { $0.gatewayHangs = false }
        try await second.serves(1)
        #expect(world.readyEndpoints.count == 1)
        await second.stop()
    }

    @Test func `what died while no controller ran is replaced by the next one`() async throws {
        let world = FakeWorld(servers: (1...4).map { server($0) })
        let first = Running(on: world)
        try await first.controller.execute(.setPool(Pool(country: us, size: 2)))
        try await first.serves(2)
        try await eventually("all is saved") { world.stored.exits.values.count { $0.state == .serving } == 2 }
        await first.kill()
        world.end("us-1-g1", exitCode: 1)

        let second = Running(on: world)
        try await eventually("it is replaced") { second.exit(1)?.generation == 2 }
        try await second.serves(2)
        #expect(world.launches.count == 3)
        await second.stop()
    }

    @Test func `what an older version has held against servers whose containers were killed is forgotten`() async throws {
        let world = FakeWorld(servers: (1...2).map { server($0) })
        var (killed, silent) = (Breaker(), Breaker())
        killed.fail("container_exited", world.time.now(), Breaker.ofServers)
        silent.fail("blackhole", world.time.now(), Breaker.ofServers)
        let stored = [BreakerKey.server("us1"): killed, BreakerKey.server("us2"): silent]
        world.with { $0.stored.breakers = stored }
        let running = Running(on: world)
        try await running.controller.execute(.addExit(ExitRequest(country: us)))
        try await running.serves(1)
        #expect(running.exit(1)?.server?.hostname == "us1")
        try await eventually("the store forgets it too") { world.stored.breakers.keys.sorted() == [BreakerKey.server("us2")] }
        await running.stop()
    }

    @Test func `containers that no exit claims are removed, also those with labels that can't be read`() async throws {
        let world = FakeWorld(servers: [server(1)])
        world.with { state in
            for (name, exit) in [("us-7-g1", id(7)), ("odd", nil)] as [(String, ExitID?)] {
                state.containers[name] = ExitContainer(name: name, exit: exit, generation: 1, isRunning: true, endpoint: nil, exitCode: nil)
            }
        }
        let running = Running(on: world)
        try await eventually("they are removed") { world.runningContainers.isEmpty }
        #expect(world.with { $0.removals.sorted() } == ["odd", "us-7-g1"])
        await running.stop()
    }

    /// Whatever the moment of a controller's death, the next one ends with exactly the exits that are wanted.
    @Test(arguments: 1...40)
    func `a controller killed after any of its calls leaves nothing that the next one can't settle`(calls: Int) async throws {
        let world = FakeWorld(servers: (1...5).map { server($0) })
        world.with { $0.stored.pools[us] = Pool(country: us, size: 2) }
        let first = Running(on: world, calls: calls)
        try await eventually("it is dead") { first.lifeline.isCut }
        await first.kill()

        let second = Running(on: world)
        try await second.serves(2)
        try await eventually("nothing else is left") {
            world.runningContainers.count == 2 && Set(world.readyEndpoints) == Set(second.exits.values.compactMap(\.endpoint))
        }
        #expect(Set(second.exits.values.compactMap(\.server?.hostname)).count == 2)
        try await eventually("all is saved") { isSaved(second, in: world) }
        await second.stop()
    }

    /// The same in the middle of a failover: one exit is dead, one is asked to go.
    @Test(arguments: 1...40)
    func `a controller killed in the middle of a failover loses no exit and leaves none behind`(calls: Int) async throws {
        let world = FakeWorld(servers: (1...6).map { server($0) })
        let zero = Running(on: world)
        try await zero.controller.execute(.setPool(Pool(country: us, size: 2)))
        try await zero.serves(2)
        try await zero.controller.execute(.rotateExit(id(2)))
        await zero.kill()
        world.with { $0.deadServers = ["us1"] }

        let first = Running(on: world, calls: calls)
        try await eventually("it is dead") { first.lifeline.isCut }
        await first.kill()

        let second = Running(on: world)
        try await eventually("the dead and the rotated are replaced: \(second.exits)") {
            second.exits.keys.sorted() == [id(1), id(3)]
                && second.exits.values.allSatisfy { $0.state == .serving && $0.server?.hostname != "us1" }
        }
        try await eventually("nothing else is left") {
            world.runningContainers.count == 2 && Set(world.readyEndpoints) == Set(second.exits.values.compactMap(\.endpoint))
        }
        await second.stop()
    }

    private func isSaved(_ running: Running, in world: FakeWorld) -> Bool {
        world.stored.exits.mapValues { [$0.state.rawValue, "\($0.generation)", $0.container] }
            == running.exits.mapValues { [$0.state.rawValue, "\($0.generation)", $0.container] }
    }
}
