@testable import Control
import Foundation
import Model
import Planning
import TestSupport
import Testing

/// Events of what operators and controllers do. That they reach the store, readers and webhooks is a test on the lab.
@Suite(.timeLimit(.minutes(1)), .inSimulatedTime) struct EventTests {
    private func kinds(_ world: FakeWorld) -> [EventKind] { world.with { $0.events }.map(\.kind) }

    private func event(_ kind: EventKind, in world: FakeWorld, _ isWanted: (Event) -> Bool = { _ in true }) async throws -> Event {
        try await eventually("there is \(kind.rawValue)") { world.with { $0.events }.first { $0.kind == kind && isWanted($0) } }
    }

    private func asAdmin(_ body: () async throws -> Void) async throws {
        try await Originator.$current.withValue("the-admin") { try await body() }
    }

    @Test func `what is done to users is told with who did it, and without a secret`() async throws {
        try await withController { world, running in
            var user = ProxyUser(name: "bob", salt: "the-salt", digest: "the-digest", createdAt: Timestamp(milliseconds: 0))
            try await asAdmin { try await running.controller.execute(.addUser(user)) }
            user.limits.bytesPerDay = 5
            user.passwords.append(.init(salt: "another", digest: "the-other-digest"))
            try await asAdmin { try await running.controller.execute(.changeUser(user)) }
            // The same again is no change.
            try await running.controller.execute(.changeUser(user))
            await running.controller.block([user.account: .day])
            await running.controller.block([:])
            try await running.controller.execute(.removeUser("bob"))
            _ = try await event(.userRemoved, in: world)
            let events = world.with { $0.events }.filter { $0.kind.rawValue.hasPrefix("user.") }
            #expect(events.map(\.kind) == [.userAdded, .userChanged, .userChanged, .userChanged, .userRemoved])
            #expect(events.map(\.by) == ["the-admin", "the-admin", nil, nil, nil])
            #expect(events[1].message == "user bob was changed: password, limits")
            #expect(events[2].severity == .warning && events[2].cause == .quota && events[2].message.contains("quota_day"))
            #expect(!events.contains { $0.message.contains("salt") || $0.message.contains("digest") })
        }
    }

    @Test func `a pool that is made, changed and removed is told, with what is different and who did it`() async throws {
        try await withController { world, running in
            let controller = running.controller
            try await asAdmin { try await controller.execute(.setPool(Pool(country: us, size: 1))) }
            try await asAdmin { try await controller.execute(.setPool(Pool(country: us, size: 1))) }
            try await asAdmin { try await controller.execute(.setPool(Pool(country: us, size: 2, city: "A", standby: 1))) }
            try await running.serves(3, orStandby: true)
            try await controller.execute(.addExit(ExitRequest(country: us)))
            try await controller.execute(.removePool(us))
            _ = try await event(.poolRemoved, in: world)
            let events = world.with { $0.events }.filter { $0.kind == .poolChanged || $0.kind == .poolRemoved }
            #expect(
                events.map(\.message) == [
                    "pool US is made: size 1", "pool US is changed: size 1 to 2, standby 0 to 1, city any to A",
                    "pool US is changed: size 2 to 3", "pool US is removed",
                ])
            #expect(events.map(\.by) == ["the-admin", "the-admin", nil, nil] && events.allSatisfy { $0.country == us })
            let wanted = try await event(.exitWanted, in: world)
            #expect(wanted.by == nil, "what the planner wants nobody has asked for by name")
        }
    }

    @Test func `an exit that is moved is a rotation when another takes over`() async throws {
        try await withController { world, running in
            try await running.controller.execute(.setPool(Pool(country: us, size: 1)))
            try await running.serves(1)
            try await asAdmin { try await running.controller.execute(.rotateExit(id(1))) }
            let rotation = try await event(.rotation, in: world)
            #expect(rotation.exit == id(1) && rotation.reason == .rotated && rotation.cause == .operator)
            #expect(try await event(.exitLeaving, in: world).by == "the-admin")
            #expect(kinds(world).filter { $0 == .rotation }.count == 1)
        }
    }

    @Test func `a new leader tells so, and carries out what a follower hands over in the name of who asked`() async throws {
        let world = FakeWorld(servers: (1...3).map { server($0) })
        let first = Running(on: world, instance: "one")
        try await eventually("the first leads") { first.isLeader }
        let second = Running(on: world, instance: "two")
        try await eventually("the second follows") { second.controller.snapshot.leader == "one" }
        let user = ProxyUser(name: "bob", salt: "00", digest: "11", createdAt: Timestamp(milliseconds: 0))
        try await asAdmin { try await second.controller.execute(.addUser(user)) }
        #expect(try await event(.userAdded, in: world).by == "the-admin")
        await first.stop()
        await first.resign()
        let change = try await event(.leaderChanged, in: world) { $0.message.contains("two") }
        #expect(change.message == "controller two leads" && change.cause == .lease)
        #expect(kinds(world).count { $0 == .leaderChanged } == 2, "each is told by the one that leads, and by nobody else")
        await second.stop()
    }

    @Test func `who follows shows what the leader's probes say, and does not wait for an exit to change otherwise`() async throws {
        let world = FakeWorld(servers: (1...3).map { server($0) })
        let first = Running(on: world, instance: "one")
        try await eventually("the first leads") { first.isLeader }
        try await first.controller.execute(.setPool(Pool(country: us, size: 1)))
        try await first.serves(1)
        let second = Running(on: world, instance: "two")
        try await eventually("the second shows it") { second.exit(1)?.state == .serving }
        let seen = try #require(first.exit(1)?.health.checkedAt)
        try await eventually("later probes, with their figures") {
            guard let health = second.exit(1)?.health, let at = health.checkedAt else { return false }
            return at > seen + 1 && health.successRate == 1 && health.verdict == .healthy
        }
        await first.stop()
        await second.stop()
    }

    @Test func `who follows sees within moments who is over a quota, and does not say that it knows parts it never asks`() async throws {
        let world = FakeWorld(servers: (1...3).map { server($0) })
        let first = Running(on: world, instance: "one")
        try await eventually("the first leads") { first.isLeader }
        let user = ProxyUser(name: "bob", salt: "00", digest: "11", createdAt: Timestamp(milliseconds: 0))
        try await first.controller.execute(.addUser(user))
        let second = Running(on: world, instance: "two", tune: { $0.quotaSeconds = 0.05 })
        try await eventually("the second follows") { second.controller.snapshot.desired.users == [user] }
        world.with { $0.stored.blocked = ["bob": .day] }
        try await eventually("it knows") { second.controller.snapshot.desired.blocked == ["bob": .day] }
        world.with { $0.stored.blocked = [:] }
        try await eventually("and forgets") { second.controller.snapshot.desired.blocked.isEmpty }
        let asked = Set(second.controller.asked.keys)
        #expect(asked.isDisjoint(with: [.engine, .gateway, .catalog, .host]) && asked.contains(.store), "\(asked)")
        try await eventually("the leader has asked") { Set(first.controller.asked.keys).isSuperset(of: [.engine, .gateway, .loop]) }
        await first.stop()
        await second.stop()
    }
}
