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
        var sources = [(lastLayout?.pools ?? []).flatMap { $0.slots.compactMap(\.endpoint) }, endpointsOfFile()]
        // The newest worker first: one that a reload makes meanwhile starts from the file, and this one is then among the old.
        sources.append(await endpoints(sockets.stats, "show servers state"))
        let processes = (try? await sockets.master.send("show proc")).map(RuntimeAnswers.processes)
        let isAlone = processes?.master.map { !hasPredecessors(of: $0) } ?? false
        // One that does not answer may have ended meanwhile, which the next question shows.
        for pid in processes?.oldWorkers ?? [] { sources.append(await endpoints(sockets.master, "@!\(pid) show servers state")) }
        let found = sources.compactMap(\.self).joined().filter { $0 != Self.parked }
        return GatewayReach(
            addresses: Set(found.compactMap { IPv4Address($0.address) }), isWhole: isAlone && !sources.contains { $0 == nil })
    }

    /// Of the configuration on the disk, if there is one; nil where it can't be read.
    private func endpointsOfFile() -> [Endpoint]? {
        guard Files.exists(file) else { return [] }
        return (try? Files.read(file, limit: 16 << 20)).map { Self.endpoints(in: $0) }
    }

    /// Of a worker; nil where it does not answer.
    private func endpoints(_ socket: RuntimeSocket, _ question: String) async -> [Endpoint]? {
        guard let state = try? await socket.send(question), Self.isState(state) else { return nil }
        return RuntimeAnswers.slots(state).compactMap(\.slot.endpoint) + RuntimeAnswers.tunnels(state).values
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
