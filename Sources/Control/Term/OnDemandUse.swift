import Model
import Planning

/// How the pools on demand are used. A value; time is an input.
struct OnDemandUse {
    /// When each open pool has last carried anything; a pool that was found open begins with the moment in which it was found.
    private(set) var usedAt: [CountryCode: Timestamp] = [:]
    /// Pools that carry connections now.
    private(set) var connected: Set<CountryCode> = []
    var openings = OpeningLimits()
    /// True while pools are being closed.
    var isClosing = false
    /// When pools were opened whose exits don't serve yet.
    private var openedAt: [CountryCode: ContinuousClock.Instant] = [:]

    /// Open pools that carry nothing.
    func idleness(closingAfter seconds: Double) -> [CountryCode: PoolIdleness] {
        usedAt.filter { !connected.contains($0.key) }.mapValues { PoolIdleness(since: $0, closesAt: $0 + seconds) }
    }

    mutating func opened(_ country: CountryCode, at instant: ContinuousClock.Instant, now: Timestamp) {
        usedAt[country] = now
        openedAt[country] = instant
    }

    mutating func closed(_ country: CountryCode) { (usedAt[country], openedAt[country]) = (nil, nil) }

    /// Takes what the gateway says: countries with connections, and those that have carried bytes since it was last asked.
    mutating func see(connected: Set<CountryCode>, carried: Set<CountryCode>, _ desired: Desired, now: Timestamp) {
        self.connected = connected
        let open = Set(desired.pools.values.lazy.filter { $0.isOnDemand && !$0.isClosed }.map(\.country))
        usedAt = usedAt.filter { open.contains($0.key) }
        for country in open {
            let isUsed = connected.contains(country) || carried.contains(country)
            usedAt[country] = isUsed ? now : usedAt[country] ?? now
        }
    }

    /// The gateway sends traffic to an exit of a pool: seconds since the pool was opened; nil where it was open before.
    mutating func serves(_ country: CountryCode, at instant: ContinuousClock.Instant, now: Timestamp) -> Double? {
        if usedAt[country] != nil { usedAt[country] = now }
        return openedAt.removeValue(forKey: country).map { (instant - $0) / .seconds(1) }
    }

    /// The wall clock was set by so many seconds.
    mutating func shift(by seconds: Double) { usedAt = usedAt.mapValues { $0 + seconds } }
}
