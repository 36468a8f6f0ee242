import Model
import OpenAPI

/// A session at the proxies, as its user sees it.
struct ShownProxySession: Sendable {
    let session: ProxySession
    /// Nil where it does not serve any more.
    let exit: ExitID?
    let now: Timestamp

    static let view = View<Self>(
        "ProxySession",
        .always("session", .text("a1")) { $0.session.name },
        .always("countries", .list(.text("US")), "that were asked for; empty for any") { $0.session.countries.map(\.rawValue) },
        .maybe("city", .text("newyork"), "that was asked for") { $0.session.city },
        .maybe("exit", .text("us-1"), "missing where it does not serve any more") { $0.exit?.description },
        .always("seconds_left", .whole(540)) { Int(max(0, $0.session.endsAt - $0.now)) })
}

extension QuotaUse {
    fileprivate static let view = View<(use: QuotaUse, now: Timestamp)>(
        .always("period", .choice(["day", "month", "total"])) { $0.use.quota.period },
        .always("limit", .whole(1_000_000_000), "bytes in both directions") { $0.use.limit },
        .always("used", .whole(91_252)) { $0.use.used },
        .always("left", .whole(999_908_748)) { $0.use.left },
        .maybe("resets_at", .time, "missing for `total`") { $0.use.reset(after: $0.now) })
}

extension UsageReport {
    /// What a user's own token is shown.
    func ownFields(of user: ProxyUser, blocked: Quota?, now: Timestamp) -> Fields {
        let quotas = user.limits.quotas((today.sum, month.sum, total.sum))
        return fields(
            after: [
                ("name", user.name), ("created_at", user.createdAt), ("expires_at", user.expiresAt),
                ("token_expires_at", user.token?.expiresAt), ("blocked", blocked?.rawValue),
                ("countries", user.countries.map(\.rawValue)), ("limits", user.limits),
                ("quotas", quotas.map { QuotaUse.view((use: $0, now: now)) }),
            ], showsCountries: true)
    }
}

extension Schema {
    static let me = named(
        "Me",
        .object(
            [
                .always("name", .text("alice")), .always("created_at", .time), .maybe("expires_at", .time),
                .maybe("token_expires_at", .time),
                .maybe("blocked", .text("quota_day"), "why the user is refused for now"),
                .always("countries", .list(.text("US")), "that the user may use; empty for all"), .always("limits", userLimits),
                .always("quotas", .list(QuotaUse.view.schema), "each limit of bytes, with what is used of it"),
            ] + usagePeriods()
        ).showing(["blocked": nil, "expires_at": nil, "token_expires_at": nil]))
    static let proxySessions = named("ProxySessions", .always("sessions", .list(ShownProxySession.view.schema)))
}
