import Model
import Platform
@testable import RedisStore
import TestSupport
import Testing

/// A Redis that has thrown whole tables away, as one that evicts does.
@Suite(.timeLimit(.minutes(1))) struct VanishedTableTests {
    private func store(_ connection: RedisConnection) async throws -> Store {
        let key = RootKey(text: Secret(String(repeating: "5a", count: 32)))
        let tables = SignedTables(connection: connection, prefix: "test", rootKey: key)
        tables.begin(isOwn: true)
        try await tables.prepare(fence: nil)
        return Store(connection: connection, prefix: "test", tables: tables)
    }

    private static let id = ExitID(country: us, number: 1)

    private func isWhole(_ store: Store, users: [String] = ["alice"]) async throws -> Bool {
        let state = try await store.load()
        return state.users.map(\.name) == users && state.pools[us] != nil && state.exits[Self.id] != nil
    }

    private func fill(_ store: Store) async throws {
        try await store.save(Pool(country: us, size: 1))
        try await store.save(ProxyUser(name: "alice", salt: "0a", digest: "1b", createdAt: Timestamp(milliseconds: 0)))
        try await store.save([Exit(id: ExitID(country: us, number: 1), slot: 1, now: Timestamp(milliseconds: 0))], removed: [])
    }

    @Test(arguments: ["users", "pools", "exits"])
    func `a table that is gone is no empty one, so nothing is read from the store`(table: String) async throws {
        try await withRedis { _, _, connection in
            try await fill(try await store(connection))
            try await connection.command(["DEL", "test:\(table)"])
            // As a controller that starts finds it.
            let next = try await store(connection)
            let error = try await #require(throws: RedisError.self) { try await next.load() }
            #expect(error.code == .distrusted && error.message.contains("test:\(table) is gone"), "\(error)")
            #expect(error.message.contains("nothing is planned or removed") && error.message.contains("store adopt --all"), "\(error)")
            // An operator takes it as it is.
            _ = try await next.tables.adopt(only: nil)
            _ = try await next.load()
        }
    }

    @Test func `what an operator has removed to the last row is empty`() async throws {
        try await withRedis { _, _, connection in
            let first = try await store(connection)
            try await fill(first)
            try await first.removeUser("alice")
            try await first.removePool(us)
            try await first.save([], removed: [ExitID(country: us, number: 1)])
            let state = try await store(connection).load()
            #expect(state.users.isEmpty && state.pools.isEmpty && state.exits.isEmpty)
        }
    }

    /// Whole keys, as one that evicts forgets them, also the codes and the word that the store is signed.
    @Test(arguments: [
        ["users"], ["pools"], ["exits"], ["users:signed"], ["exits:signed"], ["exits", "exits:signed"], ["pools", "pools:signed"],
        ["trust"],
        ["users", "pools", "exits", "trust"],
    ])
    func `a leader writes back what Redis has forgotten, and tells`(keys: [String]) async throws {
        try await withRedis { _, _, connection in
            let leader = try await store(connection)
            try await fill(leader)
            try await connection.command(["SET", "test:fence", "7"])
            try await connection.command(["DEL"] + keys.map { "test:\($0)" })
            // One that follows, or has led before, writes nothing.
            for table in SignedTable.allCases { await leader.tables.check(table) { nil } }
            for table in SignedTable.allCases { await leader.tables.check(table) { 6 } }
            await leader.tables.keepTrust { 6 }
            #expect(try await connection.command(["EXISTS"] + keys.map { "test:\($0)" }).integer == 0)
            for table in SignedTable.allCases { await leader.tables.check(table) { 7 } }
            await leader.tables.keepTrust { 7 }
            #expect(try await isWhole(leader))
            #expect(try await isWhole(try await store(connection)))
            let table = keys[0].split(separator: ":")[0]
            #expect(
                table == "trust"
                    || leader.tables.alertReporter.alerts.contains { $0.subject == .table(String(table)) && $0.message.contains("back") })
        }
    }

    @Test func `a change right after Redis has forgotten a table makes no table of one row`() async throws {
        try await withRedis { _, _, connection in
            let leader = try await store(connection)
            try await fill(leader)
            let other = ExitID(country: us, number: 2)
            try await connection.command(["DEL", "test:users", "test:exits"])
            try await leader.save(ProxyUser(name: "bob", salt: "0a", digest: "1b", createdAt: Timestamp(milliseconds: 0)))
            try await leader.save([Exit(id: other, slot: 2, now: Timestamp(milliseconds: 0))], removed: [])
            let state = try await store(connection).load()
            #expect(state.users.map(\.name) == ["alice", "bob"] && Set(state.exits.keys) == [Self.id, other])
            // One that has never known the rows changes nothing.
            try await connection.command(["DEL", "test:users"])
            let next = try await store(connection)
            let error = try await #require(throws: RedisError.self) { try await next.removeUser("bob") }
            #expect(error.code == .distrusted && error.message.contains("test:users is gone"), "\(error)")
            #expect(try await connection.command(["EXISTS", "test:users"]).integer == 0)
        }
    }

    @Test(arguments: [("users", "alice"), ("pools", "US"), ("exits", "us-1")])
    func `a single row that is gone is lost too, so nothing is read from the store`(table: String, row: String) async throws {
        try await withRedis { _, _, connection in
            let first = try await store(connection)
            try await fill(first)
            // A table that still has others.
            try await first.save(Pool(country: de, size: 1))
            try await first.save(ProxyUser(name: "bob", salt: "0a", digest: "1b", createdAt: Timestamp(milliseconds: 0)))
            try await first.save([Exit(id: ExitID(country: us, number: 2), slot: 2, now: Timestamp(milliseconds: 0))], removed: [])
            try await connection.command(["HDEL", "test:\(table)", row])
            let error = try await #require(throws: RedisError.self) { try await store(connection).load() }
            #expect(error.code == .distrusted && error.message.contains("test:\(table) lacks 1 rows"), "\(error)")
            #expect(error.message.contains("(\(row))") && error.message.contains("nothing is planned or removed"), "\(error)")
            // Whoever knew it gives it back.
            try await connection.command(["SET", "test:fence", "7"])
            await first.tables.recover { 7 }
            #expect(try await isWhole(try await store(connection), users: ["alice", "bob"]))
        }
    }

    @Test func `a row and codes that somebody has altered are written back by the leader as they were`() async throws {
        try await withRedis { _, _, connection in
            let leader = try await store(connection)
            try await fill(leader)
            let row = try #require(try await connection.command(["HGET", "test:users", "alice"]).text)
            try await connection.command(["SET", "test:fence", "7"])
            for (table, field) in [("users", "alice"), ("users:signed", ""), ("exits:signed", "")] {
                let lists = try await connection.command(["HKEYS", "test:\(table)"]).list?.compactMap(\.text).filter { $0 != "root" } ?? []
                try await connection.command(["HSET", "test:\(table)", field.isEmpty ? lists[0] : field, row.replacing("1b", with: "1c")])
                let next = try await store(connection)
                if field.isEmpty { await #expect(throws: RedisError.self) { try await next.load() } }
                // One that has never known it does not.
                await next.tables.recover { 7 }
                #expect(try await next.tables.read(.users).rows["alice"] != row || table == "exits:signed")
                await leader.tables.recover { 7 }
                #expect(try await isWhole(try await store(connection)), "\(table)")
                #expect(try await connection.command(["HGET", "test:users", "alice"]).text == row)
            }
        }
    }

    @Test(arguments: [["exits:signed"], ["exits", "exits:signed"], ["users", "users:signed"]])
    func `a table whose codes are gone is no empty one either`(keys: [String]) async throws {
        try await withRedis { _, _, connection in
            try await fill(try await store(connection))
            try await connection.command(["DEL"] + keys.map { "test:\($0)" })
            let error = try await #require(throws: RedisError.self) { try await store(connection).load() }
            #expect(error.code == .distrusted && error.message.contains("its signature is gone"), "\(error)")
        }
    }
}
