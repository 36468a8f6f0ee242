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
/// | `<prefix>:catalog:<provider>:breaker` | string, expires | that it has refused us, and until when it is left alone |
/// | `<prefix>:catalog:<provider>:fetcher` | string, expires | which controller fetches it at the moment |
/// | `<prefix>:health:<exit>` | stream | what its probes said, a `HealthSample` as JSON each 10 s, at most about 2,000 |
/// | `<prefix>:events` | stream | what happened, an `Event` as JSON each, at most about 10,000 |
/// | `<prefix>:events:counts` | hash | kind to how often it has happened |
/// | `<prefix>:events:uids` | sorted set | the latest events' own ids, at most 10,000, so that none is stored twice |
/// | `<prefix>:breakers` | hash | `server:<hostname>`, `credential:<provider>` to `Breaker` as JSON |
/// | `<prefix>:addresses` | hash | address to `HeldAddress` as JSON: given to an exit, and not to be given to another one |
/// | `<prefix>:format` | string | the number of the format; not there for the first (`StoreFormat`) |
/// | `<prefix>:room` | string, expires | what is written to see whether a full Redis takes writes again |
/// | `<prefix>:alerts` | hash | id to `Alert` as JSON, for as long as each is true |
package final class Store: Sendable {
    package struct State: Sendable {
        package var pools: [CountryCode: Pool] = [:]
        package var exits: [ExitID: Exit] = [:]
        package var users: [ProxyUser] = []
        /// Entries that could not be read; they are left where they are.
        package var unreadable: [String] = []
        package init() {}
    }

    let connection: RedisConnection
    let prefix: String
    private let writes: FencedWrites
    package let tables: SignedTables
    private let guards: SignedTables.Guards

    /// - Parameter fence: asked before each write. A write under another number than the last holder's is refused (`fenced`).
    /// - Parameter tables: checks and signs pools, exits and users; without it they count as they are.
    package init(connection: RedisConnection, prefix: String, fence: (@Sendable () -> Int)? = nil, tables: SignedTables? = nil) {
        self.connection = connection
        self.prefix = prefix
        self.tables = tables ?? SignedTables(connection: connection, prefix: prefix)
        guards = .init(fence: fence, isChange: true)
        writes = FencedWrites(connection: connection, prefix: prefix, fence: fence)
    }

    package func ping() async throws { try await connection.command(["PING"]) }

    /// Writes something that nobody reads, to see whether the server takes it.
    package func tryToWrite() async throws { try await connection.command(["SET", key("room"), "1", "EX", "60"]) }

    // MARK: - Reading

    package func load() async throws -> State {
        var state = State()
        state.pools = try await values(.pools, as: Pool.self, &state).reduce(into: [:]) { $0[$1.country] = $1 }
        state.exits = try await values(.exits, as: Exit.self, &state).reduce(into: [:]) { $0[$1.id] = $1 }
        state.users = try await values(.users, as: ProxyUser.self, &state).sorted { $0.name < $1.name }
        return state
    }

    private func values<Value: Decodable>(_ table: SignedTable, as type: Value.Type, _ state: inout State) async throws -> [Value] {
        var values: [Value] = []
        for (key, text) in try await tables.wholeRows(table) {
            if let value = try? JSONDecoder().decode(type, from: Data(text.utf8)) {
                values.append(value)
            } else {
                state.unreadable.append("\(table.rawValue)/\(key)")
            }
        }
        return values
    }

    func hash(_ name: String) async throws -> [(String, String)] {
        let reply = try await connection.command(["HGETALL", key(name)])
        guard let items = reply.list else { throw RedisError(code: .unreadable, message: "HGETALL answered with no list") }
        return stride(from: 0, to: items.count - 1, by: 2).compactMap { index in
            guard let field = items[index].text, let value = items[index + 1].text else { return nil }
            return (field, value)
        }
    }

    // MARK: - Writing

    /// Writes these exits and forgets those, each whole or not at all.
    package func save(_ exits: [Exit], removed: [ExitID]) async throws {
        let changes = try exits.map { ($0.id.description, Optional(try text($0))) } + removed.map { ($0.description, nil) }
        // In pieces, so that no script holds Redis up.
        for start in stride(from: 0, to: changes.count, by: 500) {
            let piece = changes[start..<min(start + 500, changes.count)]
            let gone = piece.filter { $0.1 == nil }.map { key("health:\($0.0)") }
            try await tables.commit(
                Dictionary(piece) { $1 }, to: .exits, with: gone.isEmpty ? [] : [["DEL"] + gone], guards)
        }
    }

    package func save(_ pool: Pool) async throws { try await tables.commit([pool.country.rawValue: try text(pool)], to: .pools, guards) }

    package func removePool(_ country: CountryCode) async throws { try await tables.commit([country.rawValue: nil], to: .pools, guards) }

    package func save(_ user: ProxyUser) async throws { try await tables.commit([user.name: try text(user)], to: .users, guards) }

    package func removeUser(_ name: String) async throws { try await tables.commit([name: nil], to: .users, guards) }

    // MARK: - Histories

    /// Adds one sample to each exit's history.
    package func append(_ samples: [(exit: ExitID, sample: HealthSample)]) async throws {
        let commands = try samples.map { exit, sample in
            [["XADD", key("health:\(exit)"), "MAXLEN", "~", "2000", "*", "sample", try text(sample)]]
        }
        try await write(commands, isChange: false)
    }

    /// Keeps what the probes of these exits say, in place of what was kept, for a minute.
    package func save(_ health: [ExitID: Health]) async throws {
        guard !health.isEmpty else { return }
        let rows = try health.flatMap { [$0.key.description, try text($0.value)] }
        try await write([[["DEL", key("probes")], ["HSET", key("probes")] + rows, ["EXPIRE", key("probes"), "60"]]], isChange: false)
    }

    package func health() async throws -> [ExitID: Health] {
        try await hash("probes").reduce(into: [:]) { health, row in
            guard let id = ExitID(row.0), let value = try? JSONDecoder().decode(Health.self, from: Data(row.1.utf8)) else { return }
            health[id] = value
        }
    }

    /// An exit's latest samples, newest first.
    package func history(of exit: ExitID, limit: Int) async throws -> [HealthSample] {
        let reply = try await connection.command(["XREVRANGE", key("health:\(exit)"), "+", "-", "COUNT", String(limit)])
        return Self.entries(reply).compactMap { try? JSONDecoder().decode(HealthSample.self, from: Data($0.text.utf8)) }
    }

    /// The entries of a stream that have one field: their ids and its value.
    static func entries(_ reply: RedisReply) -> [(id: String, text: String)] {
        (reply.list ?? []).compactMap { entry in
            guard let parts = entry.list, parts.count == 2, let id = parts[0].text, let fields = parts[1].list, fields.count >= 2,
                let text = fields[1].text
            else { return nil }
            return (id, text)
        }
    }

    // MARK: - Breakers and alerts

    package func breakers<Value: Decodable>(as type: Value.Type) async throws -> [BreakerKey: Value] {
        try await hash("breakers").reduce(into: [:]) { $0[BreakerKey($1.0)] = try? JSONDecoder().decode(type, from: Data($1.1.utf8)) }
    }

    /// Nil forgets one.
    package func save(breakers: [BreakerKey: (some Encodable)?]) async throws {
        let commands = try breakers.map { breaker, value in
            [try value.map { ["HSET", key("breakers"), "\(breaker)", try text($0)] } ?? ["HDEL", key("breakers"), "\(breaker)"]]
        }
        try await write(commands)
    }

    package func alerts() async throws -> [Alert] {
        try await hash("alerts").compactMap { try? JSONDecoder().decode(Alert.self, from: Data($0.1.utf8)) }
    }

    package func save(alerts: [Alert], cleared: [AlertSubject]) async throws {
        let raised = try alerts.map { [["HSET", key("alerts"), "\($0.subject)", try text($0)]] }
        try await write(raised + cleared.map { [["HDEL", key("alerts"), "\($0)"]] })
    }

    /// Addresses that are not to be given to another exit.
    package func addresses() async throws -> [IPv4Address: HeldAddress] {
        try await hash("addresses").reduce(into: [:]) { addresses, row in
            guard let address = IPv4Address(row.0) else { return }
            // A holder that can't be read holds it all the same.
            let unknown = HeldAddress(exit: nil, generation: 0, since: Timestamp(milliseconds: 0))
            addresses[address] = (try? JSONDecoder().decode(HeldAddress.self, from: Data(row.1.utf8))) ?? unknown
        }
    }

    /// Nil forgets one.
    package func save(addresses: [IPv4Address: HeldAddress?]) async throws {
        let groups = try addresses.map { address, holder in
            [try holder.map { ["HSET", key("addresses"), "\(address)", try text($0)] } ?? ["HDEL", key("addresses"), "\(address)"]]
        }
        if !groups.isEmpty { try await write(groups, isChange: false) }
    }

    private func write(_ groups: [FencedWrites.Group], isChange: Bool = true) async throws {
        try await writes.send(groups, isChange: isChange)
    }

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

    /// What is remembered of a provider that has refused its list, in JSON; nil where there is nothing.
    package func fetchBreaker(of provider: ProviderName) async throws -> String? {
        try await connection.command(["GET", key("catalog:\(provider):breaker")]).text
    }

    package func saveFetchBreaker(_ json: String?, of provider: ProviderName) async throws {
        let key = key("catalog:\(provider):breaker")
        try await connection.command(json.map { ["SET", key, $0, "EX", "86400"] } ?? ["DEL", key])
    }

    func key(_ name: String) -> String { "\(prefix):\(name)" }

    func text(_ value: some Encodable) throws -> String {
        String(decoding: try JSONEncoder().encode(value), as: UTF8.self)
    }
}
