package import Model

/// Scores servers and orders them from best to worst. Pure: the same input and seed give the same order.
///
/// A score is points against a server:
///
/// | part | points |
/// | --- | --- |
/// | load | one for each percent; 50 where the provider tells none |
/// | latency | one for each 2 ms, at most 150; 100 where nothing is known, 150 where there was no answer |
/// | loss | one for each percent of measurements without an answer |
/// | breaker | 1,000 while it is open, 5 while it is half open: one that may be tried again is tried soon |
/// | held | 10,000 where an exit holds it already: one account never has two tunnels to one server |
/// | city | 15 for each exit of the account's in that city |
/// | network | 5 for each exit of the account's in that network (its owner's name, else the first two numbers of the address) |
///
/// The first three are known of the server alone and stay true for a while (`byItself`). The others change with every exit: they are
/// weighed at the moment of choosing (`Surroundings`).
///
/// The strategy `load` counts latency and loss at a thousandth, `latency` counts load at a thousandth: enough to break ties.
package enum ServerRanking {
    /// What is known beside the servers themselves.
    package struct Knowledge: Sendable {
        /// By host name.
        package var latencies: [String: LatencyFigures] = [:]
        /// Milliseconds that servers of a city are away, for those that were not measured themselves.
        package var cities: [ServerCity: Double] = [:]
        /// Servers that exits hold.
        package var held: [Server] = []
        /// Absent ones are closed.
        package var breakers: [BreakerKey: Breaker.State] = [:]

        package init() {}
    }

    /// One server of each city, the least loaded, least loaded first: what is measured before anything is known.
    package static func firstOfCities(_ servers: [Server], limit: Int) -> [Server] {
        var cities: Set<ServerCity> = []
        return Array(servers.sorted(by: isLessLoaded).filter { cities.insert(ServerCity(of: $0)).inserted }.prefix(limit))
    }

    package static func isLessLoaded(_ left: Server, _ right: Server) -> Bool {
        (left.load ?? 101, left.hostname) < (right.load ?? 101, right.hostname)
    }

    /// Best first.
    package static func ranked(
        _ servers: [Server], strategy: Strategy, knowledge: Knowledge = Knowledge(), seed: UInt64 = 0
    ) -> [RankedServer] {
        let surroundings = Surroundings(held: knowledge.held, breakers: knowledge.breakers)
        let order = servers.map { server in
            RankedServer(server: server, parts: ownParts(server, strategy, knowledge) + surroundings.parts(of: server))
        }.sorted(by: isBetter)
        guard strategy == .random else { return order }
        var generator = SplitMix64(state: seed)
        return order.prefix(choices).shuffled(using: &generator) + order.dropFirst(choices)
    }

    /// Best first by load, latency and loss alone: what exits hold and what has failed is not in it.
    package static func byItself(_ servers: [Server], strategy: Strategy, knowledge: Knowledge = Knowledge()) -> [RankedServer] {
        servers.map { RankedServer(server: $0, parts: ownParts($0, strategy, knowledge)) }.sorted(by: isBetter)
    }

    /// Servers of which the strategy `random` takes any.
    package static let choices = 10

    private static func isBetter(_ left: RankedServer, _ right: RankedServer) -> Bool {
        (left.score, left.server.hostname) < (right.score, right.server.hostname)
    }

    /// Load, latency and loss.
    private static func ownParts(_ server: Server, _ strategy: Strategy, _ knowledge: Knowledge) -> [RankedServer.Part] {
        let loadWeight = strategy == .latency ? 0.001 : 1
        let latencyWeight = strategy == .load ? 0.001 : 1
        var parts: [RankedServer.Part] = []
        func add(_ name: String, _ points: Double, _ reason: String) {
            if points != 0 { parts.append(.init(name: name, points: points, reason: reason)) }
        }
        add("load", Double(server.load ?? 50) * loadWeight, server.load.map { "\($0) %" } ?? "unknown")

        let figures = knowledge.latencies[server.hostname]
        if let time = figures?.median ?? server.latencyMilliseconds {
            add("latency", min(150, time / 2) * latencyWeight, Figures.milliseconds(time))
        } else if figures != nil {
            add("latency", 150 * latencyWeight, "no answer")
        } else if let time = knowledge.cities[ServerCity(of: server)] {
            add("latency", min(150, time / 2) * latencyWeight, "\(Figures.milliseconds(time)), as others of its city")
        } else {
            add("latency", 100 * latencyWeight, "not measured")
        }
        if let figures { add("loss", figures.loss * latencyWeight, "\(Figures.decimal(figures.loss, digits: 0)) % of \(figures.samples)") }
        return parts
    }
}
