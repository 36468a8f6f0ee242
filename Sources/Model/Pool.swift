/// The exits of one country, as an operator wants them.
package struct Pool: Hashable, Codable, Sendable {
    /// The most exits that one pool can hold.
    package static let sizeLimit = 10
    /// Slots of its backend: twice the exits, so that every one can be replaced before it leaves.
    package static let slots = 20

    package var country: CountryCode
    /// Wanted exits, 1 to `sizeLimit`.
    package var size: Int
    /// Only servers of this provider; nil for any.
    package var provider: ProviderName?
    /// Only servers of this city, compared by `CityName.folded`; nil for any.
    package var city: String?
    package var limits: ServerLimits
    package var strategy: Strategy
    /// Exits that are proved and wait unplugged, on other servers than those that serve: 0 to `standbyLimit`.
    package var standby: Int
    /// Seconds after which an exit that serves is moved to another server, `rotateEveryRange`; nil for never.
    package var rotateEvery: Int?
    /// Megabytes (10^6) carried after which it is moved, 1 or more; nil for never.
    package var rotateAfterMegabytes: Int?

    package static let standbyLimit = 3
    /// A minute to 30 days.
    package static let rotateEveryRange = 60...2_592_000
    package static let rotateAfterRange = 1...10_000_000
    /// How connections without a session are spread over the exits; nil for `leastConnections`.
    package var spread: Spread?
    /// Countries that take over, in this order, while no exit of the pool serves; nil for none.
    package var fallback: [CountryCode]?
    /// Whether its exits come with a request and go when nobody uses them; nil where they always run.
    package var onDemand: OnDemand?

    package init(
        country: CountryCode, size: Int, provider: ProviderName? = nil, city: String? = nil, limits: ServerLimits = ServerLimits(),
        strategy: Strategy = .balanced, standby: Int = 0, rotateEvery: Int? = nil, rotateAfterMegabytes: Int? = nil,
        spread: Spread? = nil, fallback: [CountryCode]? = nil, onDemand: OnDemand? = nil
    ) {
        self.country = country
        self.size = size
        self.provider = provider
        self.city = city
        self.limits = limits
        self.strategy = strategy
        self.standby = standby
        self.rotateEvery = rotateEvery
        self.rotateAfterMegabytes = rotateAfterMegabytes
        self.spread = spread
        self.fallback = fallback
        self.onDemand = onDemand
    }

    enum CodingKeys: String, CodingKey {
        case country, size, provider, city, limits, strategy, standby, spread, fallback
        case rotateEvery = "rotate_every"
        case rotateAfterMegabytes = "rotate_after_mb"
        case onDemand = "on_demand"
    }

    /// What an older version stored lacks the newer fields.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        country = try container.decode(CountryCode.self, forKey: .country)
        size = try container.decode(Int.self, forKey: .size)
        provider = try container.decodeIfPresent(ProviderName.self, forKey: .provider)
        city = try container.decodeIfPresent(String.self, forKey: .city)
        limits = try container.decodeIfPresent(ServerLimits.self, forKey: .limits) ?? ServerLimits()
        strategy = try container.decode(Strategy.self, forKey: .strategy)
        standby = try container.decodeIfPresent(Int.self, forKey: .standby) ?? 0
        rotateEvery = try container.decodeIfPresent(Int.self, forKey: .rotateEvery)
        rotateAfterMegabytes = try container.decodeIfPresent(Int.self, forKey: .rotateAfterMegabytes)
        spread = try container.decodeIfPresent(Spread.self, forKey: .spread)
        fallback = try container.decodeIfPresent([CountryCode].self, forKey: .fallback)
        onDemand = try container.decodeIfPresent(OnDemand.self, forKey: .onDemand)
    }
}

/// What a pool on demand has at the moment.
package enum OnDemand: String, Codable, Sendable {
    /// No exit, until somebody asks for one.
    case closed
    /// Its exits, as any other pool.
    case open
    /// The same, of a pool that no operator has made: it is removed when it closes.
    case passing
}

/// Since when an open pool on demand has carried nothing, and when it closes if that goes on.
package struct PoolIdleness: Hashable, Sendable {
    package var since: Timestamp
    package var closesAt: Timestamp

    package init(since: Timestamp, closesAt: Timestamp) { (self.since, self.closesAt) = (since, closesAt) }
}

extension Pool {
    /// A pool of a country that is opened by the setting for all countries.
    package static func passing(_ country: CountryCode) -> Pool { Pool(country: country, size: 1, onDemand: .passing) }

    package var isOnDemand: Bool { onDemand != nil }
    package var isClosed: Bool { onDemand == .closed }
    /// Exits and standbys that are wanted now.
    package var sizeNow: Int { isClosed ? 0 : size }
    package var standbyNow: Int { isClosed ? 0 : standby }
    /// Slots of its backend. A pool on demand has few, for there may be one for each country: each exit can be replaced, and one more drains.
    package var slotCount: Int { isOnDemand ? min(Self.slots, 2 * (size + standby) + 1) : Self.slots }
}

/// Which of a country's servers a pool may take, beside provider and city. What is nil or empty does not limit.
package struct ServerLimits: Hashable, Codable, Sendable {
    /// Only servers with all of these.
    package var tags: [String]?
    /// Only these; in lower case, as lists have them.
    package var hostnames: [String]?
    /// None of these.
    package var exclude: [String]?

    package static let tagLimit = 10
    package static let hostnameLimit = 100

    package init(tags: [String]? = nil, hostnames: [String]? = nil, exclude: [String]? = nil) {
        self.tags = tags
        self.hostnames = hostnames
        self.exclude = exclude
    }

    /// These, with what a change names in their place; an empty list takes a limit away.
    package func changed(by change: ServerLimits) -> ServerLimits {
        func one(_ new: [String]?, _ old: [String]?) -> [String]? { new.map { $0.isEmpty ? nil : $0 } ?? old }
        return ServerLimits(
            tags: one(change.tags, tags), hostnames: one(change.hostnames, hostnames), exclude: one(change.exclude, exclude))
    }
}

/// How a pool's connections without a session are spread over its exits.
package enum Spread: String, Codable, Sendable, CaseIterable {
    /// In turn, each exit as often as any other.
    case roundRobin = "round_robin"
    /// To the exit with the fewest connections for its weight.
    case leastConnections = "least_connections"
    /// In turn, an exit with half the latency getting twice as many.
    case latency
    /// To the less busy one of two that are drawn by chance.
    case random
    /// In turn, by the exits' health scores.
    case score
}
