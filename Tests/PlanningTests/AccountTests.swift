import Model
import Planning
import Testing

/// Servers that have accounts of their own, as WireGuard files are: no key is in more tunnels at once than it may be.
@Suite struct AccountTests {
    private func file(_ number: Int, _ country: CountryCode = us, account: String) -> Server {
        var file = server(number, country)
        (file.provider, file.account) = (.wireguard, account)
        return file
    }

    private func plan(_ pools: [Pool], _ exits: [Exit], files: [Server], containers: [ExitContainer], ofOneAccount: Int = 1) -> Plan {
        var rules = Planner.Rules()
        rules.devices.ofOneAccount = ofOneAccount
        return Planner.plan(
            desired: Desired(pools: Dictionary(uniqueKeysWithValues: pools.map { ($0.country, $0) })),
            exits: Dictionary(uniqueKeysWithValues: exits.map { ($0.id, $0) }),
            world: World(containers: containers, servers: Dictionary(grouping: files, by: \.country)), now: start + 1_000, rules: rules)
    }

    @Test func `two files of one key are never used at once, in whichever countries they are`() {
        let (american, german) = (file(1, account: "key-a"), file(1, de, account: "key-a"))
        let exit = serving(1, on: american)
        let plan = plan(
            [Pool(country: us, size: 2), Pool(country: de, size: 1)], [exit],
            files: [american, file(2, account: "key-a"), german], containers: [container(of: exit)])
        #expect(plan.launches.isEmpty)
        let waiting = plan.exits.values.filter { $0.state == .pending }
        #expect(waiting.count == 2 && waiting.allSatisfy { $0.reason == .noServer })
        #expect(
            Set(waiting.compactMap(\.detail)) == [
                "every server of US is in use, or its key is", "every server of DE is in use, or its key is",
            ])
    }

    @Test(arguments: [(1, 1), (2, 2), (3, 3), (9, 4)]) func `as many exits start as the key may have tunnels`(limit: Int, started: Int) {
        let files = (1...4).map { file($0, account: "key-a") }
        let plan = plan([Pool(country: us, size: 5)], [], files: files, containers: [], ofOneAccount: limit)
        #expect(plan.launches.count == started)
        #expect(Set(plan.exits.values.compactMap(\.server?.address)).count == started, "no server twice")
    }

    @Test func `files of other keys and servers of providers are nobody's hindrance`() {
        let exit = serving(1, on: file(1, account: "key-a"))
        let plan = plan(
            [Pool(country: us, size: 3)], [exit], files: [file(1, account: "key-a"), file(2, account: "key-b"), server(3)],
            containers: [container(of: exit)])
        #expect(plan.launches.count == 2)
    }

    @Test func `an exit takes another file of its key only when its old container has gone`() {
        var exit = serving(1, on: file(1, account: "key-a"))
        let old = container(of: exit)
        exit.backOff(.blackhole, "", avoidServer: true, now: start)
        let (pools, files) = ([Pool(country: us, size: 1)], [file(2, account: "key-a")])
        #expect(plan(pools, [exit], files: files, containers: [old]).launches.isEmpty)
        let after = plan(pools, [exit], files: files, containers: [])
        #expect(after.launches == [exit.id] && after.exits[exit.id]?.server?.hostname == "us2")
        let other = [file(2, account: "key-b")]
        #expect(plan(pools, [exit], files: other, containers: [old]).launches == [exit.id], "another key need not wait")
    }

    @Test func `the container of an exit that has stopped still has the key`() {
        var stopped = serving(1, on: file(1, account: "key-a"))
        stopped.move(to: .stopped, now: start)
        let german = [file(1, de, account: "key-a")]
        let before = plan([Pool(country: de, size: 1)], [stopped], files: german, containers: [container(of: stopped)])
        #expect(before.launches.isEmpty)
        #expect(plan([Pool(country: de, size: 1)], [], files: german, containers: []).launches == [id(1, de)])
    }
}
