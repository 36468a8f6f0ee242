import Model
import Planning
import Testing

/// A provider with several accounts: exits are spread over them, no budget is exceeded, and a key's trouble is one account's.
@Suite struct SeveralAccountsTests {
    private func rules(_ accounts: [DeviceBudget.Named]) -> Planner.Rules {
        var rules = Planner.Rules()
        rules.devices.accounts = [.nordvpn: accounts]
        return rules
    }

    private let two = [DeviceBudget.Named("alice", 10), DeviceBudget.Named("bob", 10)]

    private func plan(
        _ pools: [Pool], _ exits: [Exit] = [], servers: [Server], containers: [ExitContainer]? = nil, accounts: [DeviceBudget.Named],
        breakers: [BreakerKey: Breaker] = [:], keys: [ProviderAccount: String] = [:], now: Timestamp = start + 1_000
    ) -> Plan {
        var world = World(
            containers: containers ?? exits.filter(\.keepsContainer).map { container(of: $0) },
            servers: Dictionary(grouping: servers, by: \.country))
        world.breakers = breakers
        world.keyNames = keys
        return Planner.plan(
            desired: Desired(pools: Dictionary(uniqueKeysWithValues: pools.map { ($0.country, $0) })),
            exits: Dictionary(uniqueKeysWithValues: exits.map { ($0.id, $0) }), world: world, now: now, rules: rules(accounts))
    }

    private func on(_ account: String?, _ server: Server) -> Server {
        var server = server
        server.account = account
        return server
    }

    private func account(_ name: String) -> ProviderAccount { ProviderAccount(.nordvpn, name) }

    private func counts(_ plan: Plan) -> [String: Int] {
        plan.exits.values.filter(\.keepsContainer).reduce(into: [:]) { $0[$1.server?.account ?? "none", default: 0] += 1 }
    }

    private func refused(_ reason: ExitReason = .handshakeTimeout) -> Breaker {
        var breaker = Breaker()
        breaker.fail(reason.rawValue, start + 990, Breaker.ofCredentials)
        return breaker
    }

    // MARK: - Spread

    @Test(arguments: [(2, [1, 1]), (3, [2, 1]), (6, [3, 3])]) func `a pool's exits are spread over the accounts`(size: Int, each: [Int]) {
        let counts = counts(plan([Pool(country: us, size: size)], servers: (1...9).map { server($0) }, accounts: two))
        #expect(counts.values.sorted(by: >) == each)
    }

    @Test func `over several pools the account with the smaller share in use is taken`() {
        let accounts = [DeviceBudget.Named("alice", 2), DeviceBudget.Named("bob", 8)]
        let pools = [Pool(country: us, size: 1), Pool(country: de, size: 1)]
        let exit = serving(1, on: on("alice", server(1)))
        let plan = plan(pools, [exit], servers: [server(1), server(2), server(1, de)], accounts: accounts)
        #expect(plan.exits[id(1, de)]?.server?.account == "bob")
    }

    @Test func `an account without a name has none in its exits, and one with a name has it though it is the only one`() {
        let servers = [server(1), server(2)]
        let named = plan([Pool(country: us, size: 1)], servers: servers, accounts: [DeviceBudget.Named("alice", 10)])
        #expect(named.exits[id(1)]?.server?.account == "alice")
        let unnamed = Planner.plan(
            desired: Desired(pools: [us: Pool(country: us, size: 1)]), exits: [:],
            world: World(containers: [], servers: [us: servers]), now: start)
        #expect(unnamed.exits[id(1)]?.server?.account == nil && unnamed.launches.count == 1)
        #expect(ProviderAccount(.nordvpn).shownName == "main" && "\(ProviderAccount(.nordvpn))" == "nordvpn")
    }

    // MARK: - Never one server twice

    @Test func `an account has one tunnel to a server, and the next exit there is another account's`() {
        let only = [server(1)]
        let counts = counts(plan([Pool(country: us, size: 3)], servers: only, accounts: two))
        #expect(counts == ["alice": 1, "bob": 1])
    }

    @Test func `while other servers are free nobody shares one`() {
        let plan = plan([Pool(country: us, size: 4)], servers: (1...4).map { server($0) }, accounts: two)
        #expect(Set(plan.exits.values.compactMap(\.server?.address)).count == 4)
    }

    @Test func `a container whose account is not known keeps its server from all accounts`() {
        let stranger = ExitContainer(
            name: "left", exit: id(9), generation: 1, isRunning: true, endpoint: nil, server: server(1).address, exitCode: nil)
        #expect(plan([Pool(country: us, size: 1)], servers: [server(1)], containers: [stranger], accounts: two).launches.isEmpty)
    }

    // MARK: - Budgets

    @Test func `where all accounts are full, the exit says so`() {
        let accounts = [DeviceBudget.Named("alice", 1), DeviceBudget.Named("bob", 2)]
        let plan = plan([Pool(country: us, size: 5)], servers: (1...9).map { server($0) }, accounts: accounts)
        #expect(counts(plan) == ["alice": 1, "bob": 2])
        let waiting = plan.exits.values.filter { $0.state == .pending }
        #expect(waiting.allSatisfy { $0.reason == .deviceLimit && $0.detail == "none of the 2 accounts at nordvpn has a free tunnel" })
    }

    @Test func `the container that an exit has given up counts for its own account until it is gone`() {
        var lost = serving(1, on: on("alice", server(1)))
        let old = container(of: lost)
        lost.backOff(.containerExited, "", avoidServer: false, now: start)
        let accounts = [DeviceBudget.Named("alice", 1), DeviceBudget.Named("bob", 1)]
        let plan = plan([Pool(country: us, size: 1)], [lost], servers: [server(1), server(2)], containers: [old], accounts: accounts)
        #expect(plan.exits[id(1)]?.server?.account == "bob", "it need not wait for its own old container")
    }

    /// A fleet of random accounts, of which some are refused, over a few plans in which exits die and old containers linger.
    private struct Fleet {
        var random: SplitMix64
        var accounts: [DeviceBudget.Named] = []
        var exits: [Exit] = []
        var containers: [ExitContainer] = []
        /// Whose tunnel each container has.
        var holders: [String: String] = [:]

        init(seed: Int) {
            random = SplitMix64(state: UInt64(seed))
            for number in 1...Int.random(in: 1...4, using: &random) {
                let limit = Bool.random(using: &random) ? Int.random(in: 1...4, using: &random) : nil
                accounts.append(DeviceBudget.Named("a\(number)", limit))
            }
        }

        /// What was begun runs; some of it dies, and its container may linger.
        mutating func live(by plan: Plan) {
            exits = plan.exits.values.sorted { $0.id < $1.id }
            for id in plan.launches {
                guard let exit = plan.exits[id] else { continue }
                containers.append(container(of: exit))
                holders[containers[containers.count - 1].name] = exit.server?.account
            }
            for index in exits.indices where exits[index].keepsContainer && Int.random(in: 0...3, using: &random) == 0 {
                exits[index].backOff(.blackhole, "", avoidServer: true, now: start)
                exits[index].retryAt = nil
            }
            let kept = Set(exits.filter(\.keepsContainer).map { "c-\($0.id)-\($0.generation)" })
            containers = containers.filter { kept.contains($0.name) || Bool.random(using: &random) }
        }
    }

    @Test(arguments: 0..<300) func `no plan exceeds a budget or takes a server twice by one account`(seed: Int) {
        var fleet = Fleet(seed: seed)
        let servers = (1...Int.random(in: 1...8, using: &fleet.random)).map { server($0) } + (1...3).map { server($0, de) }
        var breakers: [BreakerKey: Breaker] = [:]
        for entry in fleet.accounts where Int.random(in: 0...3, using: &fleet.random) == 0 {
            breakers[.credential(account(entry.name))] = refused()
        }
        let pools = [us, de].map { Pool(country: $0, size: Int.random(in: 1...6, using: &fleet.random)) }
        for round in 0..<5 {
            let plan = plan(
                pools, fleet.exits, servers: servers, containers: fleet.containers, accounts: fleet.accounts, breakers: breakers,
                now: start + 1_000 + Double(round))
            check(plan, fleet, breakers, round)
            fleet.live(by: plan)
        }
    }

    private func check(_ plan: Plan, _ fleet: Fleet, _ breakers: [BreakerKey: Breaker], _ round: Int) {
        var tunnels: [String: Int] = [:]
        var places: [String: Int] = [:]
        for container in fleet.containers {
            guard let holder = fleet.holders[container.name], let address = container.server else { continue }
            tunnels[holder, default: 0] += 1
            places["\(holder) \(address)", default: 0] += 1
        }
        for id in plan.launches {
            guard let server = plan.exits[id]?.server, let name = server.account else { continue }
            tunnels[name, default: 0] += 1
            places["\(name) \(server.address)", default: 0] += 1
            #expect(breakers[.credential(account(name))] == nil, "a refused account got an exit")
        }
        for entry in fleet.accounts {
            guard let limit = entry.limit else { continue }
            #expect(tunnels[entry.name] ?? 0 <= limit, "round \(round): \(tunnels) of \(fleet.accounts)")
        }
        #expect(places.values.allSatisfy { $0 == 1 }, "round \(round): \(places)")
    }

    // MARK: - A key's trouble

    @Test func `an exit whose tunnel was lost takes another account first`() {
        var lost = serving(1, on: on("alice", server(1)))
        lost.backOff(.blackhole, "", avoidServer: true, now: start + 999)
        let other = serving(2, on: on("bob", server(2)))
        let plan = plan([Pool(country: us, size: 2)], [lost, other], servers: (1...5).map { server($0) }, accounts: two)
        #expect(plan.exits[id(1)]?.server?.account == "bob" && plan.exits[id(2)] == other)
    }

    @Test(arguments: [ExitReason.credentialsRejected, .handshakeTimeout])
    func `exits of a refused account move to another one, and serve until that serves`(reason: ExitReason) throws {
        let exits = [serving(1, on: on("alice", server(1))), serving(2, on: on("bob", server(2)))]
        let breakers = [BreakerKey.credential(account("alice")): refused(reason)]
        let first = plan([Pool(country: us, size: 2)], exits, servers: (1...5).map { server($0) }, accounts: two, breakers: breakers)
        let leaver = try #require(first.exits[id(1)])
        #expect(leaver.leaving && leaver.state == .serving && leaver.reason == .credentialsRejected)
        #expect(leaver.detail == "its account nordvpn/alice is refused")
        #expect(first.exits[id(3)]?.server?.account == "bob" && first.exits[id(3)]?.state == .starting)
        #expect(first.exits[id(2)] == exits[1], "the other account's exit is left alone")
        #expect(first.layout?.pools.first?.slots.filter { $0.state == .ready }.count == 2)
    }

    @Test func `an exit that works stays where no other account has a tunnel left`() {
        let exit = serving(1, on: on("alice", server(1)))
        let breakers = [BreakerKey.credential(account("alice")): refused(.credentialsRejected)]
        let full = [DeviceBudget.Named("alice", 10), DeviceBudget.Named("bob", 1)]
        let german = serving(1, de, on: on("bob", server(1, de)))
        let pools = [Pool(country: us, size: 1), Pool(country: de, size: 1)]
        let servers = [server(1), server(2), server(1, de), server(2, de)]
        let plan = plan(pools, [exit, german], servers: servers, accounts: full, breakers: breakers)
        #expect(plan.exits[id(1)] == exit && plan.launches.isEmpty)
    }

    @Test func `an exit with a key that was exchanged moves, make before break`() {
        var exit = serving(1, on: on("alice", server(1)))
        exit.keyName = "key-old"
        let keys = [account("alice"): "key-new", account("bob"): "key-bob"]
        let plan = plan([Pool(country: us, size: 1)], [exit], servers: [server(1), server(2)], accounts: two, keys: keys)
        #expect(plan.exits[id(1)]?.leaving == true && plan.exits[id(1)]?.state == .serving)
        #expect(plan.exits[id(1)]?.detail == "the key of its account nordvpn/alice was exchanged")
        #expect(plan.launches == [id(2)])
    }

    @Test func `an account that was removed is left, and one that was renamed is the same`() {
        var exit = serving(1, on: on("carol", server(1)))
        exit.keyName = "key-c"
        let servers = [server(1), server(2)]
        let gone = plan([Pool(country: us, size: 1)], [exit], servers: servers, accounts: two, keys: [account("bob"): "key-b"])
        #expect(gone.exits[id(1)]?.leaving == true && gone.launches == [id(2)])
        let renamed = plan([Pool(country: us, size: 1)], [exit], servers: servers, accounts: two, keys: [account("bob"): "key-c"])
        #expect(renamed.exits[id(1)]?.server?.account == "bob" && renamed.exits[id(1)]?.leaving == false && renamed.launches.isEmpty)
    }

    @Test func `an exit of an earlier version goes on as the first account's, with the key that this one has`() {
        let exit = serving(1, on: server(1))
        let keys = [account("alice"): "key-a", account("bob"): "key-b"]
        let plan = plan([Pool(country: us, size: 1)], [exit], servers: [server(1), server(2)], accounts: two, keys: keys)
        let taken = plan.exits[id(1)]
        #expect(taken?.server?.account == "alice" && taken?.keyName == "key-a" && taken?.leaving == false && plan.launches.isEmpty)
    }

    @Test func `where every account is refused, the exit waits for that`() {
        let breakers = Dictionary(uniqueKeysWithValues: two.map { (BreakerKey.credential(account($0.name)), refused()) })
        let plan = plan([Pool(country: us, size: 1)], servers: [server(1)], accounts: two, breakers: breakers)
        #expect(plan.launches.isEmpty && plan.exits[id(1)]?.reason == .credentialsRejected)
        #expect(plan.exits[id(1)]?.detail?.contains("the keys of all accounts") == true)
    }

    @Test func `each refused account is one alert that names it and says what to do`() {
        let breakers = [BreakerKey.credential(account("alice")): refused(.credentialsRejected)]
        let alerts = Alerts.of(Alerts.Facts(desired: Desired(), exits: [:], breakers: breakers), now: start + 1_000)
        #expect(alerts.map(\.subject) == [.credential(account("alice"))] && "\(alerts[0].subject)" == "credential:nordvpn/alice")
        #expect(alerts[0].message.contains("account alice") && alerts[0].remedy.contains("sallyport reload"))
    }

    @Test func `pools that need more than all accounts of a provider allow are told`() {
        var budget = DeviceBudget()
        budget.accounts = [.nordvpn: [DeviceBudget.Named("alice", 2), DeviceBudget.Named("bob", 3)]]
        #expect(budget.excess(of: [Pool(country: us, size: 5)], providers: [.nordvpn]) == nil)
        #expect(
            budget.excess(of: [Pool(country: us, size: 6)], providers: [.nordvpn])
                == "the pools need 6 tunnels of nordvpn, standbys included, and its 2 accounts together allow 5")
        #expect(budget.limit(of: ProviderName.nordvpn) == 5)
    }

    @Test func `an exit is stored with its account and its key's name, and without them it is read too`() throws {
        #expect(ProviderAccount("nordvpn/alice") == account("alice") && ProviderAccount("nordvpn") == ProviderAccount(.nordvpn))
        #expect(BreakerKey("credential:nordvpn/alice") == .credential(account("alice")))
        #expect(AlertSubject("credential:nordvpn/alice") == .credential(account("alice")))
    }
}
