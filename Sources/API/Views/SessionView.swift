import AccessControl
import Model
import OpenAPI

/// A session as the API shows it; of a caller who brings a key, the key alone.
struct SessionView: Encodable {
    struct Key: Encodable {
        let id: String
        let name: String
        let role: Role
    }

    let key: Key
    var id: String?
    var createdAt: Timestamp?
    var lastUsedAt: Timestamp?
    var expiresAt: Timestamp?
    var idleSeconds: Int?
    var address: String?
    var userAgent: String?
    var current: Bool?

    init(_ key: APIKey) { self.key = Key(id: key.id, name: key.name, role: key.role) }

    init(_ key: APIKey, _ session: Session, lastUse: Timestamp, limits: Session.Limits, isCurrent: Bool = true) {
        self.init(key)
        (id, createdAt, lastUsedAt) = (session.id, session.createdAt, lastUse)
        expiresAt = [session.end(limits), key.expiresAt].compactMap(\.self).min()
        idleSeconds = limits.idleSeconds
        (address, userAgent, current) = (session.address, session.userAgent, isCurrent)
    }

    /// Seconds from its beginning to its end at the latest.
    var secondsLeft: Int {
        guard let createdAt, let expiresAt else { return 0 }
        return max(0, Int((expiresAt.milliseconds - createdAt.milliseconds) / 1000))
    }
}

extension Schema {
    static let session = named(
        "Session",
        .object(
            .always(
                "key", .object(.always("id", .text("k3f9ab27c")), .always("name", .text("dashboard")), .always("role", .choice(Role.self))),
                "the API key that it belongs to; its role is the session's"),
            .maybe("id", .text("s3f9ab27c1d2e"), "absent where the request came with a key"), .maybe("created_at", .time),
            .maybe("last_used_at", .time), .maybe("expires_at", .time, "when it ends in any case"),
            .maybe("idle_seconds", .whole(43_200), "seconds without a request after which it ends"),
            .maybe("address", .text("127.0.0.1"), "where it was signed in from"),
            .maybe("user_agent", .text("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"), "the first 200 characters"),
            .maybe("current", .flag, "true for the session that the request came by")
        ).showing(["expires_at": .string("2026-12-31T00:00:00.000Z")]))
    static let sessions = named("Sessions", .object(.always("sessions", .list(.session))))
    static let signInCode = named(
        "SignInCode",
        .object(
            .always("code", .text("1763686923456-9f86d081884c7d65-0f3c9a1b2c3d4e5f-3f9ab27c.60303ae22b998861-k3f9ab27c")),
            .always("expires_at", .time)))
}
