package import Model

/// Orders servers from best to worst. Pure: the same servers and seed give the same order.
package enum ServerRanking {
    /// Candidates whose latency is worth a measurement: the least loaded of each city first, then the least loaded of all.
    package static func worthMeasuring(_ servers: [Server], limit: Int) -> [Server] {
        let byLoad = servers.sorted { ($0.load, $0.hostname) < ($1.load, $1.hostname) }
        var cities: Set<String> = []
        let firstOfCity = byLoad.filter { cities.insert($0.city ?? "").inserted }
        let chosen = Set(firstOfCity.prefix(limit / 2).map(\.hostname))
        let rest = byLoad.filter { !chosen.contains($0.hostname) }
        return Array((firstOfCity.prefix(limit / 2) + rest).prefix(limit))
    }

    /// Best first. An unmeasured server counts as slower than every measured one.
    package static func ranked(_ servers: [Server], strategy: Strategy, seed: UInt64 = 0) -> [Server] {
        switch strategy {
        case .load: return servers.sorted { key($0, $0.load) < key($1, $1.load) }
        case .latency: return servers.sorted { key($0, 0) < key($1, 0) }
        case .balanced: return servers.sorted { key($0, $0.load / 10) < key($1, $1.load / 10) }
        case .random:
            let best = ranked(servers, strategy: .balanced)
            var generator = SplitMix64(state: seed)
            return best.prefix(10).shuffled(using: &generator) + best.dropFirst(10)
        }
    }

    private static func key(_ server: Server, _ loadStep: Int) -> (Int, Double, Int, String) {
        (loadStep, server.latencyMilliseconds ?? .infinity, server.load, server.hostname)
    }
}

/// A small seeded generator (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
package struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64
    package init(state: UInt64) { self.state = state }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
