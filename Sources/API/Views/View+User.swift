import Model
import OpenAPI

/// A proxy user with what the API adds.
struct ShownUser: Sendable {
    let user: ProxyUser
    /// Why the user is refused for now: `quota_day`; nil for nothing.
    var blocked: Quota?
    /// Only in the answer that made it.
    var password: String?

    static let view = View<Self>(
        "User",
        .always("name", .text("alice")) { $0.user.name },
        .always("created_at", .time) { $0.user.createdAt },
        .maybe("expires_at", .time) { $0.user.expiresAt },
        .always("disabled", .flag) { $0.user.isDisabled },
        .maybe("blocked", .text("quota_day"), "why the user is refused for now") { $0.blocked?.rawValue },
        .always("countries", .list(.text("US"))) { $0.user.countries.map(\.rawValue) },
        .always("fallback", .list(.text("US"))) { $0.user.fallback.map(\.rawValue) },
        .always("addresses", .list(.network)) { $0.user.addresses },
        .always("address_rule", .choice(ProxyUser.AddressRule.self)) { $0.user.addressRule },
        .always("limits", Schema.userLimits) { $0.user.limits },
        .maybe("old_password_expires_at", .time, "during a rotation") { $0.user.passwords.dropFirst().first?.expiresAt },
        .maybe("token_created_at", .time, "of the user's token, where there is one") { $0.user.token?.createdAt },
        .maybe("token_expires_at", .time) { $0.user.token?.expiresAt },
        .maybe("password", .text("kJ7wq3bTzyRf5XmN8pQv2LcD"), "only in the answer that made it") { $0.password },
        showing: [
            "expires_at": .string("2026-12-31T00:00:00.000Z"), "blocked": nil, "countries": .array([.string("US"), .string("CA")]),
            "fallback": .array([.string("CA")]), "old_password_expires_at": nil, "token_created_at": nil, "token_expires_at": nil,
            "password": nil,
        ])
}

/// A user's new token.
struct ShownToken: Sendable {
    let user: String
    let token: ProxyUser.Token
    let secret: String

    static let view = View<Self>(
        "UserToken",
        .always("name", .text("alice")) { $0.user },
        .always("token", .text(KeyRoutes.keyExample), "only in the answer that made it") { $0.secret },
        .always("created_at", .time) { $0.token.createdAt },
        .maybe("expires_at", .time) { $0.token.expiresAt },
        showing: ["expires_at": nil])
}
