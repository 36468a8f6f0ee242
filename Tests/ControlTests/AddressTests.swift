import Control
import Model
import Planning
import TestSupport
import Testing

/// Exits get addresses that nothing leads to any more, whoever leads and whatever can be seen.
@Suite(.timeLimit(.minutes(2)), .inSimulatedTime) struct AddressTests {
    private func addresses(_ world: FakeWorld) -> [String] { world.launches.compactMap(\.address) }

    @Test func `while the gateway can't be changed no address is given twice, and afterwards they are again`() async throws {
        try await withController { world, running in
            world.with { $0.network = IPv4Network(IPv4Address(0xAC1F_0000), prefix: 28) }
            try await running.controller.execute(.setPool(Pool(country: us, size: 1)))
            try await running.serves(1)
            world.go(away: .gateway)
            for generation in 1...4 {
                world.end("us-1-g\(generation)", exitCode: 1)
                try await eventually("it is made anew") { world.launches.count == generation + 1 }
                try await eventually("its container runs") { world.runningContainers.contains { $0.name == "us-1-g\(generation + 1)" } }
            }
            #expect(Set(addresses(world)).count == 5)
            world.come(back: .gateway)
            try await running.serves(1)
            try await eventually("only its own address is held") {
                world.stored.addresses.keys.map(\.description) == [addresses(world).last]
            }
        }
    }

    @Test func `where all addresses are held an exit waits and says so, and starts when the gateway is seen without them`() async throws {
        try await withController { world, running in
            // Two addresses, as the first and the last are nobody's here too.
            world.with { state in
                state.network = IPv4Network(IPv4Address(0xAC1F_0000), prefix: 31)
                state.gatewayHides = true
            }
            try await running.controller.execute(.setPool(Pool(country: us, size: 1)))
            try await running.serves(1)
            world.end("us-1-g1", exitCode: 1)
            try await eventually("the second address is used") { world.runningContainers.contains { $0.name == "us-1-g2" } }
            try await running.serves(1)
            world.end("us-1-g2", exitCode: 1)
            try await eventually("it waits") { running.exit(1)?.state == .pending && running.exit(1)?.reason == .noAddress }
            #expect(running.exit(1)?.detail?.contains("172.31.0.0/31") == true)
            #expect(world.launches.count == 2)
            let attempts = running.exit(1)?.attempts
            try await eventually("it goes on waiting, which is no failed try") { (running.exit(1)?.generation ?? 0) > 4 }
            #expect(running.exit(1)?.attempts == attempts && world.launches.count == 2)
            try await eventually("somebody is called") {
                running.controller.snapshot.alerts.contains { $0.subject == .pool(us) && $0.remedy.contains("HAProxy") }
            }
            world.with { $0.gatewayHides = false }
            try await running.serves(1)
            #expect(world.launches.count == 3)
        }
    }

    @Test func `a controller that takes over gives out none of the addresses that the one before held`() async throws {
        let world = FakeWorld(servers: (1...4).map { server($0) })
        world.with { $0.network = IPv4Network(IPv4Address(0xAC1F_0000), prefix: 29) }
        world.with { $0.stored.pools[us] = Pool(country: us, size: 1) }
        let first = Running(on: world)
        try await first.serves(1)
        world.with { $0.gatewayHides = true }
        for generation in 1...3 {
            world.end("us-1-g\(generation)", exitCode: 1)
            try await eventually("it is made anew") { world.runningContainers.contains { $0.name == "us-1-g\(generation + 1)" } }
        }
        try await first.serves(1)
        await first.kill()
        world.end("us-1-g4", exitCode: 1)
        let second = Running(on: world)
        try await eventually("another address") { world.launches.count == 5 }
        #expect(Set(addresses(world)).count == 5)
        await second.stop()
    }

    @Test func `where an earlier version's gateway leads to is held, and where its exits are`() async throws {
        let world = FakeWorld(servers: (1...4).map { server($0) })
        world.with { state in
            state.network = IPv4Network(IPv4Address(0xAC1F_0000), prefix: 29)
            state.staleAddresses = (2...6).map { IPv4Address(0xAC1F_0000 + $0) }
            state.stored.pools[us] = Pool(country: us, size: 1)
        }
        let running = Running(on: world)
        try await running.serves(1)
        let given = try #require(addresses(world).first)
        #expect(!(2...6).contains { given == "172.31.0.\($0)" })
        await running.stop()
    }

    @Test func `an address that the engine refuses is not tried again for this exit, and the next one is`() async throws {
        try await withController { world, running in
            world.with { state in
                state.network = IPv4Network(IPv4Address(0xAC1F_0000), prefix: 29)
                state.foreignAddresses = ["172.31.0.0", "172.31.0.1", "172.31.0.2"]
            }
            try await running.controller.execute(.setPool(Pool(country: us, size: 1)))
            try await running.serves(1)
            #expect(running.exit(1)?.endpoint?.address == "172.31.0.3" && running.exit(1)?.generation == 1)
            try await eventually("those are nobody's of ours") { world.stored.addresses.keys.map(\.description) == ["172.31.0.3"] }
        }
    }

    @Test func `an exit whose address answers as another container is lost at once, and its server is not to blame`() async throws {
        try await withController { world, running in
            try await running.controller.execute(.setPool(Pool(country: us, size: 1)))
            try await running.serves(1)
            let endpoint = try #require(running.exit(1)?.endpoint)
            let server = running.exit(1)?.server
            world.with { _ = $0.strangers.insert(endpoint) }
            try await eventually("another container") { (running.exit(1)?.generation ?? 0) > 1 }
            try await running.serves(1)
            #expect(running.exit(1)?.lastFailure?.reason == .wrongProxy && running.exit(1)?.lastFailure?.server == server)
            #expect(running.exit(1)?.avoid.isEmpty == true)
            try await eventually("it is told") { world.with { $0.events }.contains { $0.kind == .failover && $0.reason == .wrongProxy } }
        }
    }

    @Test func `exits of an earlier version are replaced one after the other, each by one that is well`() async throws {
        try await withController(tune: { $0.rules.retirement.pauseSeconds = 0.2 }) { world, running in
            try await running.controller.execute(.setPool(Pool(country: us, size: 2)))
            try await running.serves(2)
            // As the store of an earlier version has them, and the labels of its containers.
            world.with { state in
                for name in state.containers.keys { state.containers[name]?.knowsCredential = false }
            }
            try await eventually("all are of this version", within: 20) {
                world.runningContainers.count == 2 && world.runningContainers.allSatisfy(\.knowsCredential)
            }
            try await running.serves(2)
            #expect(!running.exits.values.contains { !$0.knowsCredential })
        }
    }
}
