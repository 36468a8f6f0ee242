/// What the API keeps in Redis, on a connection of its own: shared counters, remembered requests, keys, the audit log, hooks.
///
/// | key | type | holds |
/// | --- | --- | --- |
/// | `<prefix>:api:limit:...` | string | requests of one address or key in one window |
/// | `<prefix>:api:idempotency:...` | string | the answer to a request with an idempotency key |
/// | `<prefix>:api:<name>` | hash | keys, their last use: id to JSON; settings that were changed: name to JSON |
/// | `<prefix>:audit` | stream | entries of the audit log, each under its number, with its hash and its code |
/// | `<prefix>:audit:head` | string | number and hash of the last one |
package final class APIStore: Sendable {
    let connection: RedisConnection
    let prefix: String

    package let tables: SignedTables

    /// - Parameter tables: checks and signs keys and settings; without it they count as they are.
    package init(connection: RedisConnection, prefix: String, tables: SignedTables? = nil) {
        self.connection = connection
        self.prefix = prefix
        self.tables = tables ?? SignedTables(connection: connection, prefix: prefix)
    }

    func key(_ name: String) -> String { "\(prefix):api:\(name)" }

    // MARK: - Values that end by themselves

    package func add(_ counts: [(key: String, amount: Int)], seconds: Int) async throws -> [Int] {
        var commands: [[String]] = []
        for (name, amount) in counts {
            commands.append(["INCRBY", key(name), String(amount)])
            commands.append(["EXPIRE", key(name), String(seconds)])
        }
        let replies = try await connection.transaction(commands, isAtomic: false)
        return stride(from: 0, to: replies.count, by: 2).map { replies[$0].integer ?? 0 }
    }

    package func remove(_ names: [String]) async throws {
        if !names.isEmpty { try await connection.command(["DEL"] + names.map(key)) }
    }

    /// Sets a value that nobody has set; nil then, else what is there.
    package func claim(_ name: String, _ value: String, seconds: Int) async throws -> String? {
        let reply = try await connection.command(["SET", key(name), value, "NX", "GET", "EX", String(seconds)])
        return reply.text
    }

    package func put(_ name: String, _ value: String, seconds: Int) async throws {
        try await connection.command(["SET", key(name), value, "EX", String(seconds)])
    }

    // MARK: - Tables

    package func table(_ name: String) async throws -> [String: String] {
        let reply = try await connection.command(["HGETALL", key(name)])
        guard let items = reply.list else { throw RedisError(code: .unreadable, message: "HGETALL answered with no list") }
        var table: [String: String] = [:]
        for index in stride(from: 0, to: items.count - 1, by: 2) {
            if let field = items[index].text, let value = items[index + 1].text { table[field] = value }
        }
        return table
    }

    package func set(_ name: String, _ values: [String: String]) async throws {
        if !values.isEmpty { try await connection.command(["HSET", key(name)] + values.flatMap { [$0.key, $0.value] }) }
    }

    /// Sets these rows and removes those that are nil, all or nothing.
    package func change(_ table: SignedTable, _ values: [String: String?]) async throws {
        if !values.isEmpty { try await tables.commit(values, to: table) }
    }

    package func remove(_ field: String, from name: String) async throws { try await connection.command(["HDEL", key(name), field]) }
}
