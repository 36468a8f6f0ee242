import FoundationEssentials
package import Model

/// Webhooks in Redis, beside the stream of events that they follow.
///
/// | key | type | holds |
/// | --- | --- | --- |
/// | `<prefix>:hooks` | hash | id to `Webhook` as JSON, its secret sealed |
/// | `<prefix>:hooks:state` | hash | id to `WebhookState` as JSON |
/// | `<prefix>:hooks:log:<id>` | list | its latest 200 tries, newest first, a `WebhookDelivery` as JSON each |
package final class WebhookTable: Sendable {
    private static let kept = 200
    private let connection: RedisConnection
    private let prefix: String

    private let tables: SignedTables

    /// - Parameter tables: checks and signs definitions, and seals their secrets; without it they are as they are.
    package init(connection: RedisConnection, prefix: String, tables: SignedTables? = nil) {
        self.connection = connection
        self.prefix = prefix
        self.tables = tables ?? SignedTables(connection: connection, prefix: prefix)
    }

    private func key(_ name: String) -> String { "\(prefix):\(name)" }

    package func webhooks() async throws -> (hooks: [KeptWebhook], lastEvent: String?) {
        // Definitions first: a state without one is of no use, and one that comes in between is seen the next time.
        let hooks = try await tables.rows(.hooks)
        let replies = try await connection.transaction([
            ["HGETALL", key("hooks:state")], ["XREVRANGE", key("events"), "+", "-", "COUNT", "1"],
        ])
        let states = SignedTables.pairs(replies[0])
        let kept = hooks.compactMap { id, text -> KeptWebhook? in
            guard let version = states[id], let hook = hook(text, id), let state = try? Self.decode(WebhookState.self, version) else {
                return nil
            }
            return KeptWebhook(hook: hook, state: state, version: version)
        }
        return (kept, Self.ids(replies[1]).first?.id)
    }

    private func hook(_ text: String, _ id: String) -> Webhook? {
        do { return try WebhookText.webhook(text, id, key("hooks"), tables.sealer) } catch {
            tables.logUnused("\(key("hooks"))/\(id)", "has a secret that can't be opened: \(error)")
            return nil
        }
    }

    /// The log's piece after an id, and whether something between is lost.
    package func page(after id: String, limit: Int) async throws -> EventPage {
        try await EventLog(connection: connection, prefix: prefix).page(after: id, limit: limit)
    }

    /// How many entries there are after an id; `limit` where there are more. They stay in Redis.
    package func count(after id: String, limit: Int) async throws -> Int {
        let script = "return #redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])"
        return try await connection.command(["EVAL", script, "1", key("events"), id, String(limit)]).integer ?? 0
    }

    /// Makes a webhook that begins after the last event; false where there are `limit` of them.
    package func add(_ hook: Webhook, limit: Int) async throws -> Bool {
        guard try await tables.rows(.hooks).count < limit else { return false }
        let last = try await connection.command(["XREVRANGE", key("events"), "+", "-", "COUNT", "1"])
        let state = try WebhookText.text(WebhookState(cursor: Self.ids(last).first?.id ?? "0-0"))
        return try await tables.commit(
            [hook.id: try text(hook)], to: .hooks, with: [["HSET", key("hooks:state"), hook.id, state]])
    }

    package func remove(_ id: String) async throws {
        try await tables.commit([id: nil], to: .hooks, with: [["HDEL", key("hooks:state"), id], ["DEL", key("hooks:log:\(id)")]])
    }

    /// Replaces state and perhaps definition where the state still is the one that was read; nil where it is not.
    package func update(
        _ kept: KeptWebhook, to state: WebhookState, hook: Webhook? = nil, delivery: WebhookDelivery? = nil, event: Event? = nil
    ) async throws -> KeptWebhook? {
        let id = kept.hook.id
        let version = try WebhookText.text(state)
        let commands = try [["HSET", key("hooks:state"), id, version]] + records(of: delivery, by: id) + records(of: event)
        let unchanged = (key: key("hooks:state"), field: id, value: kept.version)
        let changes: [String: String?] = try hook.map { [id: try text($0)] } ?? [:]
        guard try await tables.commit(changes, to: .hooks, with: commands, .init(unchanged: unchanged)) else { return nil }
        return KeptWebhook(hook: hook ?? kept.hook, state: state, version: version)
    }

    private func records(of delivery: WebhookDelivery?, by id: String) throws -> [[String]] {
        guard let delivery else { return [] }
        let log = key("hooks:log:\(id)")
        return [["LPUSH", log, try WebhookText.text(delivery)], ["LTRIM", log, "0", String(Self.kept - 1)]]
    }

    private func records(of event: Event?) throws -> [[String]] {
        guard let event else { return [] }
        return [
            ["XADD", key("events"), "MAXLEN", "~", "10000", "*", "event", try WebhookText.text(event)],
            ["HINCRBY", key("events:counts"), event.kind.rawValue, "1"],
        ]
    }

    private func text(_ hook: Webhook) throws -> String { try WebhookText.text(hook, key("hooks"), tables.isSigned ? tables.sealer : nil) }

    package func note(_ delivery: WebhookDelivery, of id: String) async throws {
        // Not for one that was removed meanwhile.
        let script = """
            if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
            redis.call('LPUSH', KEYS[2], ARGV[2])
            redis.call('LTRIM', KEYS[2], 0, tonumber(ARGV[3]) - 1)
            return 1
            """
        let words = ["EVAL", script, "2", key("hooks"), key("hooks:log:\(id)"), id, try WebhookText.text(delivery), String(Self.kept)]
        try await connection.command(words)
    }

    /// Its latest tries, newest first.
    package func deliveries(of id: String, limit: Int) async throws -> [WebhookDelivery] {
        let reply = try await connection.command(["LRANGE", key("hooks:log:\(id)"), "0", String(limit - 1)])
        return (reply.list ?? []).compactMap { $0.text.flatMap { try? Self.decode(WebhookDelivery.self, $0) } }
    }

    // MARK: - JSON and replies

    private static func decode<Value: Decodable>(_ type: Value.Type, _ text: String) throws -> Value {
        try JSONDecoder().decode(type, from: Data(text.utf8))
    }

    private static func ids(_ reply: RedisReply) -> [(id: String, text: String)] {
        (reply.list ?? []).compactMap { entry in
            guard let parts = entry.list, parts.count == 2, let id = parts[0].text else { return nil }
            return (id, parts[1].list.flatMap { $0.count >= 2 ? $0[1].text : nil } ?? "")
        }
    }
}
