@testable import API
@testable import AccessControl
import Glibc
import Model
import Platform
@testable import RedisStore
import TestSupport
import Testing
@testable import sallyport

/// Rows of rights in real Redis, with somebody who may write there.
@Suite(.timeLimit(.minutes(2))) struct SignedTableTests {
    private let key = RootKey(text: Secret(String(repeating: "5a", count: 32)))
    private let strange = RootKey(text: Secret(String(repeating: "a5", count: 32)))
    private let now = Timestamp(milliseconds: 1_700_000_000_000)

    private func tables(_ redis: PrivateRedis, _ key: RootKey, marks: String? = nil, isOwn: Bool = true, deadline: Double = 20)
        -> SignedTables
    {
        let tables = SignedTables(
            connection: RedisConnection(address: .unix(path: redis.socket), deadline: deadline), prefix: "test", rootKey: key,
            marks: HighMarks(path: marks))
        tables.begin(isOwn: isOwn)
        return tables
    }

    private func user(_ name: String, _ digest: String = "1b") -> ProxyUser {
        ProxyUser(name: name, salt: "0a", digest: digest, createdAt: now)
    }

    private func apiKey(_ id: String, _ role: Role = .viewer) -> APIKey {
        APIKey(id: id, name: id, role: role, digest: Digest.sha256(id), createdAt: now)
    }

    private struct Side {
        let tables: SignedTables
        let store: Store
        let api: APIStore
        let hooks: WebhookTable

        init(_ tables: SignedTables) {
            self.tables = tables
            store = Store(connection: tables.connection, prefix: "test", tables: tables)
            api = APIStore(connection: tables.connection, prefix: "test", tables: tables)
            hooks = WebhookTable(connection: tables.connection, prefix: "test", tables: tables)
        }

        func names() async throws -> [String] { try await store.load().users.map(\.name) }
        func keys() async throws -> [String] { try await api.keys().keys.map(\.id).sorted() }
    }

    private func side(_ redis: PrivateRedis, marks: String? = nil, deadline: Double = 20) async throws -> Side {
        let side = Side(tables(redis, key, marks: marks, deadline: deadline))
        try await side.tables.prepare(fence: nil)
        return side
    }

    /// All keys of the store as they are, to be put back later.
    private func snapshot(_ connection: RedisConnection, _ pattern: String = "test:*") async throws -> [String] {
        for key in try await connection.command(["KEYS", pattern]).list ?? [] {
            guard let name = key.text, !name.hasPrefix("copy:") else { continue }
            try await connection.command(["COPY", name, "copy:\(name)", "REPLACE"])
        }
        return (try await connection.command(["KEYS", pattern]).list ?? []).compactMap(\.text)
    }

    private func putBack(_ names: [String], _ connection: RedisConnection) async throws {
        for name in names { try await connection.command(["COPY", "copy:\(name)", name, "REPLACE"]) }
    }

    @Test func `a key that somebody writes into Redis is none, wherever it was copied from`() async throws {
        try await withRedis { redis, _, connection in
            let side = try await side(redis)
            try await side.api.save(apiKey("k1"))
            #expect(try await side.keys() == ["k1"])
            let text = try #require(try await connection.command(["HGET", "test:api:keys", "k1"]).text)
            // Made up, a copy under another name, and one that was raised to admin.
            try await connection.command(["HSET", "test:api:keys", "k2", text.replacing("k1", with: "k2")])
            try await connection.command(["HSET", "test:api:keys", "k3", text])
            #expect(try await side.keys() == ["k1"])
            try await connection.command(["HSET", "test:api:keys", "k1", text.replacing("viewer", with: "admin")])
            #expect(try await side.keys() == [])
            let reading = try await side.tables.read(.keys)
            #expect(reading.refused.keys.sorted() == ["k1", "k2", "k3"])
            // They are left where they are, and told.
            #expect(try await connection.command(["HLEN", "test:api:keys"]).integer == 3)
            await side.tables.check(.keys) { nil }
            let alert = try #require(side.tables.alertReporter.alerts.first { $0.subject == .table("api:keys") })
            #expect(alert.severity == .critical && alert.message.contains("k2") && alert.message.contains("carries no code"))
            try await connection.command(["HSET", "test:api:keys", "k1", text])
            try await connection.command(["HDEL", "test:api:keys", "k2", "k3"])
            await side.tables.check(.keys) { nil }
            #expect(side.tables.alertReporter.alerts.isEmpty)
            #expect(try await side.keys() == ["k1"])
        }
    }

    @Test func `a revoked key and a removed user don't come back, neither alone nor with all of Redis`() async throws {
        let folder = try TemporaryFolder()
        try await withRedis { redis, _, connection in
            let side = try await side(redis, marks: "\(folder.path)/marks")
            try await side.api.save(apiKey("k1"))
            try await side.store.save(user("alice"))
            try await side.store.save(user("bob", "old"))
            let names = try await snapshot(connection)
            try await side.api.removeKey("k1")
            try await side.store.removeUser("alice")
            try await side.store.save(user("bob", "new"))

            // Alone: the rows are there again, and are not used.
            try await connection.command(["COPY", "copy:test:api:keys", "test:api:keys", "REPLACE"])
            try await connection.command(["COPY", "copy:test:users", "test:users", "REPLACE"])
            #expect(try await side.keys() == [])
            #expect(try await side.names() == [])
            // One that has just come sees the same, without any memory of its own.
            let fresh = Side(tables(redis, key, isOwn: false))
            #expect(try await fresh.keys() == [])
            #expect(try await fresh.names() == [])
            #expect(try await fresh.tables.read(.users).refused["alice"] == "carries no code of a controller of this store")

            // With all of Redis: whoever remembers more takes nothing of it, also after a restart.
            try await putBack(names, connection)
            let later = Side(tables(redis, key, marks: "\(folder.path)/marks", isOwn: false))
            for side in [side, later] {
                let error = try await #require(throws: RedisError.self) { try await side.names() }
                #expect(error.code == .distrusted && error.message.contains("set back"), "\(error)")
                await #expect(throws: RedisError.self) { try await side.keys() }
                await #expect(throws: RedisError.self) { try await side.api.save(apiKey("k9")) }
            }
            // The one that leads knows what was there, and writes it back.
            try await connection.command(["SET", "test:fence", "7"])
            await side.tables.check(.users) { 7 }
            #expect(side.tables.alertReporter.alerts.contains { $0.subject == .table("users") && $0.message.contains("written it back") })
            #expect(try await later.store.load().users == [user("bob", "new")])
        }
    }

    @Test func `one that was down while another one wrote can't tell, and whoever remembers more does`() async throws {
        let folder = try TemporaryFolder()
        try await withRedis { redis, _, connection in
            let first = try await side(redis, marks: "\(folder.path)/first")
            try await first.store.save(user("alice"))
            let names = try await snapshot(connection)
            let second = try await side(redis, marks: "\(folder.path)/second")
            try await second.store.removeUser("alice")
            try await putBack(names, connection)
            let again = Side(tables(redis, key, marks: "\(folder.path)/first", isOwn: false))
            #expect(try await again.names() == ["alice"])
            await #expect(throws: RedisError.self) { try await second.names() }
            await second.tables.check(.users) { nil }
            #expect(second.tables.alertReporter.alerts.contains { $0.subject == .table("users") && $0.message.contains("was set back") })
        }
    }

    @Test func `the version before is signed once, by the first start, and never again`() async throws {
        let folder = try TemporaryFolder()
        try await withRedis { redis, _, connection in
            let old = Store(connection: connection, prefix: "test")
            try await old.save(user("alice"))
            try await old.save(Pool(country: us, size: 2))
            try await APIStore(connection: connection, prefix: "test").save(apiKey("k1"))
            let hook = Webhook(id: "w1", url: "https://a.example/", secret: "hush-hush", createdAt: now)
            #expect(try await WebhookTable(connection: connection, prefix: "test").add(hook, limit: 5))

            // One that only follows takes it as it is, and signs nothing.
            let follower = Side(tables(redis, key, marks: "\(folder.path)/follower"))
            #expect(try await follower.names() == ["alice"])
            #expect(try await follower.keys() == ["k1"])
            #expect(try await connection.command(["EXISTS", "test:trust"]).integer == 0)
            let first = try await side(redis, marks: "\(folder.path)/first")
            #expect(try await first.names() == ["alice"])
            #expect(try await first.keys() == ["k1"])
            #expect(try await first.store.load().pools.keys.sorted() == [us])
            #expect(try await first.hooks.webhooks().hooks.map(\.hook) == [hook])
            #expect(try await follower.names() == ["alice"])
            let stored = try #require(try await connection.command(["HGET", "test:hooks", "w1"]).text)
            #expect(!stored.contains("hush") && stored.contains("v1:\(key.id):"))

            // Whoever takes the signatures away does not bring that moment back: not here, nor for one that comes later.
            try await connection.command([
                "HSET", "test:users", "mallory", try #require(try await connection.command(["HGET", "test:users", "alice"]).text),
            ])
            try await connection.command(["DEL", "test:trust"] + SignedTable.allCases.map { "test:\($0.rawValue):signed" })
            for (marks, isOwn) in [("first", false), ("first", true), ("new", false)] {
                let later = Side(tables(redis, key, marks: "\(folder.path)/\(marks)", isOwn: isOwn))
                let error = try await #require(throws: RedisError.self) { try await later.tables.prepare(fence: nil) }
                #expect(error.code == .distrusted && error.message.contains("sallyport store adopt"), "\(error)")
                await #expect(throws: RedisError.self) { try await later.names() }
            }
            // An operator can say that it is theirs.
            let adopting = Side(tables(redis, key, marks: "\(folder.path)/new", isOwn: false))
            #expect(try await adopting.tables.adopt(only: ["users/alice", "pools/US"]) == ["pools/US", "users/alice"].sorted { $0 > $1 })
            #expect(try await adopting.names() == ["alice"])
            #expect(try await adopting.keys() == [])
            #expect(try await adopting.tables.drop(["users/mallory", "users/alice"]) == ["users/mallory"])
        }
    }

    @Test func `a store of another root key is refused as a whole, and says which setting is wrong`() async throws {
        try await withRedis { redis, _, connection in
            let ours = try await side(redis)
            try await ours.store.save(user("alice"))
            let other = Side(tables(redis, strange))
            let error = try await #require(throws: RedisError.self) { try await other.tables.prepare(fence: nil) }
            #expect(error.message.contains("root_key_file") && error.message.contains(key.id) && error.message.contains(strange.id))
            await #expect(throws: RedisError.self) { try await other.store.save(user("mallory")) }
            #expect(try await ours.names() == ["alice"])
        }
    }

    @Test func `a new root key signs and seals, the old one opens until it is dropped`() async throws {
        try await withRedis { redis, _, connection in
            let before = try await side(redis)
            try await before.store.save(user("alice"))
            let hook = Webhook(id: "w1", url: "https://a.example/", secret: "hush-hush", createdAt: now)
            #expect(try await before.hooks.add(hook, limit: 5))
            let both = RootKey(text: Secret(String(repeating: "a5", count: 32)), older: [key])
            let during = Side(tables(redis, both))
            #expect(try await during.names() == ["alice"], "before anything is signed anew")
            try await connection.command(["HSET", "test:users", "mallory", "{}"])
            try await during.tables.prepare(fence: nil)
            let after = Side(tables(redis, strange))
            try await after.tables.prepare(fence: nil)
            #expect(try await after.names() == ["alice"])
            #expect(try await after.hooks.webhooks().hooks.map(\.hook) == [hook])
            #expect(try await after.tables.read(.users).refused.keys.sorted() == ["mallory"])
            let all = try await connection.command([
                "EVAL",
                """
                local found = 0
                for _, key in ipairs(redis.call('KEYS', 'test:*')) do
                    if redis.call('TYPE', key).ok == 'hash' then
                        for _, text in ipairs(redis.call('HGETALL', key)) do if string.find(text, ARGV[1], 1, true) then found = found + 1 end end
                    end
                end
                return found
                """, "0", key.id,
            ])
            #expect(all.integer == 0, "nothing is left of the old key")
        }
    }

    @Test func `two controllers change one table, and an answer that is lost does no harm`() async throws {
        try await withRedis { redis, folder, connection in
            let both = [try await side(redis), try await side(redis)]
            let hasty = try await side(redis, deadline: 2)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (number, side) in both.enumerated() {
                    group.addTask { for index in 0..<20 { try await side.api.save(apiKey("k\(number)x\(index)")) } }
                }
                try await group.waitForAll()
            }
            for side in both { #expect(try await side.keys().count == 40) }
            // So that it knows the table, and its next change is one command.
            try await hasty.api.save(apiKey("first"))
            let pid = try pid(in: "\(folder)/redis.pid")
            kill(pid, SIGSTOP)
            await #expect(throws: RedisError.self) { try await hasty.api.save(apiKey("late")) }
            kill(pid, SIGCONT)
            try await eventually("it answers", within: 30) { (try? await hasty.api.save(apiKey("later"))) != nil }
            for side in both {
                let keys = try await side.keys()
                #expect(keys.contains("later") && keys.contains("late"))
                #expect(try await side.tables.read(.keys).refused.isEmpty)
            }
        }
    }

    @Test func `a setting that somebody writes into Redis does not count`() async throws {
        try await withRedis { redis, _, connection in
            let side = try await side(redis)
            try await side.api.save(settings: ["requests": "70000"])
            try await connection.command(["HSET", "test:api:settings", "audit_requests", "true", "requests", "1"])
            #expect(try await side.api.settings() == [:])
            try await side.api.save(settings: ["requests": nil])
            #expect(try await side.tables.read(.settings).refused.keys.sorted() == ["audit_requests"])
        }
    }

    @Test func `ten thousand users are read and checked in less than a second`() async throws {
        try await withRedis { redis, _, connection in
            let plain = Store(connection: connection, prefix: "test")
            for number in 0..<10_000 { try await plain.save(user("user\(number)")) }
            let begin = ContinuousClock.now
            #expect(try await plain.load().users.count == 10_000)
            let unsigned = ContinuousClock.now - begin
            let side = try await side(redis)
            let middle = ContinuousClock.now
            #expect(try await side.names().count == 10_000)
            let signed = ContinuousClock.now - middle
            let change = ContinuousClock.now
            try await side.store.save(user("another"))
            print("10,000 users: \(unsigned) unsigned, \(signed) signed, a change \(ContinuousClock.now - change)")
            #expect(signed < unsigned + .seconds(3))
        }
    }
}
