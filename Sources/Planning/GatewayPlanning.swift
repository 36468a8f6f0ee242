package import Model

extension GatewayLayout {
    /// The layout in which every exit that serves is plugged in, and every exit that drains finishes. A dead one is out at
    /// once, also while the engine is away and it can't be replaced.
    package static func of(desired: Desired, exits: [ExitID: Exit], hostIsOnline: Bool = true) -> GatewayLayout {
        let countries = Set(desired.pools.keys).union(exits.values.filter { $0.endpoint != nil }.map(\.country))
        let pools = countries.sorted().map { country in
            var slots = (1...Pool.slots).map(GatewaySlot.free)
            for exit in exits.values where exit.country == country && (1...Pool.slots).contains(exit.slot) {
                guard let endpoint = exit.endpoint else { continue }
                if exit.state.takesTraffic, exit.health.verdict != .dead || !hostIsOnline {
                    slots[exit.slot - 1] = GatewaySlot(number: exit.slot, endpoint: endpoint, state: .ready)
                } else if exit.state == .draining {
                    slots[exit.slot - 1] = GatewaySlot(number: exit.slot, endpoint: endpoint, state: .drain)
                }
            }
            return GatewayPool(country: country, slots: slots)
        }
        return GatewayLayout(pools: pools, users: desired.users.sorted { $0.name < $1.name })
    }

    /// True where the gateway runs something else than this layout: a lost slot, another address or state.
    package func differs(from observation: GatewayObservation) -> Bool {
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
