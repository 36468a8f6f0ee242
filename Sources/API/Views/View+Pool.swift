import Model
import OpenAPI

/// A pool with what is known of its exits.
struct PoolInState: Sendable {
    let pool: Pool
    let members: [Exit]
    /// Nil where it carries connections, is closed, or not on demand.
    let idleness: PoolIdleness?

    init(_ pool: Pool, _ state: OperatorState) {
        self.pool = pool
        members = state.exits.of(pool.country)
        idleness = state.idle[pool.country]
    }
}

extension Schema { static let pool = PoolInState.view.schema }

extension PoolInState {
    private static let countryName = View<Self>.Part.always("country_name", .text("United States"), "in English") { $0.pool.country.name }

    static let view = View<Self>(
        "Pool",
        .always("country", .text("US")) { $0.pool.country.rawValue },
        countryName, countryName.old("name"),
        .always("size", .whole(1...10, 2), "wanted exits") { $0.pool.size },
        .always("serving", .whole(2), "exits that take traffic") { $0.members.count { $0.state.takesTraffic } },
        .maybe("provider", .text("nordvpn")) { $0.pool.provider },
        .maybe("city", .text("New York")) { $0.pool.city },
        .maybe("tags", .list(.text("p2p")), "only servers with all of these") { $0.pool.limits.tags },
        .maybe("hostnames", .list(.text("us9001.lab.test")), "only these servers") { $0.pool.limits.hostnames },
        .maybe("exclude", .list(.text("us9002.lab.test")), "none of these servers") { $0.pool.limits.exclude },
        .always("strategy", .choice(Strategy.self)) { $0.pool.strategy },
        .always("spread", .choice(Spread.self), "how connections are distributed over the exits") { $0.pool.spread ?? .leastConnections },
        .always("fallback", .list(.text("CA")), "countries that are used instead while no exit serves") {
            ($0.pool.fallback ?? []).map(\.rawValue)
        },
        .always("standby", .whole(0...Pool.standbyLimit, 1), "verified exits that are not plugged in") { $0.pool.standby },
        .maybe("rotate_every", .whole(Pool.rotateEveryRange, 86_400), "seconds") { $0.pool.rotateEvery },
        .maybe("rotate_after_mb", .whole(Pool.rotateAfterRange, 50_000), "megabytes") { $0.pool.rotateAfterMegabytes },
        .always("on_demand", .flag, "whether its exits come with a request and go when nobody uses them") { $0.pool.isOnDemand },
        .always("open", .flag, "false for a pool on demand that has no exit now") { !$0.pool.isClosed },
        .maybe("idle_since", .time, "of an open pool on demand that carries nothing") { $0.idleness?.since },
        .maybe("closes_at", .time, "when it closes if nobody uses it until then") { $0.idleness?.closesAt },
        .always("exits", .list(.text("us-1"))) { $0.members.map(\.id).sorted() },
        showing: [
            "exits": .array([.string("us-1"), .string("us-2")]), "hostnames": nil, "exclude": nil,
            "standby": .integer(0), "open": .bool(true), "idle_since": nil, "closes_at": nil,
        ])
}
