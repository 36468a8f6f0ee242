/// Browsers' sessions.
///
/// | key | type | holds |
/// | --- | --- | --- |
/// | `<prefix>:api:sessions` | hash | id to a code and the session as JSON |
/// | `<prefix>:api:sessions:used` | hash | id to the time of the last use |
/// | `<prefix>:api:sessions:revision` | string | counts changes of the two |
extension APIStore {
    private static let table = "sessions"
    private static let uses = "sessions:used"
    private static let revision = "sessions:revision"

    package func sessionRevision() async throws -> String {
        try await connection.command(["GET", key(Self.revision)]).text ?? ""
    }

    /// Rows and times of use, by id.
    package func sessionRows() async throws -> (rows: [String: String], used: [String: String]) {
        (try await table(Self.table), try await table(Self.uses))
    }

    package func setSession(_ id: String, _ row: String, used: String) async throws {
        // A store that is not ours gets no sessions of ours.
        try await tables.checkTrust()
        try await commit([["HSET", key(Self.table), id, row], ["HSET", key(Self.uses), id, used]])
    }

    package func removeSessionRows(_ ids: [String]) async throws {
        if !ids.isEmpty { try await commit([["HDEL", key(Self.table)] + ids, ["HDEL", key(Self.uses)] + ids]) }
    }

    package func setSessionUses(_ used: [String: String]) async throws {
        if !used.isEmpty { try await commit([["HSET", key(Self.uses)] + used.flatMap { [$0.key, $0.value] }]) }
    }

    private func commit(_ commands: [[String]]) async throws {
        try await connection.transaction(commands + [["INCR", key(Self.revision)]])
    }
}
