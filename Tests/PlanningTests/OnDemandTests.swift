import Model
import Planning
import Testing

private let fr = CountryCode("fr")!  // An ISO code.

/// Pools that a request opens and that close when nobody uses them.
@Suite struct OnDemandTests {
    private func passing(_ country: CountryCode) -> Pool { .passing(country) }

    private func layout(_ desired: Desired, _ exits: [Exit] = []) -> GatewayLayout {
        .of(desired: desired, exits: Dictionary(uniqueKeysWithValues: exits.map { ($0.id, $0) }))
    }

    private func entries(_ layout: GatewayLayout) -> [String: String] { layout.maps.first { $0.name == "pools.map" }?.entries ?? [:] }

    @Test func `a country on demand has its backend before it is opened, and no other when it is`() {
        var desired = Desired(pools: [us: Pool(country: us, size: 1)])
        desired.onDemand = [us, de, fr]
        let closed = layout(desired)
        #expect(closed.pools.map(\.country) == [de, fr, us])
        #expect(closed.pools.map(\.slots.count) == [3, 3, 20] && closed.pools.map(\.isOnDemand) == [true, true, false])
        desired.pools[de] = passing(de)
        let open = layout(desired, [serving(1, de, on: server(1, de))])
        #expect(open.pools.map(\.slots.count) == [3, 3, 20])
        let named = Desired(pools: [de: Pool(country: de, size: 2, standby: 1, onDemand: .closed)])
        #expect(layout(named).pools.map(\.slots.count) == [7])
        // An exit that is still there keeps its slot, though its pool has become one on demand.
        var other = serving(1, de, on: server(1, de))
        other.slot = 9
        #expect(layout(desired, [other]).pools[0].slots.count == 9)
    }

    @Test func `the gateway's map tells what can be asked for, and leads nobody who asks for any country there`() {
        var desired = Desired(pools: [us: Pool(country: us, size: 1)])
        desired.onDemand = [de]
        desired.pools[de] = passing(de)
        let exit = serving(1, de, on: server(1, de))
        var map = entries(layout(desired, [exit]))
        #expect(map["de"]?.contains(";demand=1;") == true && map["us"]?.contains("demand") == false)
        #expect(map["any"] == "countries=us" && map["fr"] == "none")
        desired.elsewhere = .notListed
        #expect(entries(layout(desired, [exit]))["fr"] == "servers=unknown")
        desired.elsewhere = .withoutServers
        desired.pools[us] = nil
        map = entries(layout(desired, [exit]))
        #expect(map["any"] == "countries=de" && map["fr"] == "servers=none")
        #expect(entries(layout(desired))["any"] == "countries=")
    }

    @Test func `requests wait for a tunnel that is being given back, and for no other`() {
        var waiting = Exit(id: id(1, de), slot: 1, now: start)
        waiting.reason = .deviceLimit
        let desired = Desired(pools: [us: passing(us), de: passing(de)])
        var other = serving(1, on: server(1))
        #expect(entries(layout(desired, [waiting, other]))["de"]?.contains("coming") == false)
        (other.leaving, other.reason) = (true, .idle)
        #expect(entries(layout(desired, [waiting, other]))["de"]?.contains("coming=1") == true)
    }

    @Test func `what opens a country is its pool, open`() {
        var desired = Desired(pools: [us: Pool(country: us, size: 2), de: Pool(country: de, size: 2, onDemand: .closed)])
        desired.onDemand = [us, fr]
        #expect(desired.opened(us) == nil && !desired.isOnDemand(us))
        #expect(desired.opened(de)?.onDemand == .open && desired.opened(de)?.size == 2)
        #expect(desired.opened(fr) == passing(fr))
        desired.pools[fr] = passing(fr)
        #expect(desired.opened(fr) == nil && desired.isOnDemand(fr))
        #expect(ExitRequest(country: de).grown(desired.pools[de]) == Pool(country: de, size: 1))
        #expect(ExitRequest(country: fr).grown(desired.pools[fr]) == Pool(country: fr, size: 2))
    }

    // MARK: - The planner

    private func plan(_ desired: Desired, _ exits: [Exit], sessions: Int = 0, at seconds: Double = 0) -> Plan {
        let byID = Dictionary(uniqueKeysWithValues: exits.map { ($0.id, $0) })
        var world = World(
            containers: exits.filter(\.keepsContainer).map { container(of: $0) }, published: .of(desired: desired, exits: byID),
            servers: [us: [server(1), server(2)], de: [server(1, de)]])
        world.gateway = GatewayObservation(
            slots: exits.map { .init(backend: "pool-\($0.country.lowercased)", slot: .free($0.slot), sessions: sessions) })
        return Planner.plan(desired: desired, exits: byID, world: world, now: start + seconds, rules: Planner.Rules(drainSeconds: 10))
    }

    @Test func `the exits of a pool that closes drain until their last connection, however long that is`() throws {
        let desired = Desired(pools: [us: Pool(country: us, size: 1, onDemand: .closed)])
        var exit = try #require(plan(desired, [serving(1, on: server(1))]).exits[id(1)])
        #expect(exit.state == .draining && exit.givesWay)
        exit = try #require(plan(desired, [exit], sessions: 1, at: 3_600).exits[id(1)])
        #expect(exit.state == .draining)
        #expect(plan(desired, [exit], at: 3_601).exits[id(1)]?.state == .stopped)
        // One that an operator takes away has its time.
        exit.reason = .unwanted
        #expect(plan(desired, [exit], sessions: 1, at: 3_600).exits[id(1)]?.state == .stopped)
    }

    @Test func `one without connections is looked at again as soon as the gateway lets go of it`() {
        let desired = Desired(pools: [us: Pool(country: us, size: 1, onDemand: .closed)])
        #expect(plan(desired, [serving(1, on: server(1))]).requeueAt == start)
        let later = plan(desired, [serving(1, on: server(1))], sessions: 1).requeueAt
        #expect(later.map { $0 > start } ?? true)
    }

    @Test func `an exit that gives way and is still there is taken back`() {
        var desired = Desired(pools: [us: Pool(country: us, size: 1, onDemand: .closed)])
        for state in [ExitState.draining, .serving] {
            var exit = serving(1, on: server(1))
            (exit.leaving, exit.reason, exit.state) = (true, .idle, state)
            desired.pools[us]?.onDemand = .open
            let result = plan(desired, [exit], sessions: 1)
            #expect(result.exits.count == 1 && result.exits[id(1)]?.state == .serving && result.exits[id(1)]?.leaving == false)
            #expect(result.launches.isEmpty)
        }
    }

    @Test func `a closed pool lacks nothing, and one that can't be opened is a warning`() {
        let facts = Alerts.Facts(desired: Desired(pools: [us: Pool(country: us, size: 1, onDemand: .closed)]), exits: [:])
        var registry = AlertRegistry()
        for seconds in [0.0, 60, 120] { _ = registry.review(facts, asked: [], now: start + seconds) }
        #expect(registry.open.isEmpty)
        let open = Alerts.Facts(desired: Desired(pools: [us: Pool(country: us, size: 1, onDemand: .open)]), exits: [:])
        for seconds in [121.0, 160] { _ = registry.review(open, asked: [], now: start + seconds) }
        #expect(registry.open.values.map(\.severity) == [.warning])
    }

    // MARK: - Who closes

    private func view(
        _ countries: [CountryCode], idle: [CountryCode: Double], connected: Set<CountryCode> = [], limit: Int = 2, more: [Exit] = []
    ) -> OnDemandView {
        var desired = Desired()
        var exits: [ExitID: Exit] = [:]
        for country in countries {
            desired.pools[country] = passing(country)
            exits[id(1, country)] = serving(1, country, on: server(1, country))
        }
        for exit in more {
            exits[exit.id] = exit
            desired.pools[exit.country] = desired.pools[exit.country] ?? passing(exit.country)
        }
        var rules = Planner.Rules()
        rules.devices = DeviceBudget([.nordvpn: limit])
        rules.onDemand.idleSeconds = 600
        return OnDemandView(
            desired: desired, exits: exits, usedAt: idle.mapValues { start + 1_000 + -$0 }, connected: connected, rules: rules,
            now: start + 1_000)
    }

    @Test func `a pool closes once nobody has used it for long enough`() {
        #expect(view([us, de], idle: [us: 600, de: 599]).idle == [us])
        #expect(view([us, de], idle: [us: 900, de: 900], connected: [us]).idle == [de])
        // Nobody has looked yet.
        #expect(view([us], idle: [:]).idle.isEmpty)
    }

    @Test func `there is room where a tunnel is free, or one that nobody uses can be given back`() {
        #expect(view([us, de], idle: [us: 1, de: 1], limit: 3).hasRoom([.nordvpn]))
        #expect(!view([us, de], idle: [us: 1, de: 1]).hasRoom([.nordvpn]))
        #expect(view([us, de], idle: [us: 3, de: 1]).hasRoom([.nordvpn]))
        #expect(!view([us, de], idle: [us: 300, de: 300], connected: [us, de]).hasRoom([.nordvpn]))
        #expect(view([us, de], idle: [:], connected: [us, de]).hasRoom([.surfshark]))
        // What waits for its server already has been promised one.
        let waiting = Exit(id: id(1, fr), slot: 1, now: start)
        #expect(!view([us, de], idle: [us: 3, de: 1], more: [waiting]).hasRoom([.nordvpn]))
    }

    @Test func `what a refused account allows and holds is no room`() {
        func named(_ countries: [(CountryCode, String)], refused: [String], idle: Double = 5) -> OnDemandView {
            var view = view(countries.map(\.0), idle: Dictionary(uniqueKeysWithValues: countries.map { ($0.0, idle) }))
            view.rules.devices = DeviceBudget()
            view.rules.devices.accounts = [.nordvpn: [.init("alice", 2), .init("bob", 2)]]
            view.refused = Set(refused.map { ProviderAccount(.nordvpn, $0) })
            for (country, account) in countries { view.exits[id(1, country)]?.server?.account = account }
            return view
        }
        let full = [(us, "alice"), (de, "alice")]
        // Two of bob's are free.
        #expect(named(full, refused: [], idle: 1).hasRoom([.nordvpn]))
        #expect(named(full, refused: ["alice"], idle: 1).hasRoom([.nordvpn]))
        let refused = named(full, refused: ["bob"], idle: 1)
        #expect(!refused.hasRoom([.nordvpn]) && refused.hasAccount([.nordvpn]))
        // One of them gives way.
        #expect(named(full, refused: ["bob"]).hasRoom([.nordvpn]))
        // What runs on with a refused key gives nobody a tunnel when it goes.
        var waiting = Exit(id: id(1, us), slot: 1, now: start)
        waiting.reason = .deviceLimit
        for (account, evicted) in [("alice", []), ("bob", [fr])] {
            var view = named([(fr, "alice")], refused: [account])
            view.exits[waiting.id] = waiting
            #expect(view.evicted(servers: [us: [RankedServer(server: server(1), parts: [])]]) == evicted)
        }
        let none = named(full, refused: ["alice", "bob"])
        #expect(!none.hasRoom([.nordvpn]) && !none.hasAccount([.nordvpn]))
    }

    @Test func `the one idle for longest gives way, as often as a tunnel is waited for, and none with connections`() {
        var waiting = Exit(id: id(1, fr), slot: 1, now: start)
        waiting.reason = .deviceLimit
        let servers = [fr: [RankedServer(server: server(1, fr), parts: [])]]
        #expect(view([us, de], idle: [us: 5, de: 50], more: [waiting]).evicted(servers: servers) == [de])
        #expect(view([us, de], idle: [us: 5, de: 50], connected: [de], more: [waiting]).evicted(servers: servers) == [us])
        #expect(view([us, de], idle: [us: 5, de: 50], connected: [de, us], more: [waiting]).evicted(servers: servers).isEmpty)
        #expect(view([us, de], idle: [us: 5, de: 50]).evicted(servers: servers).isEmpty)
        // One is on its way out already.
        var leaving = serving(2, us, on: server(2))
        (leaving.leaving, leaving.reason) = (true, .idle)
        #expect(view([us, de], idle: [us: 5, de: 50], more: [waiting, leaving]).evicted(servers: servers).isEmpty)
        // One that has stopped gives its tunnel back when its container is gone.
        leaving.move(to: .stopped, reason: .idle, now: start)
        #expect(view([us, de], idle: [us: 5, de: 50], more: [waiting, leaving]).evicted(servers: servers).isEmpty)
        // A pool that is not on demand never does, but may need a tunnel itself.
        var view = view([us, de], idle: [us: 50, de: 5], more: [waiting])
        view.desired.pools[us] = Pool(country: us, size: 1)
        view.desired.pools[fr] = Pool(country: fr, size: 1)
        #expect(view.evicted(servers: servers) == [de])
    }

    @Test func `pools on demand are no part of what an account must carry`() {
        let budget = DeviceBudget([.nordvpn: 2])
        let pools = [Pool(country: us, size: 2), Pool(country: de, size: 5, onDemand: .open)]
        #expect(budget.excess(of: pools, providers: [.nordvpn]) == nil)
    }

    @Test func `a user opens so many countries in a minute`() {
        var limits = OpeningLimits()
        let taken = (0..<5).map { limits.take("alice", limit: 3, now: start + Double($0)) }
        #expect(taken == [true, true, true, false, false])
        let other = limits.take("bob", limit: 3, now: start + 5)
        limits.giveBack("alice")
        let later = [6.0, 7, 61].map { limits.take("alice", limit: 3, now: start + $0) }
        #expect(other && later == [true, false, true])
    }
}
