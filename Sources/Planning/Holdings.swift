import Model

/// What exits and containers hold while servers are chosen. Who takes a server or gives one back says so: a plan in which many exits start
/// would look at all of them for each otherwise.
struct Holdings: Sendable {
    private(set) var surroundings: ServerRanking.Surroundings
    private var addresses: [String: Int] = [:]
    /// The servers to which a tunnel of ours still leads, whoever's it is.
    private let tunnelled: Set<String>
    /// Exits on servers of each account that is none of a provider's, and how many of its tunnels still stand.
    private var accounts: [String: Int] = [:]
    private let tunnelledAccounts: [String: Int]
    /// Tunnels that such an account may have at once.
    private let ofOneAccount: Int

    init(_ exits: [ExitID: Exit], _ world: World, _ now: Timestamp, ofOneAccount: Int) {
        surroundings = .init(held: [], breakers: world.breakers.mapValues { $0.state(now) })
        let running = (world.containers ?? []).filter(\.isRunning).compactMap(\.server)
        tunnelled = Set(running)
        self.ofOneAccount = ofOneAccount
        let owners = exits.values.reduce(into: [String: String]()) { owners, exit in
            if let server = exit.server, let account = server.account { owners[server.address] = account }
        }
        tunnelledAccounts = owners.isEmpty ? [:] : running.reduce(into: [:]) { if let owner = owners[$1] { $0[owner, default: 0] += 1 } }
        for exit in exits.values where exit.state != .stopped { add(exit.server) }
    }

    /// True where an exit has the server, or its account has no tunnel left.
    func isHeld(_ server: Server) -> Bool {
        addresses[server.address] ?? 0 > 0 || server.account.map { accounts[$0] ?? 0 >= ofOneAccount } ?? false
    }

    /// True where a container that runs would lose its tunnel to another one: on the same server, or of the same account.
    func isTunnelled(_ server: Server) -> Bool {
        tunnelled.contains(server.address) || server.account.map { tunnelledAccounts[$0] ?? 0 >= ofOneAccount } ?? false
    }

    mutating func add(_ server: Server?) {
        guard let server else { return }
        surroundings.add(server)
        addresses[server.address, default: 0] += 1
        if let account = server.account { accounts[account, default: 0] += 1 }
    }

    mutating func remove(_ server: Server?) {
        guard let server else { return }
        surroundings.remove(server)
        addresses[server.address, default: 0] -= 1
        if let account = server.account { accounts[account, default: 0] -= 1 }
    }
}
