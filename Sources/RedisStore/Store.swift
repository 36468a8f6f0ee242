import FoundationEssentials
package import Model

/// Everything that outlives the controller, in one Redis database under one prefix.
///
/// | key | type | holds |
/// | --- | --- | --- |
/// | `<prefix>:pools` | hash | country code to `Pool` as JSON |
/// | `<prefix>:exits` | hash | exit id to `Exit` as JSON |
/// | `<prefix>:users` | hash | name to `ProxyUser` as JSON |
/// | `<prefix>:catalog:<provider>` | string | the provider's last good server list as JSON |
/// | `<prefix>:catalog:<provider>:fetched` | string | when it was fetched |
/// | `<prefix>:catalog:<provider>:fetcher` | string, expires | which controller fetches it at the moment |
/// | `<prefix>:health:<exit>` | stream | the latest probes, at most 1,000 |
package final class Store: Sendable {
    package struct State: Sendable {
        package var pools: [CountryCode: Pool] = [:]
        package var exits: [ExitID: Exit] = [:]
        package var users: [ProxyUser] = []
        /// Entries that could not be read; they are left where they are.
        package var unreadable: [String] = []
        package init() {}
    }

    private let connection: RedisConnection
    private let prefix: String
    /// The fencing number under which we write; nil where there is no lease.
    private let fence: (@Sendable () -> Int)?

    /// - Parameter fence: asked before each write. A write under another number than the last holder's is refused (`fenced`).
    package init(connection: RedisConnection, prefix: String, fence: (@Sendable () -> Int)? = nil) {
        self.connection = connection
        self.prefix = prefix
        self.fence = fence
    }

    package func ping() async throws { try await connection.command(["PING"]) }

    // MARK: - Reading

    package func load() async throws -> State {
        var state = State()
        state.pools = try await values("pools", as: Pool.self, &state).reduce(into: [:]) { $0[$1.country] = $1 }
        state.exits = try await values("exits", as: Exit.self, &state).reduce(into: [:]) { $0[$1.id] = $1 }
        state.users = try await values("users", as: ProxyUser.self, &state).sorted { $0.name < $1.name }
        return state
    }

    private func values<Value: Decodable>(_ name: String, as type: Value.Type, _ state: inout State) async throws -> [Value] {
        var values: [Value] = []
        for (key, text) in try await hash(name) {
            if let value = try? JSONDecoder().decode(type, from: Data(text.utf8)) {
                values.append(value)
            } else {
                state.unreadable.append("\(name)/\(key)")
            }
        }
        return values
    }

    private func hash(_ name: String) async throws -> [(String, String)] {
        let reply = try await connection.command(["HGETALL", key(name)])
        guard let items = reply.list else { throw RedisError(code: .unreadable, message: "HGETALL answered with no list") }
        return stride(from: 0, to: items.count - 1, by: 2).compactMap { index in
            guard let field = items[index].text, let value = items[index + 1].text else { return nil }
            return (field, value)
        }
    }

    // MARK: - Writing

    /// Writes these exits and forgets those, all or nothing.
    package func save(_ exits: [Exit], removed: [ExitID]) async throws {
        var commands = try exits.map { ["HSET", key("exits"), $0.id.description, try text($0)] }
        for id in removed {
            commands.append(["HDEL", key("exits"), id.description])
            commands.append(["DEL", key("health:\(id)")])
        }
        if !commands.isEmpty { try await write(commands) }
    }

    package func save(_ pool: Pool) async throws { try await write([["HSET", key("pools"), pool.country.rawValue, try text(pool)]]) }

    package func removePool(_ country: CountryCode) async throws { try await write([["HDEL", key("pools"), country.rawValue]]) }

    package func save(_ user: ProxyUser) async throws { try await write([["HSET", key("users"), user.name, try text(user)]]) }

    package func removeUser(_ name: String) async throws { try await write([["HDEL", key("users"), name]]) }

    /// Adds one probe to an exit's history, which keeps the latest thousand.
    package func append(_ health: Health, of exit: ExitID) async throws {
        var words = ["XADD", key("health:\(exit)"), "MAXLEN", "~", "1000", "*", "verdict", health.verdict.rawValue]
        if let latency = health.latencyMilliseconds, health.failures == 0 { words += ["latency_ms", String(latency)] }
        if let reason = health.reason { words += ["reason", reason.rawValue] }
        try await write([words], isChange: false)
    }

    /// Carries commands out, all or nothing, unless another controller has held the lease since we did.
    /// - Parameter isChange: it changes what other controllers show: pools, exits, users.
    private func write(_ commands: [[String]], isChange: Bool = true) async throws {
        guard let fence else {
            try await connection.transaction(commands)
            return
        }
        let words = commands.flatMap { [String($0.count)] + $0 }
        try await connection.command(
            ["EVAL", Self.fencedScript, "2", key("fence"), key("version"), String(fence()), isChange ? "1" : "0"] + words)
    }

    private static let fencedScript = """
        if redis.call('GET', KEYS[1]) ~= ARGV[1] then return redis.error_reply('FENCED another controller leads') end
        local at = 3
        while at <= #ARGV do
            local count = tonumber(ARGV[at])
            redis.call(unpack(ARGV, at + 1, at + count))
            at = at + count + 1
        end
        if ARGV[2] == '1' then redis.call('INCR', KEYS[2]) end
        return 'OK'
        """

    // MARK: - Lists of servers

    /// A provider's list as it was stored, in JSON; nil where there is none.
    package func listing(of provider: ProviderName) async throws -> String? {
        try await connection.command(["GET", key("catalog:\(provider)")]).text
    }

    package func saveListing(_ json: String, fetchedAt: Timestamp, of provider: ProviderName) async throws {
        try await connection.transaction([
            ["SET", key("catalog:\(provider)"), json], ["SET", key("catalog:\(provider):fetched"), fetchedAt.description],
        ])
    }

    /// When the stored list of a provider was fetched.
    package func fetchTime(of provider: ProviderName) async throws -> Timestamp? {
        try await connection.command(["GET", key("catalog:\(provider):fetched")]).text.flatMap { Timestamp($0) }
    }

    /// Takes the right to fetch a provider's list, for that many seconds at most; nil while another controller has it.
    package func beginFetch(of provider: ProviderName, right: String, seconds: Int) async throws -> Bool {
        let reply = try await connection.command(["SET", key("catalog:\(provider):fetcher"), right, "NX", "EX", String(seconds)])
        return reply.text == "OK"
    }

    /// Gives the right back, unless it has become somebody else's.
    package func endFetch(of provider: ProviderName, right: String) async throws {
        let script = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
        try await connection.command(["EVAL", script, "1", key("catalog:\(provider):fetcher"), right])
    }

    private func key(_ name: String) -> String { "\(prefix):\(name)" }

    private func text(_ value: some Encodable) throws -> String {
        String(decoding: try JSONEncoder().encode(value), as: UTF8.self)
    }
}
