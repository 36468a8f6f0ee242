import Model
import Planning

/// What the gateway has counted for each exit's slot. A value.
struct SlotCounters {
    private var last: [ExitID: (generation: Int, bytes: Int, errors: Int)] = [:]
    /// Exits that carry connections.
    private(set) var used: Set<ExitID> = []

    /// What is new since the last observation.
    struct News {
        var carried: [ExitID: Int] = [:]
        /// Exits of which the gateway has got an error.
        var faulty: [ExitID] = []
    }

    mutating func take(_ gateway: GatewayObservation, _ exits: [ExitID: Exit]) -> News {
        var news = News()
        used = []
        for exit in exits.values where exit.state.takesTraffic || exit.state == .draining {
            guard let slot = gateway.entry(of: exit), slot.slot.endpoint == exit.endpoint else { continue }
            let before = last[exit.id]
            if slot.sessions > 0 { used.insert(exit.id) }
            last[exit.id] = (exit.generation, slot.received, slot.errors)
            // After a reload the gateway counts from zero again.
            guard let before, before.generation == exit.generation else { continue }
            if slot.errors > before.errors { news.faulty.append(exit.id) }
            if slot.received > before.bytes { news.carried[exit.id] = slot.received - before.bytes }
        }
        for id in last.keys where exits[id] == nil { last[id] = nil }
        return news
    }
}
