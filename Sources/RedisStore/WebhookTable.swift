import FoundationEssentials
package import Model

/// Webhooks in Redis, beside the stream of events that they follow.
///
/// | key | type | holds |
/// | --- | --- | --- |
/// | `<prefix>:hooks` | hash | id to `Webhook` as JSON, with its secret |
/// | `<prefix>:hooks:state` | hash | id to `WebhookState` as JSON |
/// | `<prefix>:hooks:log:<id>` | list | its latest 200 tries, newest first, a `WebhookDelivery` as JSON each |
package final class WebhookTable: Sendable {
    private static let kept = 200
    private let connection: RedisConnection
    private let prefix: String

    package init(connection: RedisConnection, prefix: String) {
        self.connection = connection
        self.prefix = prefix
    }

    private func key(_ name: String) -> String { "\(prefix):\(name)" }

    package func webhooks() async throws -> (hooks: [KeptWebhook], lastEvent: String?) {
        let replies = try await connection.transaction([
            ["HGETALL", key("hooks")], ["HGETALL", key("hooks:state")], ["XREVRANGE", key("events"), "+", "-", "COUNT", "1"],
        ])
        let (hooks, states) = (Self.pairs(replies[0]), Self.pairs(replies[1]))
        let kept = hooks.compactMap { id, text -> KeptWebhook? in
            guard let version = states[id], let hook = try? Self.decode(Webhook.self, text),
                let state = try? Self.decode(WebhookState.self, version)
            else { return nil }
            return KeptWebhook(hook: hook, state: state, version: version)
        }
        return (kept, Self.ids(replies[2]).first?.id)
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
        let script = """
            if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
            redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
            redis.call('HSET', KEYS[2], ARGV[2], ARGV[4])
            return 1
            """
        let last = try await connection.command(["XREVRANGE", key("events"), "+", "-", "COUNT", "1"])
        let state = try Self.text(WebhookState(cursor: Self.ids(last).first?.id ?? "0-0"))
        let words = ["EVAL", script, "2", key("hooks"), key("hooks:state"), String(limit), hook.id, try Self.text(hook), state]
        return try await connection.command(words).integer == 1
    }

    package func remove(_ id: String) async throws {
        try await connection.transaction([["HDEL", key("hooks"), id], ["HDEL", key("hooks:state"), id], ["DEL", key("hooks:log:\(id)")]])
    }

    /// Replaces state and perhaps definition where the state still is the one that was read; nil where it is not.
    package func settle(
        _ kept: KeptWebhook, as state: WebhookState, hook: Webhook? = nil, delivery: WebhookDelivery? = nil, event: Event? = nil
    ) async throws -> KeptWebhook? {
        let script = """
            if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
            redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
            if ARGV[4] ~= '' then redis.call('HSET', KEYS[2], ARGV[1], ARGV[4]) end
            if ARGV[5] ~= '' then
                redis.call('LPUSH', KEYS[3], ARGV[5])
                redis.call('LTRIM', KEYS[3], 0, tonumber(ARGV[6]) - 1)
            end
            if ARGV[7] ~= '' then
                redis.call('XADD', KEYS[4], 'MAXLEN', '~', '10000', '*', 'event', ARGV[7])
                redis.call('HINCRBY', KEYS[5], ARGV[8], 1)
            end
            return 1
            """
        let id = kept.hook.id
        let version = try Self.text(state)
        let keys = [key("hooks:state"), key("hooks"), key("hooks:log:\(id)"), key("events"), key("events:counts")]
        let values = [
            id, kept.version, version, try hook.map(Self.text) ?? "", try delivery.map(Self.text) ?? "", String(Self.kept),
            try event.map(Self.text) ?? "", event?.kind.rawValue ?? "",
        ]
        guard try await connection.command(["EVAL", script, "5"] + keys + values).integer == 1 else { return nil }
        return KeptWebhook(hook: hook ?? kept.hook, state: state, version: version)
    }

    package func note(_ delivery: WebhookDelivery, of id: String) async throws {
        // Not for one that was removed meanwhile.
        let script = """
            if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
            redis.call('LPUSH', KEYS[2], ARGV[2])
            redis.call('LTRIM', KEYS[2], 0, tonumber(ARGV[3]) - 1)
            return 1
            """
        let words = ["EVAL", script, "2", key("hooks"), key("hooks:log:\(id)"), id, try Self.text(delivery), String(Self.kept)]
        try await connection.command(words)
    }

    /// Its latest tries, newest first.
    package func deliveries(of id: String, limit: Int) async throws -> [WebhookDelivery] {
        let reply = try await connection.command(["LRANGE", key("hooks:log:\(id)"), "0", String(limit - 1)])
        return (reply.list ?? []).compactMap { $0.text.flatMap { try? Self.decode(WebhookDelivery.self, $0) } }
    }

    // MARK: - JSON and replies

    /// The same each time for the same value: a state is compared as text.
    private static func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    private static func decode<Value: Decodable>(_ type: Value.Type, _ text: String) throws -> Value {
        try JSONDecoder().decode(type, from: Data(text.utf8))
    }

    private static func pairs(_ reply: RedisReply) -> [String: String] {
        let items = reply.list ?? []
        return stride(from: 0, to: items.count - 1, by: 2).reduce(into: [:]) { table, index in
            if let field = items[index].text { table[field] = items[index + 1].text }
        }
    }

    private static func ids(_ reply: RedisReply) -> [(id: String, text: String)] {
        (reply.list ?? []).compactMap { entry in
            guard let parts = entry.list, parts.count == 2, let id = parts[0].text else { return nil }
            return (id, parts[1].list.flatMap { $0.count >= 2 ? $0[1].text : nil } ?? "")
        }
    }
}
