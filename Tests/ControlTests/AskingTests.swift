import Control
import Model
import Planning
import Platform
import TestSupport
import Testing

/// Servers are asked for a handshake before a container is spent on one of them; and what silence says about the key.
@Suite(.timeLimit(.minutes(1)), .inSimulatedTime) struct AskingTests {
    private let key = BreakerKey.credential(.nordvpn)

    @Test func `servers that don't answer a handshake get no container`() async throws {
        try await withController(asksServers: true) { world, running in
            world.with { $0.deadServers = ["us1", "us2", "us3"] }
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            #expect(world.launches.map(\.server.hostname) == ["us4"] && running.exit(1)?.attempts == 0)
            #expect(running.controller.snapshot.breakers.isEmpty)
        }
    }

    @Test func `no server that an exit holds is asked`() async throws {
        try await withController(servers: (1...30).map { server($0) }, asksServers: true) { world, running in
            try await running.controller.execute(.setPool(Pool(country: us, size: 2)))
            try await running.serves(2)
            let held = Set(running.exits.values.compactMap(\.server?.hostname))
            world.with { $0.asked = [] }
            try await running.controller.execute(.setPool(Pool(country: us, size: 10)))
            try await running.serves(10)
            let asked = world.with { Set($0.asked.flatMap { $0 }) }
            #expect(!asked.isEmpty && asked.isDisjoint(with: held))
        }
    }

    @Test func `files that are silent say nothing about the keys of others`() async throws {
        let files = (1...8).map { number in
            var file = server(number)
            (file.provider, file.account) = (.wireguard, "key-\(number)")
            return file
        }
        try await withController(servers: files, asksServers: true) { world, running in
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            world.with { $0.deadServers = Set(files.map(\.hostname)) }
            try await eventually("they are asked, and asked again", within: 20) { world.with { $0.asked.count } > 4 }
            #expect(running.controller.snapshot.breakers[key] == nil)
            world.with { $0.deadServers = [] }
            try await running.serves(1)
        }
    }

    @Test func `where handshakes of this machine don't arrive, exits find that out and servers are not asked again`() async throws {
        try await withController(asksServers: true) { world, running in
            world.with { $0.handshakesArrive = false }
            try await running.controller.execute(.setPool(Pool(country: us, size: 1)))
            try await running.serves(1)
            let asked = world.with { $0.asked.count }
            #expect(asked == 1)
            try await running.controller.execute(.setPool(Pool(country: us, size: 3)))
            try await running.serves(3)
            #expect(world.with { $0.asked.count } == asked && Set(world.launches.map(\.server.hostname)) == ["us1", "us2", "us3"])
        }
    }

    @Test func `a pool of which no server answers says so, spends no containers, and serves as soon as one does`() async throws {
        try await withController(asksServers: true) { world, running in
            try await running.controller.execute(.addExit(ExitRequest(country: de)))
            try await running.serves(1)
            world.with { state in
                state.unreachable = Set(state.servers.map(\.hostname).filter { $0.hasPrefix("us") })
            }
            try await running.controller.execute(.setPool(Pool(country: us, size: 2)))
            try await eventually("it says so") {
                let detail = running.exit(1)?.detail
                return detail?.hasPrefix("none of the 6 tried servers of US answers a handshake, while 1 of the account nordvpn") == true
            }
            try await eventually("they are asked again", within: 20) { world.with { $0.asked.count } > 3 }
            #expect(world.launches.count == 1 && running.exit(1)?.reason == .handshakeTimeout)
            #expect(running.controller.snapshot.breakers.isEmpty, "servers that are away say nothing about the key")
            world.with { $0.unreachable = [] }
            try await running.serves(3, within: 4)
        }
    }

    @Test func `a key is at fault where servers that can be reached refuse it, and good again as soon as one takes it`() async throws {
        try await withController(asksServers: true) { world, running in
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            world.with { state in state.refusing = Set(state.servers.map(\.hostname)) }
            world.end("us-1-g1", exitCode: 137)
            try await eventually("the key is at fault", within: 20) { running.controller.snapshot.breakers[key] != nil }
            try await eventually("the exit says so") { running.exit(1)?.reason == .credentialsRejected }
            world.with { $0.refusing = [] }
            try await running.serves(1, within: 8)
            #expect(running.controller.snapshot.breakers[key] == nil)
        }
    }

    @Test func `exits that fail because no server can be reached don't make the key a bad one`() async throws {
        // Without a word from any server before: the containers are begun, and end with 65.
        try await withController(asksServers: true) { world, running in
            world.with { state in state.unreachable = Set(state.servers.map(\.hostname)) }
            try await running.controller.execute(.setPool(Pool(country: us, size: 2)))
            try await running.controller.execute(.setPool(Pool(country: de, size: 2)))
            try await eventually("some have failed", within: 20) {
                for container in world.runningContainers { world.end(container.name, exitCode: 65) }
                return world.launches.count > 5
            }
            #expect(running.controller.snapshot.breakers[key] == nil)
            world.with { $0.unreachable = [] }
            try await running.serves(4, within: 15)
        }
    }

    @Test func `an engine that restarts and has ended all containers costs moments, and nobody is blamed`() async throws {
        try await withController(asksServers: true) { world, running in
            try await running.controller.execute(.setPool(Pool(country: us, size: 3)))
            try await running.controller.execute(.setPool(Pool(country: de, size: 2)))
            try await running.serves(5)
            world.go(away: .engine)
            try await eventually("the engine's absence is told") { running.controller.snapshot.problems[.engine] != nil }
            world.with { state in
                for name in state.containers.keys {
                    state.containers[name]?.isRunning = false
                    state.containers[name]?.exitCode = name.hasPrefix("us") ? 0 : 137
                }
                // Its first answers are not its best.
                state.launchFailures = (0..<8).map { _ in ExitFailure(reason: .engineUnavailable, detail: "not yet") }
            }
            try await eventually("all exits are found dead") { running.exits.values.allSatisfy { $0.health.verdict == .dead } }
            world.come(back: .engine)
            try await running.serves(5, within: 10)
            #expect(running.controller.snapshot.breakers.isEmpty && running.exits.values.allSatisfy(\.avoid.isEmpty))
        }
    }

    @Test func `after the loss of an exit the servers of its pool have been asked by the time that it is given up`() async throws {
        try await withController(asksServers: true, tune: { $0.passSeconds = 5 }) { world, running in
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            // Until what they have answered is too old to count.
            try await world.time.sleep(seconds: 3.2)
            world.with { state in
                state.deadServers = ["us1", "us2", "us3"]
                state.asked = []
            }
            try await eventually("another server serves", within: 10) {
                running.exit(1)?.state == .serving && running.exit(1)?.generation == 2
            }
            #expect(running.exit(1)?.server?.hostname == "us4" && world.launches.count == 2)
        }
    }
}
