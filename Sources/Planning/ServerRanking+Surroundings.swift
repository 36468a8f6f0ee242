package import Model

extension ServerRanking {
    /// What the exits and the breakers of one moment count against a server. Servers come and go one by one, so that a plan in which many
    /// exits start need not count all of them for each.
    package struct Surroundings: Sendable {
        private struct City: Hashable {
            let country: CountryCode
            let name: String
        }

        /// How many exits hold what, of one provider.
        private struct Held {
            var hostnames: [String: Int] = [:]
            var addresses: [String: Int] = [:]
            var cities: [City: Int] = [:]
            var networks: [String: Int] = [:]
        }

        private var held: [ProviderName: Held] = [:]
        /// Absent ones are closed.
        private let breakers: [BreakerKey: Breaker.State]

        /// - Parameters:
        ///   - held: servers that exits hold.
        ///   - breakers: absent ones are closed.
        package init(held: some Sequence<Server>, breakers: [BreakerKey: Breaker.State] = [:]) {
            self.breakers = breakers.filter { $0.value != .closed }
            for server in held { add(server) }
        }

        package mutating func add(_ server: Server) { count(server, 1) }
        package mutating func remove(_ server: Server) { count(server, -1) }

        private mutating func count(_ server: Server, _ number: Int) {
            held[server.provider, default: Held()].hostnames[server.hostname, default: 0] += number
            held[server.provider, default: Held()].addresses[server.address, default: 0] += number
            held[server.provider, default: Held()].cities[Self.city(of: server), default: 0] += number
            if let network = Self.network(of: server) {
                held[server.provider, default: Held()].networks[network, default: 0] += number
            }
        }

        /// What stands against a server.
        private struct Counts {
            var breaker = Breaker.State.closed
            var isHeld = false
            var inCity = 0
            var inNetwork = 0

            var breakerPoints: Double {
                switch breaker {
                case .closed: 0
                case .open: 1_000
                case .halfOpen: 5
                }
            }
            var heldPoints: Double { isHeld ? 10_000 : 0 }
            var cityPoints: Double { 15 * Double(inCity) }
            var networkPoints: Double { 5 * Double(inNetwork) }
        }

        private func counts(of server: Server) -> Counts {
            var counts = Counts()
            if !breakers.isEmpty { counts.breaker = breakers[.server(server.hostname)] ?? .closed }
            guard let held = held[server.provider] else { return counts }
            counts.isHeld = held.hostnames[server.hostname] ?? 0 > 0 || held.addresses[server.address] ?? 0 > 0
            counts.inCity = held.cities[Self.city(of: server)] ?? 0
            counts.inNetwork = Self.network(of: server).flatMap { held.networks[$0] } ?? 0
            return counts
        }

        /// Never negative: who adds them to a score can only make it worse.
        package func points(of server: Server) -> Double {
            let counts = counts(of: server)
            return counts.breakerPoints + counts.heldPoints + counts.cityPoints + counts.networkPoints
        }

        func parts(of server: Server) -> [RankedServer.Part] {
            let counts = counts(of: server)
            let why = counts.breaker == .open ? "it failed recently" : "it failed, and may be tried again"
            return [
                RankedServer.Part(name: "breaker", points: counts.breakerPoints, reason: why),
                .init(name: "held", points: counts.heldPoints, reason: "an exit uses it"),
                .init(name: "city", points: counts.cityPoints, reason: "\(counts.inCity) of our exits are there"),
                .init(name: "network", points: counts.networkPoints, reason: "\(counts.inNetwork) of our exits are in it"),
            ].filter { $0.points > 0 }
        }

        private static func city(of server: Server) -> City { City(country: server.country, name: server.city ?? server.hostname) }

        /// Its owner's name, else the first two numbers of the address.
        private static func network(of server: Server) -> String? {
            if let network = server.network { return network }
            guard !server.needsResolving else { return nil }
            let second = server.address.utf8.split(separator: UInt8(ascii: "."), maxSplits: 2).prefix(2)
            return second.last.map { String(server.address[..<$0.endIndex]) }
        }
    }
}
