import HTTPServing
package import Model
import OpenAPI
import Platform

/// `/api/users`: who may use the proxies, where to, and how much.
struct UserRoutes: RouteGroup {
    let operations: any Operations

    private static let passwordSchema = Schema.text("correct-horse-battery", pattern: "^[!-~]{12,128}$")

    /// Fields that a user is made or changed with; `limits` and `expires_at` may also be null, which takes them away.
    private static let settings: [Schema.Field] = [
        .maybe("password", passwordSchema, PasswordRule.words),
        .maybe("expires_at", .time.orNull, "from this time the user is refused"),
        .maybe("disabled", .flag),
        .maybe("countries", .list(.country, limit: 250), "countries that the user may use; empty for all"),
        .maybe("fallback", .list(.country, limit: 10), "countries that are used instead, in this order, while the wanted one has no exit"),
        .maybe("addresses", .list(.network, limit: 150), "IPv4 or IPv6 networks that the user comes from"),
        .maybe("address_rule", .choice(ProxyUser.AddressRule.self), "what the addresses are for"),
        .maybe("limits", Schema.userLimitChanges, "omitted limits stay; null removes one"),
    ]

    var routes: [APIRoute] {
        [
            Route("GET", "/api/users", .admin, "Proxy users", answers: [.json(200, "the users", .users)], .ready(listUsers)),
            Route(
                "POST", "/api/users", .admin, "Makes a proxy user", "Without a password one is made; only this answer shows it.",
                body: Body(
                    .object([.always("name", .text("bob", pattern: "^[a-z0-9_.]{1,32}$"), "1 to 32 of a-z 0-9 _ .")] + Self.settings),
                    example: .object(["name": .string("bob")])),
                answers: [
                    .json(
                        201, "the user", .user,
                        showing: [
                            "name": .string("bob"), "expires_at": nil, "countries": .array([]), "fallback": .array([]),
                            "addresses": .array([]),
                            "limits": .object([:]), "password": .string("kJ7wq3bTzyRf5XmN8pQv2LcD"),
                        ])
                ], answersSecret: true,
                .waiting(createUser)),
            Route("GET", "/api/users/{name}", .admin, "One proxy user", answers: [.json(200, "the user", .user)], .ready(showUser)),
            Route(
                "PATCH", "/api/users/{name}", .admin, "Changes a proxy user", "Only the fields that are named change.",
                body: Body(.object(Self.settings), example: .object(["disabled": .bool(true)])),
                answers: [.json(200, "the user", .user, showing: ["disabled": .bool(true)])],
                .waiting(changeUser)),
            Route(
                "DELETE", "/api/users/{name}", .admin, "Removes a proxy user", answers: [.empty("the user is removed")],
                .waiting(deleteUser)),
            Route(
                "POST", "/api/users/{name}/rotate", .admin, "Gives a proxy user a new password",
                "The present one stays valid for `overlap_seconds`. Without a password one is made; only this answer shows it.",
                body: Body(
                    .maybe("password", Self.passwordSchema, PasswordRule.words),
                    .maybe("overlap_seconds", .whole(0...2_592_000, 86_400), "0: the present one ends at once"), isOptional: true,
                    example: .object(["overlap_seconds": .integer(3600)])),
                answers: [
                    .json(
                        200, "the user", .user,
                        showing: [
                            "password": .string("kJ7wq3bTzyRf5XmN8pQv2LcD"), "old_password_expires_at": .string("2026-11-21T02:02:03.456Z"),
                        ])
                ], answersSecret: true,
                .waiting(rotateUser)),
            Route(
                "POST", "/api/users/{name}/token", .admin, "Makes a proxy user's token",
                "It is for `/api/me` alone, and takes the place of an earlier one. Only this answer shows it; only its SHA-256 is stored.",
                body: Body(
                    .maybe("expires_in_seconds", .whole(60...315_360_000, 86_400), "without it the token does not expire"),
                    isOptional: true,
                    example: .object([:])),
                answers: [.json(201, "the token", ShownToken.view.schema)], limit: .strict, answersSecret: true, .waiting(createToken)),
            Route(
                "DELETE", "/api/users/{name}/token", .admin, "Removes a proxy user's token",
                "At once here, within a second at other controllers.", answers: [.empty("the user has no token")], limit: .strict,
                .waiting(deleteToken)),
            Route(
                "GET", "/api/users/{name}/usage", .admin, "A proxy user's usage",
                "By hour, day and country, in UTC, the newest first.", query: UsageSpan.query,
                answers: [.json(200, "the usage", .userUsage)], .waiting(showUsage)),
        ]
    }

    func listUsers(_ request: ServerRequest) throws -> ServerResponse {
        let state = operations.state
        return .json(["users": state.users.map { ShownUser.view(ShownUser(user: $0, blocked: state.blockedUsers[$0.name])) }])
    }

    func showUser(_ request: ServerRequest) throws -> ServerResponse {
        let state = operations.state
        let user = try known(request, state)
        return .json(ShownUser.view(ShownUser(user: user, blocked: state.blockedUsers[user.name])))
    }

    /// Makes a user. Without a password of the caller's one is made; only that answer shows it.
    func createUser(_ request: ServerRequest) async throws -> ServerResponse {
        let (changes, chosen): (ProxyUser, String?) = try request.body { reader in
            let name = reader.required("name", reader.string("name"), want: "1 to 32 of a-z 0-9 _ .")
            let password = Self.password(reader, of: name)
            if let name, !ProxyUser.isValidName(name) {
                reader.problem("name", "expected 1 to 32 of a-z 0-9 _ . (no hyphen: it begins the parameters)")
            }
            var user = ProxyUser(name: name ?? "", passwords: [], createdAt: SystemClock.now())
            Self.read(reader, into: &user)
            return (user, password)
        }
        let password = chosen ?? Digest.randomWord(length: 24)
        var user = changes
        user.passwords = [.make(password)]
        try await operations.execute(.addUser(user))
        return .json(ShownUser.view(ShownUser(user: user, password: chosen == nil ? password : nil)), status: 201)
    }

    /// Changes the fields that the body names; null takes a limit away.
    func changeUser(_ request: ServerRequest) async throws -> ServerResponse {
        var user = try known(request, operations.state)
        user = try request.body { reader in
            if let password = Self.password(reader, of: user.name) { user.passwords = [.make(password)] }
            Self.read(reader, into: &user)
            return user
        }
        try await operations.execute(.changeUser(user))
        return .json(ShownUser.view(ShownUser(user: user, blocked: operations.state.blockedUsers[user.name])))
    }

    /// Gives a user a new password; the present one stays valid for `overlap_seconds`.
    func rotateUser(_ request: ServerRequest) async throws -> ServerResponse {
        var user = try known(request, operations.state)
        let name = user.name
        let (chosen, overlap): (String?, Int) = try request.body { reader in
            (Self.password(reader, of: name), reader.integer("overlap_seconds", in: 0...2_592_000) ?? 86_400)
        }
        let password = chosen ?? Digest.randomWord(length: 24)
        let end = SystemClock.now() + Double(overlap)
        let old = user.passwords.filter { $0.expiresAt.map { $0 > SystemClock.now() } ?? true }.prefix(1).map { password in
            ProxyUser.Password(salt: password.salt, digest: password.digest, expiresAt: min(password.expiresAt ?? end, end))
        }
        user.passwords = [.make(password)] + (overlap > 0 ? old : [])
        try await operations.execute(.changeUser(user))
        return .json(ShownUser.view(ShownUser(user: user, password: chosen == nil ? password : nil)))
    }

    func deleteUser(_ request: ServerRequest) async throws -> ServerResponse {
        try await operations.execute(.removeUser(request.parameters["name"] ?? ""))
        return .noContent
    }

    /// Gives a user a token in place of any other.
    func createToken(_ request: ServerRequest) async throws -> ServerResponse {
        var user = try known(request, operations.state)
        let (seconds, _): (Int?, Bool) = try request.body { reader in
            (reader.integer("expires_in_seconds", in: 60...315_360_000), true)
        }
        let (secret, now) = (Digest.randomWord(length: 43), SystemClock.now())
        let token = ProxyUser.Token(digest: Digest.sha256(secret), createdAt: now, expiresAt: seconds.map { now + Double($0) })
        user.token = token
        try await operations.execute(.changeUser(user))
        return .json(ShownToken.view(ShownToken(user: user.name, token: token, secret: secret)), status: 201)
    }

    func deleteToken(_ request: ServerRequest) async throws -> ServerResponse {
        var user = try known(request, operations.state)
        guard user.token != nil else { throw APIProblem.notFound("token of that user") }
        user.token = nil
        try await operations.execute(.changeUser(user))
        return .noContent
    }

    /// What a user has used, by hour and by day.
    func showUsage(_ request: ServerRequest) async throws -> ServerResponse {
        let user = try known(request, operations.state)
        let (hours, days) = UsageSpan.span(of: request)
        return .json(try await operations.usage(of: user.name, hours: hours, days: days).fields(of: user))
    }

    private func known(_ request: ServerRequest, _ state: OperatorState) throws -> ProxyUser {
        let name = request.parameters["name"] ?? ""
        guard let user = state.users.first(where: { $0.name == name }) else { throw APIProblem.notFound("user of that name") }
        return user
    }

    /// A password of the caller's for a user.
    private static func password(_ reader: FieldReader, of user: String?) -> String? {
        let password = reader.string("password", limit: 128)
        if let password, let problem = PasswordRule.problem(with: password, of: user) { reader.problem("password", problem) }
        return password
    }

    /// A large part of the internet as a password would be an open proxy, also where it comes in pieces.
    private static func checkOpenNetworks(_ user: ProxyUser, _ reader: FieldReader) {
        let networks = user.openNetworks
        var isWide = false
        for (index, network) in networks.enumerated() {
            guard let excess = NetworkUnion([network]).excess else { continue }
            isWide = true
            reader.problem("addresses[\(index)]", "\(network.text) has \(excess) for a network without a password")
        }
        guard !isWide, let excess = NetworkUnion(networks).excess else { return }
        let list = networks.map(\.text).joined(separator: ", ")
        reader.problem("addresses", "\(list): together \(excess) for networks without a password")
    }

    /// Reads all but the name and the password.
    private static func read(_ reader: FieldReader, into user: inout ProxyUser) {
        if reader.names("expires_at") { user.expiresAt = reader.timestamp("expires_at") }
        if let flag = reader.bool("disabled") { user.isDisabled = flag }
        if reader.names("countries") { user.countries = reader.countries("countries") ?? [] }
        if reader.names("fallback") { user.fallback = reader.countries("fallback", limit: 10) ?? [] }
        if reader.names("addresses") {
            let texts = reader.strings("addresses", limit: 150) ?? []
            for (index, text) in texts.enumerated() where Network(text) == nil {
                reader.problem("addresses[\(index)]", "is not a network, expected one like 203.0.113.0/24 or an address")
            }
            user.addresses = texts.compactMap { Network($0)?.text }
        }
        if let rule = reader.choice("address_rule", ProxyUser.AddressRule.self) { user.addressRule = rule }
        if user.addressRule == .insteadOfPassword, user.addresses.isEmpty {
            reader.problem("addresses", "is empty, expected at least one network for this rule")
        }
        if user.addressRule == .insteadOfPassword { checkOpenNetworks(user, reader) }
        let limits = reader.section("limits")
        let most = 9_007_199_254_740_991
        if limits.names("connections") { user.limits.connections = limits.integer("connections", in: 1...1_000_000) }
        if limits.names("connections_per_second") {
            user.limits.connectionsPerSecond = limits.integer("connections_per_second", in: 1...1_000_000)
        }
        if limits.names("bytes_per_day") { user.limits.bytesPerDay = limits.integer("bytes_per_day", in: 1...most) }
        if limits.names("bytes_per_month") { user.limits.bytesPerMonth = limits.integer("bytes_per_month", in: 1...most) }
        if limits.names("bytes_total") { user.limits.bytesTotal = limits.integer("bytes_total", in: 1...most) }
    }
}

extension ProxyUser.Password {
    /// With a new salt; the password itself is kept nowhere.
    package static func make(_ password: String) -> ProxyUser.Password {
        let salt = Digest.randomHex(bytes: 16)
        return ProxyUser.Password(salt: salt, digest: Digest.sha256("\(salt):\(password)"))
    }
}

extension ProxyUser {
    package static func make(name: String, password: String) -> ProxyUser {
        ProxyUser(name: name, passwords: [.make(password)], createdAt: SystemClock.now())
    }
}
