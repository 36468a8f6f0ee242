import AccessControl
import Model
import OpenAPI

/// A browser that has signed in; of a caller who brings a key, the key alone.
struct SignedIn: Sendable {
    let key: APIKey
    private var open: (session: Session, lastUse: Timestamp, limits: Session.Limits, isCurrent: Bool)?

    init(_ key: APIKey) { self.key = key }

    init(_ key: APIKey, _ session: Session, lastUse: Timestamp, limits: Session.Limits, isCurrent: Bool = true) {
        self.key = key
        open = (session, lastUse, limits, isCurrent)
    }

    private var end: Timestamp? {
        open.flatMap { [$0.session.end($0.limits), key.expiresAt].compactMap(\.self).min() }
    }

    /// Seconds from its beginning to its end at the latest.
    var secondsLeft: Int {
        guard let open, let end else { return 0 }
        return max(0, Int((end.milliseconds - open.session.createdAt.milliseconds) / 1000))
    }

    static let codeExample = "1795222923456-9f86d081884c7d65-0f3c9a1b2c3d4e5f-3f9ab27c.60303ae22b998861-k3f9ab27c"

    private static let keyView = View<APIKey>(
        .always("id", .text("k3f9ab27c")) { $0.id },
        .always("name", .text("dashboard")) { $0.name },
        .always("role", .choice(Role.self)) { $0.role })

    static let view = View<Self>(
        "Session",
        .always("key", keyView.schema, "the API key that it belongs to; its role is the session's") { keyView($0.key) },
        .maybe("id", .text("s3f9ab27c1d2e"), "absent if the request came with a key") { $0.open?.session.id },
        .maybe("created_at", .time) { $0.open?.session.createdAt },
        .maybe("last_used_at", .time) { $0.open?.lastUse },
        .maybe("expires_at", .time, "when it ends at the latest") { $0.end },
        .maybe("idle_seconds", .whole(43_200), "seconds without a request after which it ends") { $0.open?.limits.idleSeconds },
        .maybe("address", .text("127.0.0.1"), "the client's when it signed in") { $0.open?.session.address },
        .maybe("user_agent", .text("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"), "the first 200 characters") {
            $0.open?.session.userAgent
        },
        .maybe("current", .flag, "true: the session of this request") { $0.open?.isCurrent },
        showing: ["expires_at": .string("2026-12-31T00:00:00.000Z")])
}

extension Schema {
    static let session = SignedIn.view.schema
    static let sessions = named("Sessions", .always("sessions", .list(.session)))
    static let signInCode = named("SignInCode", .always("code", .text(SignedIn.codeExample)), .always("expires_at", .time))
}
