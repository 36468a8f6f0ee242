package import Model
import Platform

/// A browser that has signed in with an API key: it may do what the key may, as long as the key may.
package struct Session: Sendable, Hashable, Codable {
    /// Its name for the API and the audit log.
    package var id: String
    /// Hexadecimal SHA-256 of the token that the browser keeps; the token itself is kept nowhere else.
    package var digest: String
    package var keyID: String
    /// The beginning of the key's digest: a key of the same id that was made anew has other sessions.
    package var keyMark: String
    package var createdAt: Timestamp
    /// Where it was signed in from.
    package var address: String
    package var userAgent: String

    /// A new session.
    /// - Parameter userAgent: as the browser sent it; nil where it sent none.
    package init(
        id: String = "s" + Digest.randomHex(bytes: 6), digest: String, key: APIKey, createdAt: Timestamp, address: String,
        userAgent: String?
    ) {
        self.id = id
        self.digest = digest
        keyID = key.id
        keyMark = key.mark
        self.createdAt = createdAt
        self.address = address
        self.userAgent = String(String.UnicodeScalarView((userAgent ?? "").unicodeScalars.filter(Self.isPrintable).prefix(200)))
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool { (0x20...0x7E).contains(scalar.value) }

    /// How long sessions last.
    package struct Limits: Sendable, Hashable {
        /// Seconds after which one ends in any case, and without a request.
        package var seconds: Int
        package var idleSeconds: Int

        package init(seconds: Int = 7 * 86_400, idleSeconds: Int = 12 * 3600) {
            self.seconds = seconds
            self.idleSeconds = idleSeconds
        }
    }

    /// When it ends in any case.
    package func end(_ limits: Limits) -> Timestamp { createdAt + Double(limits.seconds) }

    /// True where neither limit is reached.
    func isOpen(_ limits: Limits, lastUse: Timestamp?, now: Timestamp) -> Bool {
        now < end(limits) && now < max(createdAt, lastUse ?? createdAt) + Double(limits.idleSeconds)
    }
}

extension APIKey {
    /// Tells this key from another one of the same id.
    var mark: String { String(digest.prefix(16)) }
}

/// Keeps sessions where all controllers find them.
package protocol SessionStore: Sendable {
    /// Equal revisions are equal sessions and uses.
    func sessionRevision() async throws -> String
    /// All sessions that a controller of this store has made, and when each was used last.
    func sessions() async throws -> (sessions: [Session], used: [String: Timestamp])
    func save(_ session: Session) async throws
    func removeSessions(_ ids: [String]) async throws
    func noteSessionUse(_ used: [String: Timestamp]) async throws
}
