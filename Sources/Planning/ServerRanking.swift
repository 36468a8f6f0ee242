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
/// | breaker | 1,000 while it is open, 100 while it is half open |
/// | held | 10,000 where an exit holds it already: one account never has two tunnels to one server |
/// | city | 15 for each exit of the account's in that city |
/// | network | 5 for each exit of the account's in that network (its owner's name, else the first two numbers of the address) |
///
/// The strategy `load` counts latency and loss at a thousandth, `latency` counts load at a thousandth: enough to break ties.
package enum ServerRanking {
    /// What is known beside the servers themselves.
    package struct Knowledge: Sendable {
        /// By host name.
        package var latencies: [String: LatencyFigures] = [:]
        /// Milliseconds that servers of a city are away, by `city(of:)`, for those that were not measured themselves.
        package var cities: [String: Double] = [:]
        /// Servers that exits hold.
        package var held: [Server] = []
        /// By `Breaker.name(server:)`; absent ones are closed.
        package var breakers: [String: Breaker.State] = [:]

        package init() {}
    }

    /// Where a server stands, as a key.
    package static func city(of server: Server) -> String { "\(server.provider)/\(server.country)/\(server.city ?? server.hostname)" }

    /// One server of each city, the least loaded, least loaded first: what is measured before anything is known.
    package static func firstOfCities(_ servers: [Server], limit: Int) -> [Server] {
        var cities: Set<String> = []
        return Array(servers.sorted(by: isLessLoaded).filter { cities.insert(city(of: $0)).inserted }.prefix(limit))
    }

    package static func isLessLoaded(_ left: Server, _ right: Server) -> Bool {
        (left.load ?? 101, left.hostname) < (right.load ?? 101, right.hostname)
    }

    /// Best first.
    package static func ranked(
        _ servers: [Server], strategy: Strategy, knowledge: Knowledge = Knowledge(), seed: UInt64 = 0
    ) -> [RankedServer] {
        let surroundings = Surroundings(knowledge.held)
        let order = servers.map { scored($0, strategy, knowledge, surroundings) }.sorted {
            ($0.score, $0.server.hostname) < ($1.score, $1.server.hostname)
        }
        guard strategy == .random else { return order }
        var generator = SplitMix64(state: seed)
        return order.prefix(10).shuffled(using: &generator) + order.dropFirst(10)
    }

    /// The exits' servers, counted once for all.
    private struct Surroundings {
        var servers: Set<String> = []
        var cities: [String: Int] = [:]
        var networks: [String: Int] = [:]

        init(_ held: [Server]) {
            for server in held {
                servers.insert("\(server.provider)/\(server.hostname)")
                servers.insert("\(server.provider)/\(server.address)")
                cities[ServerRanking.city(of: server), default: 0] += 1
                if let network = ServerRanking.network(of: server) { networks[network, default: 0] += 1 }
            }
        }
    }

    private static func network(of server: Server) -> String? {
        if let network = server.network { return "\(server.provider)/\(network)" }
        guard !server.needsResolving else { return nil }
        return "\(server.provider)/" + server.address.split(separator: ".").prefix(2).joined(separator: ".")
    }

    private static func scored(
        _ server: Server, _ strategy: Strategy, _ knowledge: Knowledge, _ surroundings: Surroundings
    ) -> RankedServer {
        let loadWeight = strategy == .latency ? 0.001 : 1
        let latencyWeight = strategy == .load ? 0.001 : 1
        var parts: [RankedServer.Part] = []
        func add(_ name: String, _ points: Double, _ reason: String) {
            if points != 0 { parts.append(.init(name: name, points: points, reason: reason)) }
        }
        add("load", Double(server.load ?? 50) * loadWeight, server.load.map { "\($0) %" } ?? "unknown")

        let figures = knowledge.latencies[server.hostname]
        let city = city(of: server)
        if let time = figures?.median ?? server.latencyMilliseconds {
            add("latency", min(150, time / 2) * latencyWeight, Figures.milliseconds(time))
        } else if figures != nil {
            add("latency", 150 * latencyWeight, "no answer")
        } else if let time = knowledge.cities[city] {
            add("latency", min(150, time / 2) * latencyWeight, "\(Figures.milliseconds(time)), as others of its city")
        } else {
            add("latency", 100 * latencyWeight, "not measured")
        }
        if let figures { add("loss", figures.loss * latencyWeight, "\(Figures.decimal(figures.loss, digits: 0)) % of \(figures.samples)") }

        // Most often there is none, and no name needs to be made.
        switch knowledge.breakers.isEmpty ? .closed : knowledge.breakers[Breaker.name(server: server.hostname)] ?? .closed {
        case .closed: break
        case .open: add("breaker", 1000, "it failed lately")
        case .halfOpen: add("breaker", 100, "it failed, and may be tried again")
        }
        let isHeld =
            surroundings.servers.contains("\(server.provider)/\(server.hostname)")
            || surroundings.servers.contains("\(server.provider)/\(server.address)")
        if isHeld { add("held", 10_000, "an exit holds it") }
        if let count = surroundings.cities[city] { add("city", 15 * Double(count), "\(count) of our exits are there") }
        if let count = network(of: server).flatMap({ surroundings.networks[$0] }) {
            add("network", 5 * Double(count), "\(count) of our exits are in it")
        }
        return RankedServer(server: server, parts: parts)
    }
}
