import Model

/// What exits and containers hold while servers are chosen. Who takes a server or gives one back says so: a plan in which many exits start
/// would look at all of them for each otherwise.
struct Holdings: Sendable {
    private(set) var surroundings: ServerRanking.Surroundings
    private var addresses: [String: Int] = [:]
    /// The servers to which a tunnel of ours still leads, whoever's it is.
    let tunnelled: Set<String>

    init(_ exits: [ExitID: Exit], _ world: World, _ now: Timestamp) {
        surroundings = .init(held: [], breakers: world.breakers.mapValues { $0.state(now) })
        tunnelled = Set((world.containers ?? []).lazy.filter(\.isRunning).compactMap(\.server))
        for exit in exits.values where exit.state != .stopped { add(exit.server) }
    }

    func isHeld(_ address: String) -> Bool { addresses[address] ?? 0 > 0 }

    mutating func add(_ server: Server?) {
        guard let server else { return }
        surroundings.add(server)
        addresses[server.address, default: 0] += 1
    }

    mutating func remove(_ server: Server?) {
        guard let server else { return }
        surroundings.remove(server)
        addresses[server.address, default: 0] -= 1
    }
}
