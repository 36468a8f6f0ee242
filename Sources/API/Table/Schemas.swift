import Model

/// The shapes of what the API answers, by name; the OpenAPI document lists them as its components.
enum Schemas {
    static let all: [String: Schema] = [
        shared, exits, catalog, users, API.keySchemas, API.auditSchemas, API.streamSchemas, API.adminSchemas, API.settingSchemas,
        API.limitSchemas, API.healthSchemas, API.figureSchemas,
        API.webhookSchemas, API.entrySchemas,
    ].reduce(into: [:]) {
        $0.merge($1) { $1 }
    }

    private static let shared: [String: Schema] = [
        "Problem": .object(
            .always("error", .text("invalid", pattern: "^[a-z0-9_]+$"), "a word for programs"),
            .always("message", .text("country: is missing, want an ISO 3166-1 alpha-2 code like us"), "a sentence for people"),
            .always("request_id", .text("0f3c9a1b2c3d4e5f"), "as in X-Request-ID and in the log"),
            .maybe(
                "fields",
                .list(
                    .object(
                        .always("field", .text("country")), .always("message", .text("is missing, want an ISO 3166-1 alpha-2 code like us"))
                    )),
                "every mistake, with `invalid` only")),
        "Live": .object(.always("status", .choice(["live"]))),
        "Readiness": .object(
            .always("status", .choice(["ready", "not_ready"])),
            .always("problems", .map(.text("no Docker Engine answers"), key: "engine"), "outside parts that don't answer, with the reason"),
            .always("role", .choice(["leader", "follower"]), "a follower shows what the leader does, and hands changes to it"),
            .maybe("leader", .text("host-3f9a1c"), "who leads, where it is another controller")
        ).showing(["problems": .object([:]), "leader": nil]),
    ]

    private static let exits: [String: Schema] = [
        "Health": .object(
            .always("verdict", .choice(["healthy", "degraded", "dead", "unknown"])),
            .maybe("reason", .choice(ExitReason.self), "why it is not healthy"),
            .maybe("latency_ms", .number(0...1e9, 0.912), "time of the last successful probe"),
            .maybe("success_rate", .number(0...1, 1), "of the last 60 probes"),
            .always(
                "score", .number(0...1, 0.97), "success, latency against its own usual one, and jitter; the gateway's weight follows it"),
            handshakeAge, handshakeAge.old("handshake_age_s"),
            .maybe(
                "compared_at", .time, "when its address was last compared with this machine's own; absent for never: a leak may go unseen"),
            comparedAge, comparedAge.old("compared_age_s"),
            .maybe("placed_at", .time, "when an address service last said its country"),
            .maybe(
                "comparison_problem", .text("ipinfo.io/json answered with status 429 and no address"),
                "why the last deep probe could not compare one of these"),
            .maybe("other_exit_ip", .text("198.18.1.11"), "the address that another service saw, where two differ"),
            .maybe(
                "leaks_counted", .flag,
                "false where the exit's firewall does not count what leaves beside its tunnel: a container of an earlier version"),
            .maybe(
                "leaked_packets", .whole(0), "that left beside the tunnel, when it was last read: any at all is a leak"),
            .maybe("leaked_bytes", .whole(0), "of these"),
            .maybe("checked_at", .time)
        ).showing(["reason": nil, "comparison_problem": nil, "other_exit_ip": nil, "leaks_counted": .bool(true)]),
        "Exit": .object(
            .always("id", .text("us-1")),
            .always("country", .text("US"), "the country that was asked for"),
            .maybe("provider", .text("nordvpn")),
            .maybe(
                "server",
                .object(
                    .always("hostname", .text("us9001.lab.test")), .always("address", .text("198.18.1.10")),
                    .maybe("city", .text("New York")),
                    .maybe("load", .whole(0...100, 3), "percent"), .maybe("latency_ms", .number(0...1e9, 0.061), "round trip")),
                "the server that it is bound to, or was last"),
            .always("state", .choice(ExitState.self)),
            .maybe("reason", .choice(ExitReason.self)),
            .maybe("detail", .text("no answer through the tunnel"), "a sentence for people"),
            .always("leaving", .flag, "true when it is to go"),
            .maybe("exit_ip", .text("198.18.1.10"), "the address that the internet sees"),
            .maybe("exit_country", .text("US")),
            .always(
                "proxy",
                .object(
                    .always("url", .text("http://127.0.0.1:8128")), .always("socks5", .text("socks5h://127.0.0.1:8128")),
                    .always("username", .text("<user>-country-us")))),
            .always("health", .named("Health")),
            .always("generation", .whole(1), "how many containers it has had"),
            .always("attempts", .whole(0), "failed tries in a row"),
            .maybe("retry_at", .time),
            .always("since", .time, "when it came into its state")
        ).showing(["state": .string("serving"), "reason": nil, "detail": nil, "retry_at": nil]),
        "Exits": .object(.always("exits", .list(.named("Exit")))),
        "SpeedTest": .object(
            .always("exit", .text("us-1")), .always("running", .flag), .always("bytes", .whole(10_000_000), "of body that came"),
            .always("seconds", .number(0...60, 1.62), "from the first byte to the last"),
            .maybe("mbit_s", .number(0...1e9, 49.383), "megabits a second, from the first byte on"),
            .maybe("first_byte_ms", .number(0...1e9, 41.5), "from the request to the first byte"), .always("started_at", .time)),
        "Pool": .object(
            .always("country", .text("US")), countryName, countryName.old("name"), .always("size", .whole(1...10, 2), "wanted exits"),
            .always("serving", .whole(2), "exits that take traffic"), .maybe("provider", .text("nordvpn")),
            .maybe("city", .text("New York")), .maybe("tags", .list(.text("p2p")), "only servers with all of these"),
            .maybe("hostnames", .list(.text("us9001.lab.test")), "only these servers"),
            .maybe("exclude", .list(.text("us9002.lab.test")), "none of these servers"),
            .always("strategy", .choice(Strategy.self)),
            .always("spread", .choice(Spread.self), "how connections are spread over the exits"),
            .always("fallback", .list(.text("CA")), "countries that take over while no exit serves"),
            .always("standby", .whole(0...Pool.standbyLimit, 1), "exits that wait unplugged"),
            .maybe("rotate_every", .whole(Pool.rotateEveryRange, 86_400), "seconds"),
            .maybe("rotate_after_mb", .whole(Pool.rotateAfterRange, 50_000), "megabytes"), .always("exits", .list(.text("us-1")))
        ).showing(["exits": .array([.string("us-1"), .string("us-2")]), "hostnames": nil, "exclude": nil]),
        "Pools": .object(.always("pools", .list(.named("Pool")))),
        "HealthHistory": .object(
            .always("exit", .text("us-1")),
            .always(
                "samples",
                .list(
                    .object(
                        .always("at", .time), .always("verdict", .choice(["healthy", "degraded", "dead", "unknown"])),
                        .maybe("reason", .choice(ExitReason.self)), .always("probes", .whole(20), "that were made"),
                        .always("failures", .whole(0), "of these"), .maybe("latency_ms", .number(0...1e9, 0.9), "median"),
                        .always("score", .number(0...1, 0.97))
                    ).showing(["reason": nil])), "newest first")),
        "Events": .object(
            .always(
                "events",
                .list(
                    .object(
                        .always("id", .text("1763686923456-0"), "grows with each event"), .always("at", .time),
                        .always("kind", .choice(EventKind.self)), .always("severity", .choice(Severity.self)),
                        .always("message", .text("exit us-1 serves as 198.18.1.10")), .maybe("country", .text("US")),
                        .maybe("exit", .text("us-1")), .maybe("server", .text("us9001.lab.test")),
                        .maybe("reason", .choice(ExitReason.self)), .maybe("cause", .text("probe"), "what set it off"),
                        .maybe("by", .text("admin"), "who asked for it: the name of an API key"),
                        .maybe("uid", .text("1b2xk9q0zf3"), "the same from before it had an id")
                    ).showing(["kind": .string("exit.serving"), "reason": nil, "cause": nil, "by": nil])), "in their order"),
            .always("last", .text("1763686923456-0"), "the last event that was looked at"),
            .maybe(
                "gap", .choice(["too_old", "unknown"]), "events after `after` are missing: no longer kept, or it is none of this store")
        ).showing(["gap": nil]),
        "Alerts": .object(
            .always(
                "alerts",
                .list(
                    .object(
                        .always("id", .text("credential:nordvpn")), .always("severity", .choice(Severity.self)),
                        .always("message", .text("servers of nordvpn refuse its key, so no exit is moved for that")),
                        .always("remedy", .text("renew the token or key of nordvpn in the configuration")), .always("since", .time)
                    ).showing(["severity": .string("critical")])))),
        "Breakers": .object(
            .always(
                "breakers",
                .list(
                    .object(
                        .always("name", .text("server:us9001.lab.test"), "what it is about"),
                        .always("state", .choice(["closed", "open", "half_open"])), .maybe("reason", .text("blackhole")),
                        .always("openings", .whole(1), "in a row"), .maybe("open_until", .time)
                    ).showing(["state": .string("open")])))),
    ]

    private static let catalog: [String: Schema] = [
        "Countries": .object(
            .always(
                "countries",
                .list(
                    .object(
                        countryCode, countryCode.old("code"), nameOfCountry, nameOfCountry.old("name"), .always("servers", .whole(412)),
                        .maybe("best_load", .whole(0...100, 3), "percent"), .always("exits", .whole(0)),
                        .always("serving", .whole(0)))))),
        "ProviderCountries": .object(
            .always(
                "countries",
                .list(
                    .object(
                        countryCode, countryCode.old("code"), nameOfCountry, nameOfCountry.old("name"), .always("servers", .whole(412)),
                        .maybe("best_load", .whole(0...100, 3), "percent"))))),
        "Providers": .object(
            .always(
                "providers",
                .list(
                    .object(
                        providerName, providerName.old("name"), .always("servers", .whole(7211)),
                        .always("dropped", .map(.whole(1454), key: "offline"), "rows of its list that are not used, by reason"),
                        .maybe("fetched_at", .time), .always("stale", .flag, "true where the list is old, for no newer one could be had"),
                        .maybe("problem", .text("nordvpn: too many requests (status 429)"), "why the last fetch failed"),
                        .maybe("devices", .whole(10), "tunnels that an account may have at once")
                    ).showing(["problem": nil])))),
        "Server": .object(server).showing(["score": nil, "score_parts": nil]),
        "Servers": .object(
            .always("servers", .list(.named("Server"))), .always("total", .whole(1949)), .always("limit", .whole(1...20_000, 100)),
            .always("offset", .whole(0))),
        "MeasuredServers": .object(
            .always("method", .choice(LatencyMethod.self)),
            .always("servers", .list(.object(server + figures).showing(["score": nil, "score_parts": nil])))),
    ]

    private static let handshakeAge = Schema.Field.maybe(
        "handshake_age_seconds", .number(0...1e9, 31.2), "of the tunnel, when it was last read: once a minute with up to 30 exits")
    private static let comparedAge = Schema.Field.maybe(
        "compared_age_seconds", .number(0...1e9, 4.2), "since then, when it was last probed")
    private static let countryName = Schema.Field.always("country_name", .text("United States"), "in English")
    private static let countryCode = Schema.Field.always("country", .text("DE"))
    private static let nameOfCountry = Schema.Field.always("country_name", .text("Germany"), "in English")
    private static let providerName = Schema.Field.always("provider", .text("nordvpn"))
    private static let hostname = Schema.Field.always("hostname", .text("us9001.lab.test"))
    private static let latency = Schema.Field.maybe(
        "latency_ms", .number(0...1e9, 0.04), "median of the latest measurements, in milliseconds")
    private static let jitter = Schema.Field.maybe(
        "jitter_ms", .number(0...1e9, 0.01), "mean difference from one answer to the next, in milliseconds")

    private static let server: [Schema.Field] = [
        providerName, countryName,
        countryName.old(
            "country", about: "the old name of `country_name`; from the next release on it is the code, as everywhere else"),
        .always("country_code", .text("US"), "of ISO 3166-1, until `country` is that"), .maybe("city", .text("New York")), hostname,
        hostname.old("identifier"),
        .always("address", .text("198.18.1.10"), "or a name, where the provider tells only that"),
        .always("port", .whole(1...65_535, 51820)),
        .always("public_key", .text("yWPoYOUuQAnPjJxHYYQ4EUAbsSHWDbp0QKX0J5eKPWE=")), .maybe("load", .whole(0...100, 3), "percent"),
        latency, latency.old("latency"),
        .maybe("network", .text("Datapacket"), "whose network it stands in"), .always("tags", .list(.text("p2p"))),
        .maybe("score", .number(0...1e9, 12.5), "with `explain`: points against it"),
        .maybe(
            "score_parts",
            .list(.object(.always("name", .text("load")), .always("points", .number(0...1e9, 3)), .always("reason", .text("3 %"))))),
    ]

    private static let figures: [Schema.Field] = [
        jitter, jitter.old("jitter"),
        .always("loss", .number(0...100, 0), "percent of the latest measurements without an answer"),
        .always("samples", .whole(1...20, 1), "measurements that the figures are of"), .always("measured_at", .time),
    ]

    private static let users: [String: Schema] = [
        "User": .object(
            .always("name", .text("alice")), .always("created_at", .time),
            .maybe("expires_at", .time), .always("disabled", .flag),
            .maybe("blocked", .text("quota_day"), "why the user is refused for now"),
            .always("countries", .list(.text("US"))), .always("fallback", .list(.text("US"))),
            .always("addresses", .list(.network)), .always("address_rule", .choice(ProxyUser.AddressRule.self)),
            .always("limits", userLimits), .maybe("old_password_expires_at", .time, "during a rotation"),
            .maybe("password", .text("kJ7wq3bTzyRf5XmN8pQv2LcD"), "only in the answer that made it")
        ).showing([
            "expires_at": .string("2026-12-31T00:00:00.000Z"), "blocked": nil, "countries": .array([.string("US"), .string("CA")]),
            "fallback": .array([.string("CA")]), "old_password_expires_at": nil, "password": nil,
        ]),
        "Users": .object(.always("users", .list(.named("User")))),
        "Usage": .object(usageFields),
        "UsagePeriod": .object(
            [.always("from", .text("2026-11-21T13"), "a day or an hour in UTC; empty for all time")] + usageFields + [
                .maybe("countries", .map(.named("Usage"), key: "US"), "by country")
            ]),
        "UserUsage": .object([.always("name", .text("alice")), .always("limits", userLimits)] + usagePeriods),
        "ExitUsage": .object([exitName, exitName.old("id")] + usagePeriods),
    ]

    private static let usagePeriods: [Schema.Field] = [
        .always("total", period("")), .always("today", period("2026-11-21")), .always("month", period("2026-11")),
        .always("days", .list(period("2026-11-21"))), .always("hours", .list(period("2026-11-21T13"))),
    ]

    private static func period(_ from: String) -> Schema { Schema.named("UsagePeriod").showing(["from": .string(from)]) }

    private static let exitName = Schema.Field.always("exit", .text("us-1"))

    private static let usageFields: [Schema.Field] = [
        .always("bytes_in", .whole(1042), "from clients to targets"), .always("bytes_out", .whole(90_210), "from targets to clients"),
        .always("connections", .whole(3), "requests and tunnels"), .always("errors", .whole(0), "those that an exit or a target failed"),
    ]

    static let userLimits = Schema.object(limitFields)
    /// As they are changed: null takes one away, or all.
    static let userLimitChanges = Schema.object(limitFields.map { .maybe($0.name, $0.schema.orNull, $0.about) }).orNull

    private static let limitFields: [Schema.Field] = [
        .maybe("connections", .whole(1...1_000_000, 100), "at once"), .maybe("connections_per_second", .whole(1...1_000_000, 20)),
        .maybe("bytes_per_day", .whole(1...9_007_199_254_740_991, 1_000_000_000), "both directions; days and months of UTC"),
        .maybe("bytes_per_month", .whole(1...9_007_199_254_740_991, 10_000_000_000)),
        .maybe("bytes_total", .whole(1...9_007_199_254_740_991, 100_000_000_000)),
    ]
}
