import AccessControl
import HTTPServing
import Model
import OpenAPI
import Platform

/// `/api/auth`: API keys.
struct KeyRoutes: RouteGroup {
    static let keyExample = "h3Wq9ZtYp2mXc7RvLk4NbJd8FgSa5HeUyT6oQiEwKzM"
    let callers: Callers
    /// Nil keeps keys as long as this process lives.
    let store: (any KeyStore)?

    private var keys: KeyRing { callers.keys }

    var routes: [APIRoute] {
        let name = Schema.text("dashboard", pattern: "^[A-Za-z0-9_.-]{1,64}$")
        return [
            Route("GET", "/api/auth/keys", .admin, "API keys", answers: [.json(200, "the keys", .keys)], limit: .strict, .ready(listKeys)),
            Route(
                "POST", "/api/auth/keys", .admin, "Makes an API key", "Only this answer shows it; only its SHA-256 is stored.",
                body: Body(
                    .always("name", name, "1 to 64 of A-Z a-z 0-9 _ . -"), .always("role", .choice(Role.self)),
                    .maybe("expires_in_seconds", .whole(60...315_360_000, 86_400), "without it the key does not expire"),
                    example: .object(["name": .string("dashboard"), "role": .string("viewer")])),
                answers: [
                    .json(
                        201, "the key", .key, headers: ["Location"],
                        showing: ["key": .string(Self.keyExample), "expires_at": nil, "last_used_at": nil])
                ],
                limit: .strict, answersSecret: true, .waiting(createKey)),
            Route(
                "GET", "/api/auth/keys/{key}", .admin, "One API key", answers: [.json(200, "the key", .key)], limit: .strict,
                .ready(showKey)),
            Route(
                "PATCH", "/api/auth/keys/{key}", .admin, "Renames an API key",
                body: Body(.always("name", name, "1 to 64 of A-Z a-z 0-9 _ . -")), answers: [.json(200, "the key", .key)], problems: [409],
                limit: .strict, .waiting(renameKey)),
            Route(
                "DELETE", "/api/auth/keys/{key}", .admin, "Revokes an API key", "At once here, within a second at other controllers.",
                answers: [.empty("the key is revoked")], problems: [409], limit: .strict, .waiting(revokeKey)),
            Route(
                "GET", "/api/auth/me", .viewer, "The key of this request", answers: [.json(200, "the key", .key)],
                limit: .strict, .ready(showOwnKey)),
        ]
    }

    private struct ShownKey {
        let key: APIKey
        let lastUsedAt: Timestamp?
        let secret: String?
    }

    fileprivate static let schema = keyView.schema
    private static let keyView = View<ShownKey>(
        "Key",
        .always("id", .text("k3f9ab27c"), "stays when the key is renamed") { $0.key.id },
        .always("name", .text("dashboard")) { $0.key.name },
        .always("role", .choice(Role.self)) { $0.key.role },
        .always("created_at", .time) { $0.key.createdAt },
        .maybe("expires_at", .time) { $0.key.expiresAt },
        .maybe("last_used_at", .time) { $0.lastUsedAt },
        .always("configured", .flag, "true for keys of the configuration, which can't be changed here") { $0.key.isConfigured },
        .maybe("key", .text(keyExample), "the key itself, only in the answer that made it") { $0.secret },
        showing: ["expires_at": .string("2026-12-31T00:00:00.000Z"), "key": nil])

    private func view(_ key: APIKey, secret: String? = nil) -> Fields {
        Self.keyView(ShownKey(key: key, lastUsedAt: keys.lastUse(of: key.id), secret: secret))
    }

    func listKeys(_ request: ServerRequest) throws -> ServerResponse { .json(["keys": keys.all.map { view($0) }]) }

    func showKey(_ request: ServerRequest) throws -> ServerResponse { .json(view(try key(of: request))) }

    func showOwnKey(_ request: ServerRequest) throws -> ServerResponse {
        guard let key = callers.key(of: request) else { throw APIProblem.notFound("such key any more") }
        return .json(view(key))
    }

    func createKey(_ request: ServerRequest) async throws -> ServerResponse {
        let (name, role, seconds): (String, Role, Int?) = try request.body { reader in
            let seconds = reader.integer("expires_in_seconds", in: 60...315_360_000)
            let role = reader.required("role", reader.choice("role", Role.self), want: "viewer, operator or admin")
            guard let name = Self.name(reader), let role else { return nil }
            return (name, role, seconds)
        }
        guard !keys.all.contains(where: { $0.name == name }) else { throw Self.taken(name) }
        let secret = Digest.randomWord(length: 43)
        let now = SystemClock.now()
        let key = APIKey(
            id: "k" + Digest.randomHex(bytes: 6), name: name, role: role, digest: Digest.sha256(secret), createdAt: now,
            expiresAt: seconds.map { now + Double($0) })
        try await stored { try await $0.save(key) }
        keys.add(key)
        return .json(view(key, secret: secret), status: 201, headers: [("Location", "/api/auth/keys/\(key.id)")])
    }

    func renameKey(_ request: ServerRequest) async throws -> ServerResponse {
        var key = try key(of: request)
        let name: String = try request.body { Self.name($0) }
        try Self.refuseConfigured(key)
        guard !keys.all.contains(where: { $0.name == name && $0.id != key.id }) else { throw Self.taken(name) }
        key.name = name
        let renamed = key
        try await stored { try await $0.save(renamed) }
        keys.add(key)
        return .json(view(key))
    }

    func revokeKey(_ request: ServerRequest) async throws -> ServerResponse {
        let key = try key(of: request)
        try Self.refuseConfigured(key)
        try await stored { try await $0.removeKey(key.id) }
        keys.remove(key.id)
        // They have ended with it; what is left of them goes.
        try? await callers.sessions.removeAll(of: key.id)
        return .noContent
    }

    // MARK: - Parts of these

    private func key(of request: ServerRequest) throws -> APIKey {
        guard let key = keys.key(request.parameters["key"] ?? "") else { throw APIProblem.notFound("such key") }
        return key
    }

    private static func name(_ reader: FieldReader) -> String? {
        guard let name = reader.required("name", reader.string("name"), want: "1 to 64 of A-Z a-z 0-9 _ . -") else { return nil }
        let isGood =
            (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) || [0x5F, 0x2E, 0x2D].contains($0)
            }
        if !isGood { reader.problem("name", "expected 1 to 64 of A-Z a-z 0-9 _ . -") }
        return name
    }

    private static func taken(_ name: String) -> APIProblem {
        APIProblem(status: 409, code: "exists", message: "there is a key \(name) already")
    }

    private static func refuseConfigured(_ key: APIKey) throws {
        guard key.isConfigured else { return }
        throw APIProblem(status: 409, code: "configured", message: "\(key.name) is a key of the configuration; change it there")
    }

    /// Changes the store of keys; without one, keys live as long as this process.
    private func stored(_ body: (any KeyStore) async throws -> Void) async throws {
        guard let store else { return }
        try await APIProblem.ifUnavailable { try await body(store) }
    }
}

extension Schema {
    static let key = KeyRoutes.schema
    static let keys = named("Keys", .always("keys", .list(.key)))
}
