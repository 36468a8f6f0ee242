import Control
import Model
import Planning
import Platform
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)), .inSimulatedTime) struct OperationTests {
    private func isDone(_ body: () async throws -> Void) async -> Bool { (try? await body()) != nil }

    private func code(_ body: () async throws -> Void) async throws -> OperationError.Code {
        try await #require(throws: OperationError.self) { try await body() }.code
    }

    @Test func `each exit that is asked for makes its pool one larger`() async throws {
        try await withController { world, running in
            for number in 1...3 { #expect(try await running.controller.execute(.addExit(ExitRequest(country: us)))?.id == id(number)) }
            #expect(world.stored.pools[us]?.size == 3)
            try await running.serves(3)
            #expect(Set(running.exits.values.compactMap(\.server?.hostname)) == ["us1", "us2", "us3"])
        }
    }

    @Test func `exits that are asked for at the same moment are all there in the end`() async throws {
        try await withController { world, running in
            world.with { $0.storeMilliseconds = 20 }
            let asked = try await withThrowingTaskGroup(of: ExitID?.self) { group in
                for _ in 0..<4 { group.addTask { try await running.controller.execute(.addExit(ExitRequest(country: us)))?.id } }
                return try await group.reduce(into: Set<ExitID?>()) { $0.insert($1) }
            }
            #expect(asked == Set((1...4).map { id($0) }))
            #expect(world.stored.pools[us]?.size == 4)
            try await running.serves(4)
        }
    }

    @Test func `an exit that two ask to remove is removed once`() async throws {
        try await withController { world, running in
            try await running.controller.execute(.setPool(Pool(country: us, size: 3)))
            try await running.serves(3)
            world.with { $0.storeMilliseconds = 20 }
            async let first = running.controller.execute(.removeExit(id(2)))
            async let second = running.controller.execute(.removeExit(id(2)))
            _ = try await (first, second)
            #expect(world.stored.pools[us]?.size == 2)
            try await eventually("it is gone") { running.exits.keys.sorted() == [id(1), id(3)] }
        }
    }

    @Test func `a name is given to one user, though two ask for it at once`() async throws {
        try await withController { world, running in
            world.with { $0.storeMilliseconds = 20 }
            let results = await withTaskGroup(of: Bool.self) { group in
                for digest in ["11", "22", "33"] {
                    let user = ProxyUser(name: "alice", salt: "00", digest: digest, createdAt: Timestamp(milliseconds: 0))
                    group.addTask { await isDone { try await running.controller.execute(.addUser(user)) } }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(results.count { $0 } == 1)
            #expect(world.stored.users == running.controller.snapshot.desired.users)
        }
    }

    @Test func `the exit that is named is the one that goes, and its pool shrinks`() async throws {
        try await withController { world, running in
            try await running.controller.execute(.setPool(Pool(country: us, size: 3)))
            try await running.serves(3)
            let leaving = try #require(try await running.controller.execute(.removeExit(id(2))))
            #expect(leaving.leaving && leaving.reason == .unwanted)
            try await eventually("it is gone") { running.exits.keys.sorted() == [id(1), id(3)] }
            #expect(world.stored.pools[us]?.size == 2 && world.launches.count == 3)
            try await eventually("its container too") { world.runningContainers.count == 2 }
            try await eventually("the store has forgotten it") { world.stored.exits[id(2)] == nil }
        }
    }

    @Test func `the exit that is named goes also when the controller dies behind its answer`() async throws {
        let world = FakeWorld(servers: (1...5).map { server($0) })
        let first = Running(on: world)
        try await first.controller.execute(.setPool(Pool(country: us, size: 2)))
        try await first.serves(2)
        try await eventually("all is saved") { world.stored.exits.values.count { $0.state == .serving } == 2 }
        // Meanwhile its health changes, and is saved between the two things that are saved for its leaving.
        world.with { $0.storeMilliseconds = 100 }
        async let leaving = first.controller.execute(.removeExit(id(1)))
        try await world.time.sleep(seconds: 0.03)
        world.with { $0.deadServers = ["us1"] }
        #expect(try await leaving?.leaving == true)
        await first.kill()
        world.with { state in
            state.storeMilliseconds = 0
            state.deadServers = []
        }
        let second = Running(on: world)
        try await eventually("the other one stays") { second.exits.keys.sorted() == [id(2)] && second.exit(2)?.state == .serving }
        await second.stop()
    }

    @Test func `a pool ends with its last exit`() async throws {
        try await withController { world, running in
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            try await running.controller.execute(.removeExit(id(1)))
            try await eventually("all is gone") {
                running.exits.isEmpty && world.stored.pools.isEmpty && world.runningContainers.isEmpty && world.stored.exits.isEmpty
            }
        }
    }

    @Test func `a rotated exit leaves only when another one serves in its place`() async throws {
        try await withController { world, running in
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            world.with { $0.launchFailures = [ExitFailure(reason: .startFailed, detail: "not yet")] }
            try await running.controller.execute(.rotateExit(id(1)))
            try await eventually("the new one has failed once") { running.exit(2)?.attempts == 1 }
            #expect(running.exit(1)?.state == .serving && world.readyEndpoints == [running.exit(1)?.endpoint])
            try await eventually("the new one serves alone") {
                running.exits.keys.sorted() == [id(2)] && running.exit(2)?.state == .serving
            }
            #expect(running.exit(2)?.server?.hostname == "us2")
        }
    }

    @Test func `an exit that drains keeps its connections until the deadline, and no longer`() async throws {
        try await withController(drainSeconds: 1.5) { world, running in
            try await running.controller.execute(.setPool(Pool(country: us, size: 2)))
            try await running.serves(2)
            world.with { $0.sessions = 3 }
            let asked = world.time.instant
            try await running.controller.execute(.removeExit(id(1)))
            try await eventually("it is gone") { running.exit(1) == nil }
            #expect(world.time.instant - asked >= .milliseconds(1490))
            // Without connections there is nothing to wait for.
            try await running.controller.execute(.setPool(Pool(country: us, size: 2)))
            try await running.serves(2)
            world.with { $0.sessions = 0 }
            try await running.controller.execute(.removeExit(id(1)))
            try await eventually("it is gone", within: 1.2) { running.exit(1) == nil }
        }
    }

    @Test func `what can't be done is refused with its reason`() async throws {
        try await withController { world, running in
            let controller = running.controller
            #expect(try await code { try await controller.execute(.removeExit(id(9))) } == .notFound)
            #expect(try await code { try await controller.execute(.rotateExit(id(9))) } == .notFound)
            #expect(try await code { _ = try await controller.logs(of: id(9), lines: 1) } == .notFound)
            #expect(try await code { try await controller.execute(.removePool(de)) } == .notFound)
            #expect(try await code { try await controller.execute(.removeUser("nobody")) } == .notFound)
            let nowhere = try #require(CountryCode("aq"))
            #expect(try await code { try await controller.execute(.addExit(ExitRequest(country: nowhere))) } == .noServer)
            let unknown = Pool(country: us, size: 1, provider: ProviderName(rawValue: "other"))
            #expect(try await code { try await controller.execute(.setPool(unknown)) } == .unknownProvider)
            try await controller.execute(.setPool(Pool(country: us, size: Pool.sizeLimit)))
            #expect(try await code { try await controller.execute(.addExit(ExitRequest(country: us))) } == .poolFull)
            world.go(away: .catalog)
            #expect(try await code { try await controller.execute(.setPool(Pool(country: de, size: 1))) } == .catalogUnavailable)
            #expect(controller.snapshot.desired.pools.keys.sorted() == [us])
        }
    }

    @Test func `what the account can't carry is refused, and nothing of it begins`() async throws {
        try await withController(devices: DeviceBudget([.nordvpn: 3])) { world, running in
            let controller = running.controller
            try await controller.execute(.setPool(Pool(country: us, size: 2)))
            try await controller.execute(.setPool(Pool(country: de, size: 1)))
            try await running.serves(3)
            #expect(try await code { try await controller.execute(.addExit(ExitRequest(country: us))) } == .deviceLimit)
            #expect(try await code { try await controller.execute(.setPool(Pool(country: de, size: 1, standby: 1))) } == .deviceLimit)
            // What makes nothing worse is let through.
            try await controller.execute(.setPool(Pool(country: us, size: 2, strategy: .load)))
            #expect(controller.snapshot.exits.count == 3 && world.runningContainers.count == 3)
            // Without a tunnel to spare, an exit that is to be moved stays; once another one is gone, it can be.
            try await controller.execute(.rotateExit(id(1)))
            try await eventually("it stays") { running.exit(1)?.leaving == false }
            try await controller.execute(.removePool(de))
            try await eventually("that one is gone") { running.exit(1, de) == nil }
            try await controller.execute(.rotateExit(id(1)))
            try await eventually("another one serves in its place") { running.exit(1) == nil && running.exits.count == 2 }
            try await running.serves(2)
        }
    }

    @Test func `a refused pool changes nothing about the servers of the present one`() async throws {
        try await withController(servers: [server(1), server(2, city: "B")]) { world, running in
            try await running.controller.execute(.setPool(Pool(country: us, size: 1, city: "A")))
            try await running.serves(1)
            world.go(away: .store)
            #expect(
                try await code { try await running.controller.execute(.setPool(Pool(country: us, size: 1, city: "B"))) }
                    == .storeUnavailable)
            world.come(back: .store)
            world.end("us-1-g1", exitCode: 1)
            try await eventually("it is replaced") { running.exit(1)?.generation == 2 }
            try await running.serves(1)
            #expect(running.exit(1)?.server?.city == "A")
        }
    }

    @Test func `waiting ends when the exit serves, or at its deadline`() async throws {
        try await withController { world, running in
            world.go(away: .prober)
            let exit = try #require(try await running.controller.execute(.addExit(ExitRequest(country: us))))
            let view = running.controller.publicView
            let early = await view.wait(seconds: 0.05) { $0.exits[exit.id]?.state == .serving }
            #expect(early.exits[exit.id]?.state != .serving)
            async let late = view.wait(seconds: 20) { $0.exits[exit.id]?.state == .serving }
            world.come(back: .prober)
            #expect(await late.exits[exit.id]?.state == .serving)
        }
    }

    @Test func `many changes of users at once are published together, and each is answered when the gateway has it`() async throws {
        // A busy machine may need longer than users are kept waiting.
        try await withController(tune: { $0.usersSeconds = 30 }) { world, running in
            try await eventually("the gateway is up") { world.with { $0.published != nil } }
            try await running.controller.execute(.addUser(Self.user("old")))
            world.with { $0.publishMilliseconds = 150 }
            let before = world.with { $0.acts.count { $0.act == "publish" } }
            let answers = await withTaskGroup(of: (has: Bool, isRefused: Bool).self) { group in
                for number in 1...20 {
                    group.addTask {
                        _ = try? await running.controller.execute(.addUser(Self.user("u\(number)")))
                        return (world.with { $0.published?.users.contains { $0.name == "u\(number)" } ?? false }, false)
                    }
                }
                group.addTask {
                    do { try await running.controller.execute(.addUser(Self.user("old"))) } catch { return (true, true) }
                    return (true, false)
                }
                group.addTask {
                    _ = try? await running.controller.execute(.removeUser("old"))
                    return (world.with { $0.published?.users.allSatisfy { $0.name != "old" } ?? false }, false)
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.allSatisfy(\.has) && answers.count(where: \.isRefused) <= 1, "\(answers)")
            #expect(world.with { $0.acts.count { $0.act == "publish" } } - before <= 6)
            #expect(Set(world.stored.users) == Set(running.controller.snapshot.desired.users))
        }
    }

    @Test func `a change of users is answered though the gateway is away, and reaches it when it is back`() async throws {
        try await withController(tune: { $0.usersSecondsIfAway = 0.3 }) { world, running in
            try await eventually("the gateway is up") { world.with { $0.published != nil } }
            world.go(away: .gateway)
            try await running.controller.execute(.addUser(Self.user("alice")))
            #expect(world.stored.users.map(\.name) == ["alice"])
            world.come(back: .gateway)
            try await eventually("it has it") { world.with { $0.published?.users.map(\.name) == ["alice"] } }
        }
    }

    private static func user(_ name: String) -> ProxyUser {
        ProxyUser(name: name, salt: "00", digest: "11", createdAt: Timestamp(milliseconds: 0))
    }

    private func openUser(_ name: String, _ networks: String...) -> ProxyUser {
        var user = ProxyUser(name: name, salt: "00", digest: "11", createdAt: Timestamp(milliseconds: 0))
        (user.addresses, user.addressRule) = (networks, .insteadOfPassword)
        return user
    }

    /// Each half is harmless by itself.
    @Test func `users whose networks are too much together are not all taken, also at once`() async throws {
        try await withController { world, running in
            let halves = [openUser("alice", "8.0.0.0/9"), openUser("bob", "8.128.0.0/9", "9.0.0.0/30"), openUser("carol", "9.0.1.0/24")]
            let taken = await withTaskGroup(of: Bool.self) { group in
                for user in halves { group.addTask { await isDone { try await running.controller.execute(.addUser(user)) } } }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            let users = world.stored.users
            #expect(taken < 3 && users.count == taken && NetworkUnion(users.flatMap(\.openNetworks)).excess == nil)
            var secured = openUser("dave", "0.0.0.0/1", "128.0.0.0/1")
            secured.addressRule = .withPassword
            try await running.controller.execute(.addUser(secured))
            secured.addressRule = .insteadOfPassword
            let opened = secured
            #expect(try await code { try await running.controller.execute(.changeUser(opened)) } == .networksTooWide)
        }
    }

    @Test func `a user is in the gateway when adding is answered`() async throws {
        try await withController { world, running in
            let alice = ProxyUser(name: "alice", salt: "00", digest: "11", createdAt: Timestamp(milliseconds: 0))
            try await eventually("the gateway is up") { world.with { $0.published != nil } }
            try await running.controller.execute(.addUser(alice))
            #expect(world.with { $0.published?.users } == [alice] && world.stored.users == [alice])
            #expect(try await code { try await running.controller.execute(.addUser(alice)) } == .exists)
            try await running.controller.execute(.removeUser("alice"))
            #expect(world.with { $0.published?.users } == [] && world.stored.users.isEmpty)
        }
    }
}
