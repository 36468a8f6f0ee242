import AccessControl
import FoundationEssentials
import Model
import Platform
import RedisStore

/// Sessions in Redis, each row with a code of ours: whoever can write the store can end sessions, and can't make one.
struct RedisSessions: SessionStore {
    static let purpose = "api/sessions"
    let store: APIStore
    let authenticator: Authenticator

    func sessionRevision() async throws -> String { try await store.sessionRevision() }

    func sessions() async throws -> (sessions: [Session], used: [String: Timestamp]) {
        let (rows, used) = try await store.sessionRows()
        return (rows.compactMap { session($0.key, $0.value) }, used.compactMapValues { Timestamp($0) })
    }

    func save(_ session: Session) async throws {
        let text = String(decoding: try JSONEncoder().encode(session), as: UTF8.self)
        try await store.setSession(
            session.id, "\(authenticator.code([session.id, text])) \(text)", used: session.createdAt.description)
    }

    func removeSessions(_ ids: [String]) async throws { try await store.removeSessionRows(ids) }

    func noteSessionUse(_ used: [String: Timestamp]) async throws { try await store.setSessionUses(used.mapValues(\.description)) }

    /// The session of a row; nil where no controller of this store has written it.
    private func session(_ id: String, _ row: String) -> Session? {
        let parts = row.split(separator: " ", maxSplits: 1).map(String.init)
        guard parts.count == 2, authenticator.check(parts[0], [id, parts[1]]) == .valid else { return nil }
        let session = try? JSONDecoder().decode(Session.self, from: Data(parts[1].utf8))
        return session?.id == id ? session : nil
    }
}
