import Model
import OpenAPI

/// Exits, pools, and what is known of them.
extension Schema {
    static let health = named(
        "Health", .always("verdict", .choice(["healthy", "degraded", "dead", "unknown"])),
        .maybe("reason", .choice(ExitReason.self), "why it is not healthy"),
        .maybe("latency_ms", .number(0...1e9, 0.912), "time of the last successful probe"),
        .maybe("success_rate", .number(0...1, 1), "of the last 60 probes"),
        .always(
            "score", .number(0...1, 0.97), "success, latency relative to its usual one, and jitter; the gateway's weight is set from it"),
        handshakeAge, handshakeAge.old("handshake_age_s"),
        .maybe(
            "compared_at", .time, "when its address was last compared with this machine's own; absent: never, so a leak may not be detected"
        ),
        comparedAge, comparedAge.old("compared_age_s"), .maybe("placed_at", .time, "when an address service last gave its country"),
        .maybe(
            "comparison_problem", .text("ipinfo.io/json answered with status 429 and no address"),
            "why the last deep probe could not compare one of these"),
        .maybe("other_exit_ip", .text("198.18.1.11"), "the address that another service saw, if two differ"),
        .maybe(
            "leaks_counted", .flag,
            "false if the exit's firewall does not count packets beside its tunnel: a container of an earlier version"),
        .maybe("leaked_packets", .whole(0), "that left beside the tunnel, at the last reading: more than 0 is a leak"),
        .maybe("leaked_bytes", .whole(0), "of these"), .maybe("checked_at", .time),
        .maybe("blocked_by", .list(.text("shop")), "canaries that are blocked here, and not at all exits"),
        .maybe(
            "canaries",
            .objects(
                .always("name", .text("shop")), .always("passed", .flag), .maybe("detail", .text("status 403"), "what came instead"),
                .always("checked_at", .time)), "what they last said; absent if there are none"),
        showing: [
            "reason": nil, "comparison_problem": nil, "other_exit_ip": nil, "leaks_counted": .bool(true), "blocked_by": nil,
            "canaries": nil,
            "checked_at": .string("2026-11-21T01:02:07.656Z"),
        ])
    private static let handshakeAge = Field.maybe(
        "handshake_age_seconds", .number(0...1e9, 31.2), "of the tunnel, at the last reading: once a minute with up to 30 exits")
    private static let comparedAge = Field.maybe(
        "compared_age_seconds", .number(0...1e9, 4.2), "since then, at the last probe")
    static let exit = named(
        "Exit", .always("id", .text("us-1")), .always("country", .text("US"), "the country that was asked for"),
        .maybe("provider", .text("nordvpn")), .maybe("account", .text("main"), "the account at the provider whose key its tunnel has"),
        .maybe(
            "server",
            .object(
                .always("hostname", .text("us9001.lab.test")), .always("address", .text("198.18.1.10")), .maybe("city", .text("New York")),
                .maybe("load", .whole(0...100, 3), "percent"), .maybe("latency_ms", .number(0...1e9, 0.061), "round trip")),
            "the server that it uses, or used last"), .always("state", .choice(ExitState.self)),
        .maybe("reason", .choice(ExitReason.self)), .maybe("detail", .text("no answer through the tunnel"), "a sentence for people"),
        .always("leaving", .flag, "true: it will be removed"), .maybe("exit_ip", .text("198.18.1.10"), "its address on the internet"),
        .maybe("exit_country", .text("US")),
        .always("ipv6", .flag, "whether targets by IPv6 can be reached through it"),
        .always(
            "proxy",
            .object(
                .always("url", .text("http://127.0.0.1:8128")), .always("socks5", .text("socks5h://127.0.0.1:8128")),
                .always("username", .text("<user>-country-us")))), .always("health", .health),
        .always("generation", .whole(1), "how many containers it has had"), .always("attempts", .whole(0), "failed attempts in a row"),
        .maybe("retry_at", .time), .always("since", .time, "when its state began"),
        showing: ["state": .string("serving"), "reason": nil, "detail": nil, "retry_at": nil])
    static let exits = named("Exits", .always("exits", .list(.exit)))
    static let pools = named("Pools", .always("pools", .list(.pool)))
    static let healthHistory = named(
        "HealthHistory", .always("exit", .text("us-1")),
        .always(
            "samples",
            .objects(
                .always("at", .time), .always("verdict", .choice(["healthy", "degraded", "dead", "unknown"])),
                .maybe("reason", .choice(ExitReason.self)), .always("probes", .whole(20), "that were made"),
                .always("failures", .whole(0), "of these"), .maybe("latency_ms", .number(0...1e9, 0.9), "median"),
                .always("score", .number(0...1, 0.97)), showing: ["reason": nil]), "newest first"))
    static let events = named(
        "Events",
        .always(
            "events",
            .objects(
                .always("id", .text("1795222923456-0"), "grows with each event"), .always("at", .time),
                .always("kind", .choice(EventKind.self)), .always("severity", .choice(Severity.self)),
                .always("message", .text("exit us-1 serves as 198.18.1.10")), .maybe("country", .text("US")), .maybe("exit", .text("us-1")),
                .maybe("server", .text("us9001.lab.test")), .maybe("reason", .choice(ExitReason.self)),
                .maybe("cause", .text("probe"), "what caused it"),
                .maybe("by", .text("admin"), "the name of the API key of the request"),
                .maybe("uid", .text("1b2xk9q0zf3"), "the same from before it had an id"),
                showing: ["kind": .string("exit.serving"), "reason": nil, "cause": nil, "by": nil]), "in order"),
        .always("last", .text("1795222923456-0"), "the last event that was read"),
        .maybe("gap", .choice(["too_old", "unknown"]), "events after `after` are missing: no longer kept, or the id is not of this store"),
        showing: ["gap": nil])
    static let alerts = named(
        "Alerts",
        .always(
            "alerts",
            .objects(
                .always("id", .text("credential:nordvpn")), .always("severity", .choice(Severity.self)),
                .always("message", .text("servers of nordvpn refuse its key; no exit is moved because of that")),
                .always("remedy", .text("renew the token or key of nordvpn in the configuration")), .always("since", .time),
                showing: ["severity": .string("critical")])))
    static let breakers = named(
        "Breakers",
        .always(
            "breakers",
            .objects(
                .always("name", .text("server:us9001.lab.test"), "what it is about"),
                .always("state", .choice(["closed", "open", "half_open"])), .maybe("reason", .text("blackhole")),
                .always("openings", .whole(1), "in a row"), .maybe("open_until", .time), showing: ["state": .string("open")])))
}
