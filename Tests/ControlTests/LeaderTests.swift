import Control
import Model
import Planning
import Platform
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)), .inSimulatedTime) struct LeaderTests {
    private let world = FakeWorld(servers: (1...6).map { server($0) } + (1...3).map { server($0, de) })

    /// Two controllers of one world, the first of which leads.
    private func withTwo(_ body: (_ first: Running, _ second: Running) async throws -> Void) async throws {
        let first = Running(on: world, instance: "one")
        try await eventually("the first leads") { world.with { $0.lease?.claim.instance } == "one" }
        let second = Running(on: world, instance: "two")
        let result: Result<Void, any Error>
        do { result = .success(try await body(first, second)) } catch { result = .failure(error) }
        first.gate.open()
        second.gate.open()
        await first.stop()
        await second.stop()
        try result.get()
    }

    private func acts(of instance: String) -> [String] { world.with { $0.acts.filter { $0.instance == instance }.map(\.act) } }

    @Test func `only the one that leads acts, and the other shows the same`() async throws {
        try await withTwo { first, second in
            try await first.controller.execute(.setPool(Pool(country: us, size: 2)))
            try await first.serves(2)
            try await second.serves(2)
            #expect(second.controller.snapshot.leader == "one" && first.controller.snapshot.leader == nil)
            #expect(second.exits.mapValues(\.server) == first.exits.mapValues(\.server))
            #expect(acts(of: "two").isEmpty && !acts(of: "one").isEmpty)
            #expect(world.with { Set($0.containers.values.map(\.fence)) } == [1])
        }
    }

    @Test func `when the leader dies the other one takes over, and launches nothing that runs`() async throws {
        try await withTwo { first, second in
            try await first.controller.execute(.setPool(Pool(country: us, size: 2)))
            try await first.serves(2)
            try await eventually("it is saved") { world.stored.exits.values.count { $0.state == .serving } == 2 }
            first.gate.close()
            try await eventually("the second leads", within: 30) { world.with { $0.lease?.claim.instance } == "two" }
            world.end("us-1-g1", exitCode: 67)
            try await eventually("it replaces what dies") { second.exit(1)?.generation == 2 && second.exit(1)?.state == .serving }
            #expect(acts(of: "two").filter { $0.hasPrefix("launch") } == ["launch us-1"])
            #expect(world.with { $0.containers["us-1-g2"]?.fence } == 2)
        }
    }

    @Test func `one that was stopped in the middle of its work touches nothing when it wakes up`() async throws {
        try await withTwo { first, second in
            try await first.controller.execute(.setPool(Pool(country: us, size: 2)))
            try await first.serves(2)
            try await eventually("it is saved") { world.stored.exits.values.count { $0.state == .serving } == 2 }
            // What it has begun when it stops: a pass that has found a death.
            world.end("us-1-g1", exitCode: 67)
            first.gate.close()
            try await eventually("the second leads", within: 30) { world.with { $0.lease?.claim.instance } == "two" }
            try await eventually("and heals") { second.exit(1)?.state == .serving && second.exits.count == 2 }
            let before = acts(of: "one")
            world.end("us-2-g1", exitCode: 67)
            first.gate.open()
            try await eventually("the first sees that it is late") { first.controller.snapshot.leader == "two" }
            try await eventually("the second replaces it") { second.exit(2)?.generation == 2 && second.exit(2)?.state == .serving }
            try await eventually("the first shows the same") {
                first.exits.mapValues(\.generation) == second.exits.mapValues(\.generation) && first.exit(2)?.state == .serving
            }
            #expect(acts(of: "one") == before)
        }
    }

    @Test func `a leader that can't renew its lease stops before another one can begin`() async throws {
        let first = Running(on: world, instance: "one")
        try await eventually("it leads") { world.with { $0.lease?.claim.instance } == "one" }
        try await first.controller.execute(.setPool(Pool(country: us, size: 1)))
        try await first.serves(1)
        world.go(away: .store)
        let end = try #require(world.with { $0.lease?.until })
        try await eventually("it may act no more", within: 30) { !first.isLeader }
        #expect(world.time.instant < end, "by its own clock, before the store's")
        let count = acts(of: "one").count
        world.end("us-1-g1", exitCode: 67)
        try await eventually("the lease is over", within: 30) { world.time.instant > end }
        #expect(acts(of: "one").count == count)
        world.come(back: .store)
        try await eventually("it goes on") { first.exit(1)?.generation == 2 && first.exit(1)?.state == .serving }
        #expect(world.with { $0.fence } == 1, "nobody led meanwhile")
        await first.stop()
    }

    @Test func `one that can be no other's goes on from memory while the store is away`() async throws {
        let first = Running(on: world, instance: "one", isShared: false)
        try await eventually("it leads") { first.isLeader }
        try await first.controller.execute(.setPool(Pool(country: us, size: 1)))
        try await first.serves(1)
        world.go(away: .store)
        let end = try #require(world.with { $0.lease?.until })
        try await eventually("its lease is over in the store", within: 30) { world.time.instant > end }
        world.end("us-1-g1", exitCode: 67)
        try await eventually("another one serves") { first.exit(1)?.generation == 2 && first.exit(1)?.state == .serving }
        world.come(back: .store)
        try await eventually("the store hears of it") { world.stored.exits[id(1)]?.generation == 2 }
        await first.stop()
    }

    @Test func `a change that was meant for a leader that is gone is handed over anew`() async throws {
        try await withTwo { first, second in
            try await eventually("it follows") { second.controller.snapshot.leader == "one" }
            first.gate.close()
            async let change = second.controller.execute(.setPool(Pool(country: us, size: 1)))
            let id = try await eventually("it is handed over") { world.with { $0.commands.isEmpty ? nil : $0.commands.removeFirst().id } }
            world.with { $0.answers[id] = .missed }
            first.gate.open()
            _ = try await change
            #expect(second.controller.snapshot.desired.pools[us]?.size == 1)
        }
    }

    @Test func `changes that a follower is asked for are carried out by the leader, with its answers`() async throws {
        try await withTwo { first, second in
            try await eventually("it follows") { second.controller.snapshot.leader == "one" }
            let exit = try #require(try await second.controller.execute(.addExit(ExitRequest(country: us))))
            #expect(exit.id == id(1) && second.exit(1) != nil)
            try await first.serves(1)
            let error = try await #require(throws: OperationError.self) { try await second.controller.execute(.rotateExit(id(7))) }
            #expect(error.code == .notFound && error.message == "there is no exit us-7")
            let alice = ProxyUser(name: "alice", salt: "00", digest: "11", createdAt: Timestamp(milliseconds: 0))
            try await second.controller.execute(.addUser(alice))
            #expect(first.controller.snapshot.desired.users == [alice] && second.controller.snapshot.desired.users == [alice])
            try await second.controller.execute(.removePool(us))
            try await first.serves(0)
            #expect(acts(of: "two").isEmpty)
        }
    }

    @Test func `a follower takes every kind of change with all that it says`() async throws {
        try await withTwo { first, second in
            try await eventually("it follows") { second.controller.snapshot.leader == "one" }
            let pool = Pool(
                country: us, size: 2, provider: .nordvpn, city: "A", strategy: .latency, standby: 1, rotateEvery: 3_600,
                rotateAfterMegabytes: 500, spread: .score, fallback: [de])
            try await second.controller.execute(.setPool(pool))
            #expect(world.stored.pools[us] == pool && second.controller.snapshot.desired.pools[us] == pool)
            try await eventually("the leader has them all") {
                first.exits.values.map(\.state.rawValue).sorted() == ["serving", "serving", "standby"]
            }
            let serving = try #require(first.exits.values.first { $0.state == .serving })
            #expect(try await second.controller.execute(.rotateExit(serving.id))?.leaving == true)
            try await eventually("it has left") { first.exits[serving.id] == nil && first.exits.count == 3 }
            let other = try #require(first.exits.values.first { $0.state == .serving })
            #expect(try await second.controller.execute(.removeExit(other.id))?.id == other.id)
            #expect(world.stored.pools[us]?.size == 1)
            var user = ProxyUser(name: "alice", salt: "00", digest: "11", createdAt: Timestamp(milliseconds: 0))
            user.limits.bytesPerDay = 1_000
            try await second.controller.execute(.addUser(user))
            user.limits.bytesPerMonth = 5_000
            try await second.controller.execute(.changeUser(user))
            #expect(world.stored.users == [user] && first.controller.snapshot.desired.users == [user])
            try await second.controller.execute(.removeUser("alice"))
            #expect(world.stored.users == [])
            #expect(acts(of: "two").isEmpty)
        }
    }

    @Test func `a change that comes while nobody leads waits for the one that will`() async throws {
        try await withTwo { first, second in
            try await eventually("it follows") { second.controller.snapshot.leader == "one" }
            first.gate.close()
            try await second.controller.execute(.setPool(Pool(country: us, size: 1)))
            #expect(world.with { $0.lease?.claim.instance } == "two")
            try await second.serves(1)
        }
    }

    @Test func `a change that nobody takes is taken back`() async throws {
        let first = Running(on: world, instance: "one", commandSeconds: 0.3)
        let end = world.time.instant + .seconds(60)
        world.with { state in
            let claim = LeaseClaim(instance: "other", token: "x", fence: 0, highest: 0, milliseconds: 0, mayInherit: false)
            state.lease = (claim, 5, end)
        }
        try await eventually("it follows") { first.controller.snapshot.leader == "other" }
        let error = try await #require(throws: OperationError.self) { try await first.controller.execute(.removePool(us)) }
        #expect(error.code == .notLeader && world.with { $0.commands.isEmpty })
        await first.stop()
    }

    @Test func `a leader that stops in order is followed at once`() async throws {
        try await withTwo { first, second in
            let start = world.time.instant
            await first.stop()
            await first.resign()
            try await eventually("the second leads") { second.isLeader }
            // Less than the lease is long.
            #expect(world.time.instant - start < .seconds(3))
        }
    }

    @Test func `a store that has lost its memory is given it back`() async throws {
        let first = Running(on: world, instance: "one", isShared: false)
        try await eventually("it leads") { first.isLeader }
        try await first.controller.execute(.setPool(Pool(country: us, size: 1)))
        try await first.serves(1)
        try await eventually("it is saved") { world.stored.exits[id(1)]?.state == .serving }
        world.with { state in (state.stored, state.version, state.fence, state.lease) = (StoredState(), 0, 0, nil) }
        try await eventually("it is back") { world.stored.exits[id(1)]?.state == .serving && world.stored.pools[us]?.size == 1 }
        #expect(world.launches.count == 1 && world.with { $0.removals }.isEmpty)
        await first.stop()
    }

    @Test func `a container of a later leader ends the lease at once`() async throws {
        let first = Running(on: world, instance: "one")
        try await eventually("it leads") { first.isLeader }
        world.with { state in
            state.containers["de-9-g1"] = ExitContainer(
                name: "de-9-g1", exit: id(9, de), generation: 1, isRunning: true, endpoint: nil, exitCode: nil, fence: 7)
        }
        try await eventually("it has noticed, and the store has made it the leader again under a higher number") {
            first.isLeader && world.with { $0.fence } == 8
        }
        await first.stop()
    }
}
