import Control
import Model
import Planning
import Platform
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)), .inSimulatedTime) struct StoreAwayTests {
    private func refused(_ body: () async throws -> Void) async throws {
        let error = try await #require(throws: OperationError.self) { try await body() }
        #expect(error.code == .storeUnavailable)
    }

    @Test func `while the store is away every change is refused and nothing changes`() async throws {
        try await withController { world, running in
            let controller = running.controller
            let alice = ProxyUser(name: "alice", salt: "00", digest: "11", createdAt: Timestamp(milliseconds: 0))
            try await controller.execute(.setPool(Pool(country: us, size: 2)))
            try await controller.execute(.addUser(alice))
            try await running.serves(2)
            try await eventually("all is saved") { world.stored.exits.values.count { $0.state == .serving } == 2 }
            world.go(away: .store)
            let before = controller.snapshot
            try await refused { try await controller.execute(.addExit(ExitRequest(country: us))) }
            try await refused { try await controller.execute(.addExit(ExitRequest(country: de))) }
            try await refused { try await controller.execute(.setPool(Pool(country: us, size: 5))) }
            try await refused { try await controller.execute(.removePool(us)) }
            try await refused { try await controller.execute(.removeExit(id(1))) }
            try await refused { try await controller.execute(.rotateExit(id(1))) }
            try await refused {
                try await controller.execute(.addUser(ProxyUser(name: "bob", salt: "00", digest: "11", createdAt: alice.createdAt)))
            }
            try await refused { try await controller.execute(.removeUser("alice")) }
            #expect(controller.snapshot.desired == before.desired)
            #expect(controller.snapshot.exits.mapValues(\.leaving) == before.exits.mapValues(\.leaving))
            #expect(controller.snapshot.problems[.store] == "nobody answers")
        }
    }

    @Test func `while the store is away failover goes on from memory, and the store hears of it later`() async throws {
        try await withController { world, running in
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            try await eventually("it is saved") { world.stored.exits[id(1)]?.state == .serving }
            world.go(away: .store)
            world.end("us-1-g1", exitCode: 67)
            try await eventually("another one serves") { running.exit(1)?.generation == 2 && running.exit(1)?.state == .serving }
            #expect(world.stored.exits[id(1)]?.generation == 1)
            #expect(running.controller.snapshot.problems[.store] != nil)
            world.come(back: .store)
            try await eventually("it is saved") {
                world.stored.exits[id(1)]?.generation == 2 && world.stored.exits[id(1)]?.state == .serving
            }
            try await eventually("the store is well") { running.controller.snapshot.problems.isEmpty }
        }
    }

    @Test func `a controller that can't read the store touches nothing that runs`() async throws {
        let world = FakeWorld(servers: (1...3).map { server($0) })
        let first = Running(on: world)
        try await first.controller.execute(.addExit(ExitRequest(country: us)))
        try await first.serves(1)
        try await eventually("it is saved") { world.stored.exits[id(1)]?.state == .serving }
        await first.kill()
        let before = world.readyEndpoints
        world.go(away: .store)
        let second = Running(on: world)
        try await eventually("the store's absence is told") { second.controller.snapshot.problems[.store] != nil }
        #expect(world.with { $0.removals }.isEmpty && world.runningContainers.count == 1 && world.readyEndpoints == before)
        // Nor does it take commands as if there were nothing.
        let error = try await #require(throws: OperationError.self) {
            try await second.controller.execute(.setPool(Pool(country: us, size: 3)))
        }
        #expect(error.code == .storeUnavailable)
        world.come(back: .store)
        try await second.serves(1)
        #expect(world.launches.count == 1 && world.readyEndpoints == before)
        await second.stop()
    }

    @Test func `a change that comes before the first pass is made to what is stored`() async throws {
        let world = FakeWorld(servers: (1...6).map { server($0) })
        world.with { $0.stored.pools[us] = Pool(country: us, size: 3) }
        let ports = FakePorts(world: world, lifeline: Lifeline())
        let controller = Controller(
            ports: .init(engine: ports, gateway: ports, store: ports, catalog: ports, keys: ports, prober: ports, log: .none),
            settings: .init(checkName: "check.test"))
        try await controller.execute(.addExit(ExitRequest(country: us)))
        #expect(world.stored.pools[us]?.size == 4)
    }
}
