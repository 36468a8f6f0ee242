import Model
import Planning
import Testing

@Suite struct DeviceBudgetTests {
    private func rules(_ limit: Int) -> Planner.Rules {
        var rules = Planner.Rules()
        rules.devices = DeviceBudget([.nordvpn: limit])
        return rules
    }

    private func mullvad(_ number: Int) -> Server {
        var entry = server(number)
        entry.provider = .mullvad
        entry.hostname = "mv\(number)"
        return entry
    }

    private func plan(_ desired: Desired, _ exits: [Exit], servers: [Server], containers: [ExitContainer] = [], limit: Int) -> Plan {
        var world = World(containers: containers + exits.filter(\.keepsContainer).map { container(of: $0) }, servers: [us: servers])
        world.published = nil
        return Planner.plan(
            desired: desired, exits: Dictionary(uniqueKeysWithValues: exits.map { ($0.id, $0) }), world: world, now: start,
            rules: rules(limit))
    }

    private let three = Desired(pools: [us: Pool(country: us, size: 3)])

    @Test func `no more exits start than the account may have tunnels, and the others say why they wait`() {
        let plan = plan(three, [], servers: (1...5).map { server($0) }, limit: 2)
        #expect(plan.launches.count == 2)
        let waiting = plan.exits.values.filter { $0.state == .pending }
        #expect(waiting.count == 1 && waiting.first?.reason == .deviceLimit && waiting.first?.detail?.contains("nordvpn") == true)
        #expect(plan.requeueAt == start + 1)
    }

    @Test func `where one account is full, another provider's servers are taken`() {
        let plan = plan(three, [], servers: (1...5).map { server($0) } + [mullvad(9)], limit: 2)
        #expect(plan.launches.count == 3)
        #expect(plan.exits.values.compactMap { $0.server?.provider }.filter { $0 == .mullvad }.count == 1)
    }

    @Test func `a container that nobody claims may still hold a tunnel`() {
        let left = ExitContainer(
            name: "left", exit: id(9), generation: 3, isRunning: true, endpoint: nil, server: "198.18.9.9", exitCode: nil)
        let one = Desired(pools: [us: Pool(country: us, size: 1)])
        let before = plan(one, [], servers: [server(1)], containers: [left], limit: 1)
        #expect(before.launches.isEmpty && before.removals == ["left"] && before.exits[id(1)]?.reason == .deviceLimit)
        #expect(plan(one, [], servers: [server(1)], limit: 1).launches == [id(1)])
    }

    @Test func `who waits for a tunnel starts in the moment that one is free`() {
        var exit = Exit(id: id(1), slot: 1, now: start)
        (exit.reason, exit.retryAt) = (.deviceLimit, start + 1)
        let one = Desired(pools: [us: Pool(country: us, size: 1)])
        #expect(plan(one, [exit], servers: [server(1)], limit: 1).launches == [id(1)])
        // Who waits for anything else does so until then.
        exit.reason = .handshakeTimeout
        #expect(plan(one, [exit], servers: [server(1)], limit: 1).launches.isEmpty)
    }

    @Test func `an exit whose place has no tunnel to spare stays, rather than leave without a replacement`() {
        var exit = serving(1, on: server(1))
        exit.leaving = true
        exit.reason = .rotated
        let plan = plan(Desired(pools: [us: Pool(country: us, size: 1)]), [exit], servers: [server(1), server(2)], limit: 1)
        #expect(plan.exits.keys.sorted() == [id(1)] && plan.exits[id(1)]?.leaving == false && plan.launches.isEmpty)
    }

    @Test func `pools that no account can carry are told apart from those that one can`() {
        let budget = DeviceBudget([.nordvpn: 3, .mullvad: 1])
        func pool(_ size: Int, _ standby: Int = 0, _ provider: ProviderName? = nil) -> Pool {
            Pool(country: us, size: size, provider: provider, standby: standby)
        }
        let both: [ProviderName] = [.nordvpn, .mullvad]
        #expect(budget.excess(of: [pool(4)], providers: both) == nil)
        #expect(budget.excess(of: [pool(3, 2)], providers: both)?.contains("all accounts together allow 4") == true)
        #expect(budget.excess(of: [pool(1, 1, .mullvad)], providers: both)?.contains("of mullvad") == true)
        #expect(budget.excess(of: [pool(4)], providers: [.nordvpn])?.contains("allows 3") == true)
        #expect(budget.excess(of: [pool(9)], providers: [.nordvpn, .surfshark]) == nil)
        #expect(DeviceBudget().excess(of: [pool(10)], providers: both) == nil)
    }
}
