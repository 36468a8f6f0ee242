import Model

/// What exits and containers hold while servers are chosen. Who takes a server or gives one back says so: a plan in which many exits start
/// would look at all of them for each otherwise.
struct Holdings: Sendable {
    private(set) var surroundings: ServerRanking.Surroundings
    private(set) var devices: DevicesInUse
    private let budget: DeviceBudget
    private var addresses: [String: Int] = [:]
    /// The same by account, of providers with several: each of these may have a tunnel to one server.
    private var holders: [String: [ProviderAccount: Int]] = [:]
    /// The servers to which a tunnel of ours still leads, whoever's it is, and whose; nil where that is not known.
    private let tunnelled: [String: Set<ProviderAccount?>]
    /// Exits on servers of each account that is none of a provider's, and how many of its tunnels still stand.
    private var files: [String: Int] = [:]
    private let tunnelledFiles: [String: Int]

    init(_ exits: [ExitID: Exit], _ world: World, _ now: Timestamp, _ budget: DeviceBudget) {
        surroundings = .init(held: [], breakers: world.breakers.mapValues { $0.state(now) })
        devices = DevicesInUse(exits, world.containers, budget)
        self.budget = budget
        let running = (world.containers ?? []).filter(\.isRunning)
        tunnelled = running.reduce(into: [:]) { tunnelled, container in
            guard let address = container.server else { return }
            let owner = container.exit.flatMap { exits[$0] }
            let server = owner?.generation == container.generation ? owner?.server : nil
            tunnelled[address, default: []].insert(server.map(budget.account))
        }
        let owners = exits.values.reduce(into: [String: String]()) { owners, exit in
            if let server = exit.server, server.hasOwnKey, let account = server.account { owners[server.address] = account }
        }
        tunnelledFiles =
            owners.isEmpty
            ? [:] : running.reduce(into: [:]) { if let owner = $1.server.flatMap({ owners[$0] }) { $0[owner, default: 0] += 1 } }
        for exit in exits.values where exit.state != .stopped { add(exit.server) }
    }

    /// True where an exit has the server with the same key, or its file's key has no tunnel left.
    func isHeld(_ server: Server) -> Bool {
        if let account = file(server), files[account] ?? 0 >= budget.ofOneAccount { return true }
        guard let count = addresses[server.address], count > 0 else { return false }
        guard budget.isShared(server.provider) else { return true }
        let ofProvider = holders[server.address] ?? [:]
        return ofProvider[budget.account(of: server)] ?? 0 > 0 || count > ofProvider.values.reduce(0, +)
    }

    /// True where a container that runs would lose its tunnel to another one: on the same server with the same key, or of the same file's key.
    func isTunnelled(_ server: Server) -> Bool {
        if let account = file(server), tunnelledFiles[account] ?? 0 >= budget.ofOneAccount { return true }
        guard let tunnels = tunnelled[server.address] else { return false }
        guard budget.isShared(server.provider) else { return true }
        let account = budget.account(of: server)
        return tunnels.contains { $0 == nil || $0 == account || $0?.provider != account.provider }
    }

    func isFull(_ account: ProviderAccount) -> Bool { devices.isFull(account, budget) }

    /// An exit begins a tunnel.
    mutating func begin(_ server: Server, _ country: CountryCode) { devices.add(server, country, budget) }

    mutating func add(_ server: Server?) { if let server { count(server, 1) } }

    mutating func remove(_ server: Server?) { if let server { count(server, -1) } }

    private mutating func count(_ server: Server, _ number: Int) {
        if number > 0 { surroundings.add(server) } else { surroundings.remove(server) }
        addresses[server.address, default: 0] += number
        if budget.isShared(server.provider) {
            holders[server.address, default: [:]][budget.account(of: server), default: 0] += number
        }
        if let account = file(server) { files[account, default: 0] += number }
    }

    private func file(_ server: Server) -> String? { server.hasOwnKey ? server.account : nil }
}
