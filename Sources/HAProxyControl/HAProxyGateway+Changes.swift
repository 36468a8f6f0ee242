import Model
import Planning
import Platform

/// What is changed while HAProxy runs: slots and maps.
extension HAProxyGateway {
    func adjustSlots(_ layout: GatewayLayout, only state: GatewaySlot.State? = nil) async throws {
        let servers = try await sockets.stats.send("show servers state")
        let seen = Dictionary(
            RuntimeAnswers.slots(servers).map { ("\($0.backend)/\($0.slot.name)", $0.slot) }, uniquingKeysWith: { $1 })
        let tunnels = RuntimeAnswers.tunnels(servers)
        let slots = layout.pools.flatMap { pool in
            pool.slots.map { (name: "\(pool.backendName)/\($0.name)", tunnel: pool.tunnelName(of: $0), slot: $0) }
        }
        // What takes connections comes in before anything goes out: between the two a pool would have nobody.
        for entry in slots.filter({ $0.slot.state == .ready }) + slots.filter({ $0.slot.state != .ready }) {
            guard let present = seen[entry.name], state == nil || entry.slot.state == state else { continue }
            var changes = try Self.changes(from: present, to: entry.slot, name: entry.name)
            if let tunnel = tunnels[entry.name] {
                changes += Self.leading(entry.tunnel, from: tunnel, to: entry.slot.endpoint ?? Self.parked)
            }
            for change in changes { try await carryOut(change) }
        }
    }

    /// A part of a slot's change.
    enum SlotChange: Equatable {
        case tell(String)
        /// Ends what the server carries.
        case cut(String)
    }

    private func carryOut(_ change: SlotChange) async throws {
        switch change {
        case .tell(let command): try await execute(command)
        case .cut(let server): try await cut(server)
        }
    }

    /// A connection to the server that is still being made is left alone: HAProxy closes a client whose one it is told to end without any
    /// answer, and otherwise tries another server when it fails.
    private func cut(_ server: String) async throws {
        let carried = RuntimeAnswers.carried((try? await sockets.stats.send("show sess")) ?? "").filter { $0.server == server }
        guard carried.contains(where: \.isBeingMade) else { return try await execute("shutdown sessions server \(server)") }
        for session in carried where !session.isBeingMade {
            // One that is not known any more has ended meanwhile.
            _ = try? await sockets.stats.send("shutdown session \(session.id)")
        }
    }

    /// What turns one slot into another, in the order in which nothing goes to a wrong address meanwhile.
    static func changes(from present: GatewaySlot, to wanted: GatewaySlot, name: String) throws -> [SlotChange] {
        guard let endpoint = wanted.endpoint else { return freeing(present, name) }
        // HAProxy takes a port modulo 65536 without a word.
        guard (1...65_535).contains(endpoint.port) else {
            throw HAProxyError(code: .refused, action: "plugging in \(name)", message: "port \(endpoint.port) is not 1 to 65535")
        }
        let isMoved = present.endpoint != endpoint
        var changes: [SlotChange] = []
        if isMoved { changes = closing(present, name) + [.leading(name, to: endpoint)] }
        if present.weight != wanted.weight { changes.append(.tell("set server \(name) weight \(wanted.weight)")) }
        if isMoved || present.state != wanted.state { changes.append(.tell("set server \(name) state \(wanted.state.rawValue)")) }
        return changes
    }

    /// The commands for a slot's server in `tunnels`, which only its address says anything of: what was begun at another one is cut.
    private static func leading(_ tunnel: String, from present: Endpoint, to wanted: Endpoint) -> [SlotChange] {
        guard present != wanted else { return [] }
        let name = "\(GatewayPool.tunnels)/\(tunnel)"
        return [.leading(name, to: wanted), .cut(name)]
    }

    /// A free slot leads nowhere, so that its last address can be given again.
    private static func freeing(_ slot: GatewaySlot, _ name: String) -> [SlotChange] {
        let isParked = slot.endpoint == nil || slot.endpoint == parked
        return closing(slot, name) + (isParked ? [] : [.leading(name, to: parked)])
    }

    private static func closing(_ slot: GatewaySlot, _ name: String) -> [SlotChange] {
        slot.state == .maintenance ? [] : [.tell("set server \(name) state maint"), .cut(name)]
    }

    /// The address of a free slot, as the file has it.
    static let parked = Endpoint(address: "127.0.0.1", port: 1)

    /// Changes what differs, entry by entry.
    func adjust(_ map: GatewayMap) async throws {
        try warrant()
        let path = "\(folder)/\(map.name)"
        let present = try await runningMap(map.name)
        for (key, value) in map.entries.sorted(by: { $0.key < $1.key }) where present[key] != value {
            // A blank would end the value, and a semicolon the command: HAProxy reads "\;" as the character itself.
            let escaped = value.replacing(";", with: "\\;")
            try await execute(present[key] == nil ? "add map \(path) \(key) \(escaped)" : "set map \(path) \(key) \(escaped)")
        }
        for key in present.keys.sorted() where map.entries[key] == nil { try await execute("del map \(path) \(key)") }
    }

    /// Sends a command that answers nothing, or tells of a changed address, when it was carried out.
    func execute(_ command: String) async throws {
        try warrant()
        let answer = try await sockets.stats.send(command)
        guard answer.isEmpty || answer.contains("changed from") || answer.contains("no need to change") else {
            // Not the command itself: it may hold a user's hash.
            let words = command.split(separator: " ").prefix(3).joined(separator: " ")
            throw HAProxyError(code: .refused, action: "telling HAProxy to \(words)", message: String(answer.prefix(300)))
        }
    }

    func write(_ maps: [GatewayMap]) throws {
        try warrant()
        for map in maps { try sharing.write(map.text, to: "\(folder)/\(map.name)") }
        if !Files.exists(elsewhereMap) { try sharing.write("", to: elsewhereMap) }
        try writeQuotas()
    }
}

extension HAProxyGateway.SlotChange {
    fileprivate static func leading(_ server: String, to endpoint: Endpoint) -> Self {
        .tell("set server \(server) addr \(endpoint.address) port \(endpoint.port)")
    }
}
