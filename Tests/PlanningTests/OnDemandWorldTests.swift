import Model
import Planning
import Testing

/// Countries that are asked for by chance, with fewer tunnels than countries: seeded, in memory.
private struct OnDemandWorld {
    static let limit = 3
    static let countries: [CountryCode] = ["us", "de", "fr", "gb", "nl", "se", "ch", "ca"].compactMap { CountryCode($0) }

    var random: SplitMix64
    var now = start
    var desired = Desired()
    var exits: [ExitID: Exit] = [:]
    var containers: [String: ExitContainer] = [:]
    var published: GatewayLayout?
    var running: [(id: ExitID, isLaunch: Bool)] = []
    /// Connections by country, which only its exits in the published layout carry.
    var connections: [ExitID: Int] = [:]
    var use: [CountryCode: Timestamp] = [:]
    var openings = 0
    var rules = Planner.Rules(drainSeconds: 5, noServerSeconds: 1)
    let servers: [CountryCode: [RankedServer]]

    init(seed: UInt64) {
        random = SplitMix64(state: seed)
        desired.onDemand = Set(Self.countries)
        rules.devices = DeviceBudget([.nordvpn: Self.limit])
        rules.onDemand.idleSeconds = 30
        servers = Dictionary(
            uniqueKeysWithValues: Self.countries.enumerated().map { index, country in
                let list = (1...3).map { (number: Int) in
                    RankedServer(
                        server: Server(
                            provider: .nordvpn, hostname: "\(country.lowercased)\(number)", address: "198.18.\(index + 1).\(number)",
                            port: 51820, publicKey: "k", country: country, city: "A", load: number), parts: [])
                }
                return (country, list)
            })
    }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    var view: OnDemandView {
        OnDemandView(
            desired: desired, exits: exits, usedAt: use, connected: Set(connections.filter { $0.value > 0 }.map(\.key.country)),
            rules: rules,
            now: now)
    }

    /// As the controller answers a request.
    mutating func ask(_ country: CountryCode) {
        guard let pool = desired.opened(country), view.hasRoom([.nordvpn]) else { return }
        openings += 1
        desired.pools[country] = pool
        use[country] = now
        let takesBack = exits.of(country).contains(where: \.givesWay)
        if !takesBack, let exit = Planner.newExit(country: country, slots: pool.slotCount, among: exits, now: now) { exits[exit.id] = exit }
    }

    mutating func close(_ country: CountryCode, mayBeUsed: Bool = false) {
        #expect(mayBeUsed || exits.of(country).allSatisfy { connections[$0.id] ?? 0 == 0 }, "who has connections never gives way")
        desired.pools[country] = nil
        use[country] = nil
        for exit in exits.of(country) where !exit.leaving && exit.state != .stopped {
            exits[exit.id]?.leaving = true
            exits[exit.id]?.reason = .idle
        }
    }

    mutating func turn(asks: Bool) {
        now = now + Double.random(in: 0.05...1, using: &random)
        for (id, isLaunch) in running where chance(60) {
            running.removeAll { $0.id == id }
            guard var exit = exits[id] else { continue }
            if isLaunch {
                let name = "\(id)-\(exit.generation)"
                let endpoint = Endpoint(address: "172.31.\(Self.countries.firstIndex(of: id.country) ?? 0).\(exit.slot)", port: 3128)
                containers[name] = ExitContainer(
                    name: name, exit: id, generation: exit.generation, isRunning: true, endpoint: endpoint, server: exit.server?.address,
                    exitCode: nil)
                exit.launched(container: name, endpoint: endpoint, now: now)
            } else {
                exit.verified(address: "198.18.0.1", country: id.country, latencyMilliseconds: 5, now: now)
            }
            exits[id] = exit
        }
        if chance(2), let name = containers.keys.sorted().randomElement(using: &random) { containers[name]?.isRunning = false }
        connect(asks: asks)
        if asks { for _ in 0..<Int.random(in: 0...4, using: &random) { ask(Self.countries.randomElement(using: &random) ?? us) } }
        let found = view
        for country in found.idle + found.evicted(servers: servers) { close(country) }
        look()
    }

    /// Connections come to what is plugged in, and go; those of a container that has ended are gone.
    private mutating func connect(asks: Bool) {
        let ready = published?.pools.flatMap { $0.slots.filter { $0.state == .ready }.compactMap(\.occupant?.exit) } ?? []
        for id in ready where asks && exits[id]?.state.takesTraffic ?? false && chance(20) { connections[id, default: 0] += 1 }
        for (id, count) in connections.sorted(by: { $0.key < $1.key }) where count > 0 && chance(asks ? 25 : 60) {
            connections[id] = count - 1
        }
        for id in connections.keys where !containers.values.contains(where: { $0.exit == id && $0.isRunning }) { connections[id] = nil }
        for (id, count) in connections where count > 0 && desired.pools[id.country] != nil { use[id.country] = now }
    }

    private mutating func look() {
        var world = World(containers: Array(containers.values), published: published)
        world.servers = servers
        world.busy = Set(running.map(\.id))
        if let published {
            world.gateway = GatewayObservation(
                slots: published.pools.flatMap { pool in
                    pool.slots.map { slot in
                        let owner = exits.values.first { $0.country == pool.country && $0.slot == slot.number }
                        return .init(backend: pool.backendName, slot: slot, sessions: owner.flatMap { connections[$0.id] } ?? 0)
                    }
                })
        }
        let plan = Planner.plan(desired: desired, exits: exits, world: world, now: now, rules: rules)
        exits = plan.exits
        for step in plan.steps {
            switch step {
            case .launch(let id): running.append((id, true))
            case .verify(let id): running.append((id, false))
            case .remove(let name):
                let id = containers[name]?.exit
                #expect(
                    id.map { connections[$0] ?? 0 == 0 || containers[name]?.isRunning == false } ?? true,
                    "no connection is cut for another country")
                containers[name] = nil
            case .publish(let layout): published = layout
            case .findServers, .ask: break
            }
        }
        let tunnels =
            containers.values.count(where: \.isRunning)
            + running.count { $0.isLaunch && containers["\($0.id)-\(exits[$0.id]?.generation ?? 0)"] == nil }
        #expect(tunnels <= Self.limit, "never more tunnels than the account allows")
    }
}

@Suite struct OnDemandWorldTests {
    @Test(arguments: 1...60)
    func `tunnels stay within the budget, nobody with connections gives way, and all ends closed`(seed: UInt64) {
        var world = OnDemandWorld(seed: seed)
        for _ in 0..<400 { world.turn(asks: true) }
        #expect(world.openings > 20)
        for _ in 0..<300 { world.turn(asks: false) }
        #expect(world.desired.pools.isEmpty && world.exits.isEmpty && world.containers.isEmpty)
    }
}
