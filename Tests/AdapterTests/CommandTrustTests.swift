import Control
import Model
import Platform
@testable import RedisStore
@testable import sallyport
import TestSupport
import Testing

/// Commands and answers in real Redis, with somebody who may write there.
@Suite(.timeLimit(.minutes(1))) struct CommandTrustTests {
    private static let key = RootKey(text: Secret(String(repeating: "5a", count: 32)))
    private static let queue = "test:orders"

    /// One controller's side: its lease, and what it hands over and takes.
    private struct Side {
        let leadership: Leadership
        let alertReporter = AlertReporter()
        let relay: RedisCommandRelay

        init(_ name: String, _ redis: PrivateRedis, _ folder: String, key: RootKey = CommandTrustTests.key, seconds: Int = 16) {
            let connection = RedisConnection(address: .unix(path: redis.socket), deadline: 20)
            let lease = RedisLease(
                record: LeaseRecord(connection: connection, prefix: "test"), mark: FenceMark(folder: "\(folder)/\(name)"))
            leadership = Leadership(.init(instance: name, isShared: true, leaseSeconds: 600), store: lease)
            relay = RedisCommandRelay(
                queue: CommandQueue(connection: connection, prefix: "test"), rootKey: key, leadership: leadership,
                alertReporter: alertReporter,
                log: .none, seconds: seconds)
        }
    }

    private func withSides(_ body: (_ leader: Side, _ follower: Side, RedisConnection, PrivateRedis, String) async throws -> Void)
        async throws
    {
        try await withRedis { redis, folder, connection in
            let (leader, follower) = (Side("a", redis, folder), Side("b", redis, folder))
            for side in [leader, follower] { _ = await side.leadership.claim() }
            #expect(leader.leadership.isLeader && !follower.leadership.isLeader)
            try await body(leader, follower, connection, redis, folder)
        }
    }

    private func command(_ name: String) -> ForwardedCommand { ForwardedCommand(.removeUser(name), by: "admin") }

    private func entries(_ connection: RedisConnection) async throws -> [String] {
        try await connection.command(["LRANGE", Self.queue, "0", "-1"]).list?.compactMap(\.text) ?? []
    }

    @Test func `a command that no controller of the store has written is not carried out, and an alert says so`() async throws {
        try await withSides { leader, follower, connection, redis, folder in
            // As the version before sent them; under another key; one that was altered, and one under another name.
            let plain = #"{"removeUser":{"_0":"alice"},"by":"admin"}"#
            let strange = Side("c", redis, folder, key: RootKey(text: Secret(String(repeating: "a5", count: 32))))
            _ = await strange.leadership.claim()
            try await strange.relay.send(command("alice"), id: "strange")
            try await follower.relay.send(command("bob"), id: "good")
            let (forged, good) = (try await entries(connection)[0], try await entries(connection)[1])
            let others = [
                "plain \(plain)", good.replacing("bob", with: "alice"), "other" + good.dropFirst(4), "garbage", "", "x {}", "y []",
                "z " + String(repeating: "{", count: 10_000), #"w {"at":0,"order":"{}","code":""}"#,
                good.replacing(#""term":1"#, with: #""term":2"#), good.replacing(#","term":1"#, with: ""),
            ]
            try await connection.command(["DEL", Self.queue])
            for entry in [forged] + others + [good] { try await connection.command(["RPUSH", Self.queue, entry]) }
            var found: [ForwardedCommand] = []
            try await eventually("all are looked at") {
                if let next = try await leader.relay.next() { found.append(next.command) }
                return try await entries(connection).isEmpty
            }
            #expect(found == [command("bob")])
            let alert = try #require(leader.alertReporter.alerts.first { $0.subject == .orders })
            #expect(alert.message.contains("no controller of this store has written it"), "\(alert)")
            #expect(try await connection.command(["KEYS", "test:answer:*"]).list?.isEmpty ?? false)
        }
    }

    @Test func `a command is carried out once, also where another controller leads by then`() async throws {
        try await withSides { leader, follower, connection, redis, folder in
            try await follower.relay.send(command("alice"), id: "one")
            let entry = try await entries(connection)
            #expect(try await leader.relay.next()?.command == command("alice"))
            try await leader.relay.answer("one", with: .done)
            try await connection.command(["RPUSH", Self.queue] + entry + entry)
            #expect(try await leader.relay.next() == nil)
            #expect(leader.alertReporter.alerts.contains { $0.message.contains("an old one that was put back") })
            #expect(try await entries(connection).isEmpty)
            // The one that takes over has seen nothing of it.
            await leader.leadership.resign()
            _ = await follower.leadership.claim()
            #expect(follower.leadership.isLeader)
            try await connection.command(["RPUSH", Self.queue] + entry)
            #expect(try await follower.relay.next() == nil)
            #expect(try await entries(connection).isEmpty)
            #expect(try await follower.relay.answer(to: "one") == .done, "the answer that was there stays")
            // Nor has one that takes over from that.
            let third = Side("c", redis, folder)
            await follower.leadership.resign()
            _ = await third.leadership.claim()
            try await connection.command(["RPUSH", Self.queue] + entry)
            #expect(third.leadership.isLeader)
            #expect(try await third.relay.next() == nil)
        }
    }

    @Test func `a command for a leader that is gone is answered so, and counts when it is sent anew`() async throws {
        try await withSides { leader, follower, _, redis, folder in
            try await follower.relay.send(command("alice"), id: "one")
            await leader.leadership.resign()
            let next = Side("c", redis, folder)
            _ = await next.leadership.claim()
            #expect(next.leadership.isLeader)
            #expect(try await next.relay.next() == nil)
            #expect(try await follower.relay.answer(to: "one") == .missed)
            #expect(next.alertReporter.alerts.isEmpty, "that is nobody's fault")
            _ = await follower.leadership.claim()
            try await follower.relay.send(command("alice"), id: "two")
            #expect(try await next.relay.next()?.command == command("alice"))
        }
    }

    @Test func `commands in another order are each carried out once, and no answer is taken for another one's`() async throws {
        try await withSides { leader, follower, connection, _, _ in
            for name in ["alice", "bob"] { try await follower.relay.send(command(name), id: name) }
            let sent = try await entries(connection)
            try await connection.command(["DEL", Self.queue])
            try await connection.command(["RPUSH", Self.queue] + sent.reversed())
            var found: [String] = []
            while let (id, next) = try await leader.relay.next() {
                #expect(next == command(id))
                found.append(id)
            }
            #expect(found == ["bob", "alice"])
            try await leader.relay.answer("alice", with: .done)
            try await leader.relay.answer("bob", with: .refused(code: "not_found", message: "no bob"))
            let answers = try await connection.command(["MGET", "test:answer:alice", "test:answer:bob"]).list?.compactMap(\.text) ?? []
            try await connection.command(["MSET", "test:answer:alice", answers[1], "test:answer:bob", answers[0]])
            for name in ["alice", "bob"] { #expect(try await follower.relay.answer(to: name) == nil) }
            for forged in ["", "{}", #"{"at":0,"order":"{\"done\":{}}","code":""}"#, answers[0].replacing("done", with: "missed")] {
                try await connection.command(["SET", "test:answer:alice", forged])
                #expect(try await follower.relay.answer(to: "alice") == nil)
            }
        }
    }

    @Test func `a command that somebody has held back does not count when nobody waits for it any more`() async throws {
        try await withRedis { redis, folder, connection in
            let (leader, follower) = (Side("a", redis, folder, seconds: 1), Side("b", redis, folder))
            for side in [leader, follower] { _ = await side.leadership.claim() }
            try await follower.relay.send(command("alice"), id: "one")
            let entry = try await entries(connection)
            try await connection.command(["DEL", Self.queue])
            #expect(try await follower.relay.withdraw(command("alice"), id: "one") == false)
            let queue = CommandQueue(connection: connection, prefix: "test")
            let end = try await queue.now() + 2
            try await eventually("Redis's clock has gone on") { try await queue.now() >= end }
            try await connection.command(["RPUSH", Self.queue] + entry)
            #expect(try await leader.relay.next() == nil)
            #expect(leader.alertReporter.alerts.contains { $0.message.contains("an old one") })
        }
    }
}
