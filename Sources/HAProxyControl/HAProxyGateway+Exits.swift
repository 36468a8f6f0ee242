package import Model
import Planning
import Platform

/// Exits as HAProxy reaches them: by which addresses, and with which credentials.
extension HAProxyGateway {
    /// The Basic credentials that a request to an exit has: of any exit of a pool by `us`, of a city by `us/newyork`, of one certain exit by its
    /// number. In HAProxy's memory and a file of mode 0600 alone.
    func secretsMap(of layout: GatewayLayout?) -> GatewayMap {
        var entries: [String: String] = [:]
        guard let credentials else { return GatewayMap(name: "secrets.map", entries: entries) }
        for pool in layout?.pools ?? [] {
            let country = pool.country.lowercased
            for case let occupant? in pool.slots.map(\.occupant) where occupant.knowsCredential {
                entries[country] = ExitCredentials.basic(credentials.pool(pool.country))
                entries["\(occupant.number)"] = ExitCredentials.basic(credentials.own(occupant.exit, generation: occupant.generation))
                let city = occupant.cityWord
                if !city.isEmpty { entries["\(country)/\(city)"] = ExitCredentials.basic(credentials.city(city, of: pool.country)) }
            }
        }
        return GatewayMap(name: "secrets.map", entries: entries)
    }

    /// Where any worker leads to, where one would that starts from the file, and what the next change may bring back.
    package func reach() async -> GatewayReach {
        var endpoints = (lastLayout?.pools ?? []).flatMap { $0.slots.compactMap(\.endpoint) }
        var isWhole = true
        if Files.exists(file) {
            if let text = try? Files.read(file, limit: 16 << 20) { endpoints += Self.endpoints(in: text) } else { isWhole = false }
        }
        // The newest worker first: one that a reload makes meanwhile starts from the file, and this one is then among the old.
        if let state = try? await sockets.stats.send("show servers state"), Self.isState(state) {
            endpoints += RuntimeAnswers.slots(state).compactMap(\.slot.endpoint)
        } else {
            isWhole = false
        }
        let processes = (try? await sockets.master.send("show proc")).map(RuntimeAnswers.processes)
        if processes?.master.map(hasPredecessors) ?? true { isWhole = false }
        for pid in processes?.oldWorkers ?? [] {
            guard let state = try? await sockets.master.send("@!\(pid) show servers state"), Self.isState(state) else {
                // It may have ended meanwhile, which the next question shows.
                isWhole = false
                continue
            }
            endpoints += RuntimeAnswers.slots(state).compactMap(\.slot.endpoint)
        }
        return GatewayReach(addresses: Set(endpoints.filter { $0 != Self.parked }.compactMap { IPv4Address($0.address) }), isWhole: isWhole)
    }

    /// True for a worker's answer, and not for what the master says of one that has ended.
    private static func isState(_ text: String) -> Bool { text.contains("# be_id be_name ") }

    /// The server lines of a file that was rendered here: `    server s1 172.31.240.2:3128 weight 100`.
    static func endpoints(in text: String) -> [Endpoint] {
        text.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count > 2, words[0] == "server", let colon = words[2].lastIndex(of: ":"),
                let port = Int(words[2][words[2].index(after: colon)...])
            else { return nil }
            return Endpoint(address: String(words[2][..<colon]), port: port)
        }
    }
}
