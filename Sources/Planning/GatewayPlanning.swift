package import Model

extension GatewayLayout {
    /// The layout in which every exit that serves is plugged in, and every exit that drains finishes. A dead one is out at
    /// once, also while the engine is away and it can't be replaced.
    package static func of(desired: Desired, exits: [ExitID: Exit], hostIsOnline: Bool = true) -> GatewayLayout {
        let countries = Set(desired.pools.keys).union(desired.onDemand).union(exits.values.filter { $0.endpoint != nil }.map(\.country))
        let pools = countries.sorted().map { country in
            var slots = (1...slotCount(of: country, desired, exits)).map(GatewaySlot.free)
            var standbys: Set<Int> = []
            for exit in exits.of(country) where (1...Pool.slots).contains(exit.slot) {
                guard let endpoint = exit.endpoint else { continue }
                if exit.state.takesTraffic, exit.isUsable(hostIsOnline: hostIsOnline) {
                    slots[exit.slot - 1] = slot(of: exit, endpoint, .ready, desired.pools[country])
                } else if exit.state == .draining || exit.state == .standby {
                    slots[exit.slot - 1] = slot(of: exit, endpoint, .drain, desired.pools[country])
                    if exit.state == .standby, exit.isUsable(hostIsOnline: hostIsOnline) { standbys.insert(exit.slot) }
                }
            }
            let pool = desired.pools[country]
            return GatewayPool(
                country: country, slots: slots, spread: pool?.spread ?? .leastConnections, fallback: pool?.fallback ?? [],
                standbys: standbys, isComing: exits.of(country).contains { isComing($0, pool, exits) },
                isOnDemand: desired.isOnDemand(country))
        }
        var layout = GatewayLayout(pools: pools, users: desired.users.sorted { $0.name < $1.name }, blocked: desired.blocked)
        layout.elsewhere = desired.elsewhere
        return layout
    }

    /// Few for a country on demand, but never fewer than exits of it still have.
    private static func slotCount(of country: CountryCode, _ desired: Desired, _ exits: [ExitID: Exit]) -> Int {
        let pool = desired.pools[country] ?? (desired.onDemand.contains(country) ? .passing(country) : nil)
        let highest = exits.of(country).filter { $0.endpoint != nil }.map(\.slot).max() ?? 1
        return min(Pool.slots, max(pool?.slotCount ?? Pool.slots, highest))
    }

    /// Whether it can be expected to serve within seconds: it is being started, or is about to be, or only has to be plugged in.
    package static func isComing(_ exit: Exit, _ pool: Pool?, _ exits: [ExitID: Exit]) -> Bool {
        // The tunnel that it needs is being given back.
        if exit.reason == .deviceLimit, exit.state == .pending, pool?.isOnDemand ?? false {
            return exits.values.contains(where: \.givesWay)
        }
        return switch exit.state {
        case .starting, .verifying, .standby: true
        // Nothing but its next try is waited for, and that comes soon after the first failures.
        case .pending: exit.attempts < 3 && !(exit.reason.map(waits.contains) ?? false)
        case .serving, .degraded, .draining, .stopped, .failed: false
        }
    }

    /// Reasons of an exit that waits for something that may take its time.
    private static let waits: Set<ExitReason> = [
        .noServer, .providerUnavailable, .deviceLimit, .noAddress, .engineUnavailable, .imageMissing, .credentialsMissing,
        .credentialsRejected, .restartBudget,
    ]

    private static func slot(of exit: Exit, _ endpoint: Endpoint, _ state: GatewaySlot.State, _ pool: Pool?) -> GatewaySlot {
        let occupant = GatewayOccupant(
            exit: exit.id, generation: exit.generation, city: exit.server?.city, publicAddress: exit.proof.address,
            publicCountry: exit.proof.country, knowsCredential: exit.knowsCredential, hasIPv6: exit.hasIPv6)
        let weight =
            switch pool?.spread {
            // One after the other, whatever their health.
            case .roundRobin: GatewaySlot.standardWeight
            case .latency: Self.weight(latency: exit.health.latencyMilliseconds)
            case .leastConnections, .random, .score, nil: exit.health.weight
            }
        let isBlocked = exit.health.blockedBy != nil
        var slot = GatewaySlot(
            number: exit.slot, endpoint: endpoint, state: state, weight: isBlocked ? max(1, weight / Self.blockedShare) : weight,
            occupant: occupant)
        slot.silence = silence(latency: exit.health.latencyMilliseconds)
        return slot
    }

    /// What an exit gets less of where a canary is blocked at it.
    private static let blockedShare = 10

    /// What a probe takes, three times, and a quarter of a second; in steps, so that it does not change with every probe.
    static func silence(latency milliseconds: Double?) -> Int {
        let explained = 250 + 3 * (milliseconds ?? 250)
        return [400, 600, 800, 1000, 1200].first { Double($0) >= explained } ?? 1500
    }

    /// 10 ms weigh 256, and twice as much half of that; in steps of a factor of about 1.4, so that a weight does not
    /// change with every probe.
    static func weight(latency milliseconds: Double?) -> Int {
        guard let milliseconds, milliseconds > 0 else { return GatewaySlot.standardWeight }
        var weight = 256.0
        var bound = 10.0
        while bound < milliseconds, weight > 1 {
            bound *= 2.0.squareRoot()
            weight /= 2.0.squareRoot()
        }
        return max(1, Int(weight))
    }

    /// True where the gateway runs something else than this layout, or would after a reload: a lost slot, another address or
    /// state, an entry of a map, a changed file.
    package func differs(from observation: GatewayObservation) -> Bool {
        guard observation.restAgrees else { return true }
        if let present = observation.maps {
            for map in maps where present[map.name] != map.entries { return true }
        }
        var seen: [String: GatewaySlot] = [:]
        for entry in observation.slots { seen["\(entry.backend)/\(entry.slot.name)"] = entry.slot }
        let wanted = pools.flatMap { pool in pool.slots.map { ("\(pool.backendName)/\($0.name)", $0) } }
        guard wanted.count == seen.count else { return true }
        return wanted.contains { name, slot in
            guard let present = seen[name] else { return true }
            guard present.state == slot.state else { return true }
            return slot.endpoint != nil && (present.endpoint != slot.endpoint || present.weight != slot.weight)
        }
    }
}
