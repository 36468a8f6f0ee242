package import Model
import Planning

/// The nearest servers, as they are now.
extension Catalog {
    /// Cities of which one server is measured at once, and servers that are measured beside these.
    private static let citiesAtOnce = 1_000
    private static let nearAtMost = 200
    /// Servers of a city that are asked, one after another, until one answers.
    private static let triesOfCity = 3

    /// Who was asked, who has answered, and how far away cities are.
    private struct Found {
        var asked: Set<String> = []
        var answered: Set<String> = []
        var cities: [ServerCity: Double] = [:]

        mutating func add(_ times: [String: Double], of servers: [Server]) {
            asked.formUnion(servers.map(\.hostname))
            answered.formUnion(times.keys)
            for server in servers {
                guard let time = times[server.hostname] else { continue }
                let city = ServerCity(of: server)
                cities[city] = min(cities[city] ?? time, time)
            }
        }

        /// By their cities' distance; by load within one.
        func isNearer(_ left: Server, _ right: Server) -> Bool {
            let times = (cities[ServerCity(of: left)] ?? .infinity, cities[ServerCity(of: right)] ?? .infinity)
            return times.0 == times.1 ? ServerRanking.isLessLoaded(left, right) : times.0 < times.1
        }
    }

    /// The nearest servers that answer: one of each city is measured, another where that is silent, then servers of the nearest cities until
    /// enough have answered.
    /// - Returns: nearest first; fewer than `limit` where no more answer.
    package func fastest(_ filter: ServerFilter, method: LatencyMethod, limit: Int) async throws -> [(
        server: Server, figures: LatencyFigures
    )] {
        let all = withoutHeld(try await snapshot(for: filter.provider).servers.filter(filter.contains), for: method)
        var found = try await measureCities(of: all, method)
        let near = all.filter { !found.asked.contains($0.hostname) }.sorted(by: found.isNearer)
        let batch = max(limit, settings.measured)
        for start in stride(from: 0, to: min(near.count, max(batch, Self.nearAtMost)), by: batch) {
            // The nearest cities are always looked at more closely, and further ones for as long as too few answer.
            if start > 0, found.answered.count >= limit { break }
            let next = Array(near[start..<min(near.count, start + batch)])
            found.add(try await measureNow(next, method: method), of: next)
        }
        return Array(nearest(all.filter { found.answered.contains($0.hostname) }).prefix(limit))
    }

    /// One server of each city; another one where that is silent.
    private func measureCities(of all: [Server], _ method: LatencyMethod) async throws -> Found {
        var found = Found()
        for _ in 0..<Self.triesOfCity {
            let silent = all.filter { !found.asked.contains($0.hostname) && found.cities[ServerCity(of: $0)] == nil }
            let round = ServerRanking.firstOfCities(silent, limit: Self.citiesAtOnce)
            guard !round.isEmpty else { break }
            found.add(try await measureNow(round, method: method), of: round)
        }
        return found
    }

    /// With their figures, nearest first.
    private func nearest(_ servers: [Server]) -> [(server: Server, figures: LatencyFigures)] {
        servers.compactMap { server -> (server: Server, figures: LatencyFigures)? in
            histories[server.hostname]?.figures.map { (server, $0) }
        }.sorted { ($0.figures.median ?? .infinity, $0.server.hostname) < ($1.figures.median ?? .infinity, $1.server.hostname) }
    }
}
