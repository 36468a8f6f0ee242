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
}
