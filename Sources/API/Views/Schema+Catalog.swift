import Model
import OpenAPI

/// Servers, countries and providers.
extension Schema {
    static let countries = named(
        "Countries",
        .always(
            "countries",
            .objects(
                countryCode, countryCode.old("code"), nameOfCountry, nameOfCountry.old("name"), .always("servers", .whole(412)),
                .maybe("best_load", .whole(0...100, 3), "percent"), .always("exits", .whole(0)), .always("serving", .whole(0)),
                .always("on_demand", .flag, "whether a request opens it"))))
    static let providerCountries = named(
        "ProviderCountries",
        .always(
            "countries",
            .objects(
                countryCode, countryCode.old("code"), nameOfCountry, nameOfCountry.old("name"), .always("servers", .whole(412)),
                .maybe("best_load", .whole(0...100, 3), "percent"))))
    static let providers = named(
        "Providers",
        .always(
            "providers",
            .objects(
                providerName, providerName.old("name"), .always("servers", .whole(7211)),
                .always("dropped", .map(.whole(1454), key: "offline"), "rows of its list that are not used, by reason"),
                .maybe("fetched_at", .time), .always("stale", .flag, "true if the list is old because no newer one could be fetched"),
                .maybe("problem", .text("nordvpn: too many requests (status 429)"), "why the last fetch failed"),
                .maybe("devices", .whole(10), "tunnels that all of its accounts together may have at once"),
                .always("accounts", .list(.object(accountFields).showing(["reason": nil])), "in the order of the configuration"),
                showing: ["problem": nil])))
    private static let accountFields: [Field] = [
        .always("name", .text("main"), "the account's name in the configuration; `main` if it has none"),
        .always("in_use", .whole(2), "exits that have a tunnel of it"), .maybe("devices", .whole(10), "tunnels that it may have at once"),
        .always("state", .choice(["closed", "open", "half_open"]), "of its breaker: not closed while its key or token is refused"),
        .maybe("reason", .text("credentials_rejected"), "why it is not closed"),
    ]
    static let server = named(
        "Server",
        .object(serverFields).showing(["score": nil, "score_parts": nil]))
    static let servers = named(
        "Servers", .always("servers", .list(.server)), .always("total", .whole(1949)), .always("limit", .whole(1...20_000, 100)),
        .always("offset", .whole(0)))
    static let measuredServers = named(
        "MeasuredServers", .always("method", .choice(LatencyMethod.self)),
        .always("servers", .list(.object(serverFields + latencyFields).showing(["score": nil, "score_parts": nil]))))
    static let countryName = Field.always("country_name", .text("United States"), "in English")
    private static let countryCode = Field.always("country", .text("DE"))
    private static let nameOfCountry = Field.always("country_name", .text("Germany"), "in English")
    private static let providerName = Field.always("provider", .text("nordvpn"))
    private static let hostname = Field.always("hostname", .text("us9001.lab.test"))
    private static let latency = Field.maybe(
        "latency_ms", .number(0...1e9, 0.04), "median of the latest measurements, in milliseconds")
    private static let jitter = Field.maybe(
        "jitter_ms", .number(0...1e9, 0.01), "mean difference from one answer to the next, in milliseconds")
    private static let serverFields: [Field] = [
        providerName, countryName,
        countryName.old(
            "country", about: "the old name of `country_name`; from the next release on it is the code, as at other routes"),
        .always("country_code", .text("US"), "of ISO 3166-1, until `country` is that"), .maybe("city", .text("New York")), hostname,
        hostname.old("identifier"),
        .always("address", .text("198.18.1.10"), "or a name, if the provider gives only that"),
        .always("port", .whole(1...65_535, 51820)),
        .always("public_key", .text("yWPoYOUuQAnPjJxHYYQ4EUAbsSHWDbp0QKX0J5eKPWE=")), .maybe("load", .whole(0...100, 3), "percent"),
        latency, latency.old("latency"),
        .maybe("network", .text("Datapacket"), "the owner of its network"), .always("tags", .list(.text("p2p"))),
        .maybe("score", .number(0...1e9, 12.5), "with `explain`: points against it"),
        .maybe(
            "score_parts",
            .objects(.always("name", .text("load")), .always("points", .number(0...1e9, 3)), .always("reason", .text("3 %")))),
    ]
    private static let latencyFields: [Field] = [
        jitter, jitter.old("jitter"),
        .always("loss", .number(0...100, 0), "percent of the latest measurements without an answer"),
        .always("samples", .whole(1...20, 1), "number of measurements"), .always("measured_at", .time),
    ]
}
