import Control
import Model
import Platform
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)), .inSimulatedTime) struct ExitLifeTests {
    @Test func `an exit that is asked for comes up, is proved and is plugged in`() async throws {
        try await withController { world, running in
            let asked = try #require(try await running.controller.execute(.addExit(ExitRequest(country: us))))
            #expect(asked.id == id(1) && asked.state == .pending)
            try await running.serves(1)
            let exit = try #require(running.exit(1))
            #expect(exit.proof.address == "198.18.1.1" && exit.proof.country == us && exit.generation == 1)
            #expect(world.readyEndpoints == [exit.endpoint])
            let specification = try #require(world.launches.first)
            #expect(specification.privateKey.revealed == "the key" && specification.checkName == "check.test")
            try await eventually("the store knows that it serves") { world.stored.exits[id(1)]?.state == .serving }
        }
    }

    @Test func `an exit shows as verifying until the gateway has it`() async throws {
        try await withController { world, running in
            world.go(away: .gateway)
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await eventually("it is verified") { running.exit(1)?.proof.address != nil && running.exit(1)?.state == .verifying }
            #expect(running.controller.snapshot.problems[.gateway] == "nobody answers")
            world.come(back: .gateway)
            try await running.serves(1)
            #expect(running.controller.snapshot.problems.isEmpty)
        }
    }

    @Test func `an engine that is away at the start is waited for`() async throws {
        let world = FakeWorld(servers: [server(1)])
        world.go(away: .engine)
        let running = Running(on: world)
        try await running.controller.execute(.addExit(ExitRequest(country: us)))
        try await eventually("the engine's absence is told") { running.controller.snapshot.problems[.engine] != nil }
        #expect(world.launches.isEmpty && running.exit(1)?.state == .pending)
        world.come(back: .engine)
        try await running.serves(1)
        #expect(running.controller.snapshot.problems.isEmpty)
        await running.stop()
    }

    @Test func `an engine that goes away later takes no exit with it`() async throws {
        try await withController { world, running in
            try await running.controller.execute(.setPool(Pool(country: us, size: 2)))
            try await running.serves(2)
            world.go(away: .engine)
            try await eventually("the engine's absence is told") { running.controller.snapshot.problems[.engine] != nil }
            let before = running.exits.mapValues(\.container)
            try await eventually("some passes are over") { running.lifeline.calls > 60 }
            #expect(running.exits.mapValues(\.container) == before && world.readyEndpoints.count == 2)
            world.come(back: .engine)
            try await eventually("the engine is back") { running.controller.snapshot.problems.isEmpty }
            #expect(world.launches.count == 2)
        }
    }

    @Test func `a launch that fails is told, and tried again after a pause`() async throws {
        try await withController { world, running in
            world.with { $0.launchFailures = [ExitFailure(reason: .imageMissing, detail: "no image")] }
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await eventually("the reason is told") { running.exit(1)?.reason == .imageMissing }
            #expect(running.exit(1)?.detail == "no image" && running.exit(1)?.attempts == 1)
            try await running.serves(1)
            // The image's absence says nothing about the server.
            #expect(running.exit(1)?.server?.hostname == "us1" && running.exit(1)?.attempts == 1)
        }
    }

    @Test(arguments: [0, 67, 137, 143])
    func `a container that is ended from outside is replaced, and nothing is held against its server`(code: Int) async throws {
        try await withController { world, running in
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            let first = try #require(running.exit(1)?.container)
            world.end(first, exitCode: code)
            try await eventually("another one serves") { running.exit(1)?.generation == 2 && running.exit(1)?.state == .serving }
            #expect(running.exit(1)?.server?.hostname == "us1" && running.controller.snapshot.breakers.isEmpty)
            try await eventually("the old one is removed") { world.with { $0.containers.keys.sorted() } == ["us-1-g2"] }
        }
    }

    @Test func `a quiet world is reconciled now and then, not without a pause`() async throws {
        try await withController { world, running in
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            let before = world.with { $0.lists }
            try await world.time.sleep(seconds: 1)
            let passes = world.with { $0.lists } - before
            #expect((1...30).contains(passes), "every 0.1 s it is due")
        }
    }

    @Test func `a container that somebody removes is made again`() async throws {
        try await withController { world, running in
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            world.with { $0.containers = [:] }
            world.tellListeners()
            try await eventually("another one serves") { running.exit(1)?.generation == 2 && running.exit(1)?.state == .serving }
        }
    }

    @Test func `a server through which nothing comes is left for another`() async throws {
        try await withController { world, running in
            world.with { $0.deadServers = ["us1"] }
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            #expect(running.exit(1)?.server?.hostname == "us2" && running.exit(1)?.avoid.map(\.hostname) == ["us1"])
            #expect(world.launches.map(\.server.hostname) == ["us1", "us2"])
        }
    }

    @Test func `while the machine has lost the internet nothing is moved, and afterwards all serves on`() async throws {
        try await withController { world, running in
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            world.with {
                $0.deadServers = Set($0.servers.map(\.hostname))
                $0.away = [.internet]
            }
            try await eventually("it is told") { running.controller.snapshot.problems[.host] != nil }
            #expect(running.exit(1)?.generation == 1 && world.readyEndpoints.count == 1)
            world.with {
                $0.deadServers = []
                $0.away = []
            }
            try await eventually("it is well again") { running.exit(1)?.state == .serving && running.controller.snapshot.problems.isEmpty }
            #expect(running.exit(1)?.generation == 1 && world.launches.count == 1)
        }
    }

    @Test func `of several exits not even the first to fail is moved while the machine is offline`() async throws {
        try await withController { world, running in
            for _ in 0..<3 { try await running.controller.execute(.addExit(ExitRequest(country: us))) }
            try await running.serves(3)
            world.with {
                $0.deadServers = Set($0.servers.map(\.hostname))
                $0.away = [.internet]
            }
            try await eventually("all are found dead") { (1...3).allSatisfy { running.exit($0)?.health.verdict == .dead } }
            #expect(world.launches.count == 3 && world.readyEndpoints.count == 3)
        }
    }

    @Test func `a server that the internet sees elsewhere is left for another`() async throws {
        try await withController { world, running in
            world.with { $0.misplaced = ["us1": de] }
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await eventually("the reason is told") { running.exit(1)?.reason == .wrongCountry }
            #expect(running.exit(1)?.detail == "address services see it in DE")
            try await running.serves(1)
            #expect(running.exit(1)?.server?.hostname == "us2")
        }
    }

    @Test func `where the country need not match, an exit that the internet sees elsewhere serves, and shows where`() async throws {
        try await withController(tune: { $0.countryMustMatch = false }) { world, running in
            world.with { state in
                state.misplaced = ["us1": de]
                state.faults = ["us1": .wrongCountry]
            }
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            let deep = world.with { $0.deepProbes }
            try await eventually("it is examined again and again", within: 20) { world.with { $0.deepProbes } >= deep + 4 }
            let exit = try #require(running.exit(1))
            #expect(exit.state == .serving && exit.health.verdict == .healthy && exit.generation == 1)
            #expect(exit.proof.country == de && exit.server?.hostname == "us1")
        }
    }

    @Test func `an exit whose probes fail is replaced, though its container runs`() async throws {
        try await withController { world, running in
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            world.with { $0.deadServers = ["us1"] }
            try await eventually("another server serves") {
                running.exit(1)?.server?.hostname == "us2" && running.exit(1)?.state == .serving
            }
            try await eventually("the old one is removed") { world.runningContainers.count == 1 }
            try await eventually("it is told") {
                world.with { $0.events.contains { $0.kind == .failover && $0.reason == .blackhole && $0.server == "us1" } }
            }
        }
    }

    @Test func `a container that ends while it is proved isn't waited for until the deadline`() async throws {
        try await withController(verifySeconds: 30) { world, running in
            world.go(away: .prober)
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await eventually("it is being proved") { running.exit(1)?.state == .verifying }
            world.end("us-1-g1", exitCode: 65)
            try await eventually("the entry point's status is told", within: 5) { running.exit(1)?.reason == .handshakeTimeout }
            world.come(back: .prober)
            try await running.serves(1)
            #expect(running.exit(1)?.server?.hostname == "us2")
        }
    }

    @Test func `what is seen late says nothing about an exit that came meanwhile`() async throws {
        try await withController { world, running in
            // A pass begins while the launch is under way; its list arrives when the exit serves, and doesn't have it.
            world.with { state in
                state.listMilliseconds = 300
                state.launchMilliseconds = 150
            }
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            let calls = running.lifeline.calls
            try await eventually("it has made more passes") { running.lifeline.calls > calls + 60 }
            #expect(running.exit(1)?.generation == 1 && running.exit(1)?.state == .serving && world.launches.count == 1)
        }
    }
}
