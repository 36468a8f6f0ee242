import Control
import Model
import Planning
import Platform
import TestSupport
import Testing

/// Countries that a request opens.
@Suite(.timeLimit(.minutes(1)), .inSimulatedTime) struct OnDemandTests {
    private func with(
        limit: Int? = nil, idleSeconds: Double = 5, openings: Int = 100, countries: OnDemandRules.Countries = .some([us, de]),
        _ body: (FakeWorld, Running) async throws -> Void
    ) async throws {
        let devices = DeviceBudget(limit.map { [.nordvpn: $0] } ?? [:])
        try await withController(
            devices: devices,
            tune: { settings in
                settings.rules.onDemand.countries = countries
                settings.rules.onDemand.idleSeconds = idleSeconds
                settings.rules.onDemand.openingsPerMinute = openings
            }
        ) { world, running in
            for (name, allowed) in [("alice", []), ("bob", [us])] {
                var user = ProxyUser(name: name, salt: "00", digest: "11", createdAt: Timestamp(milliseconds: 0))
                user.countries = allowed
                try await running.controller.execute(.addUser(user))
            }
            try await body(world, running)
        }
    }

    private func refused(_ refusal: DemandAnswer.Refusal) -> DemandAnswer { .refused(refusal) }

    @Test func `a request opens a country, and it closes when nobody has used it for a while`() async throws {
        try await with { world, running in
            #expect(await running.controller.open(us, for: "alice") == .coming)
            #expect(world.stored.pools[us] == .passing(us))
            try await running.serves(1)
            // Asking again opens nothing more.
            #expect(await running.controller.open(us, for: "bob") == .coming)
            #expect(running.controller.snapshot.idle[us] != nil)
            try await eventually("it closes", within: 20) { running.exits.isEmpty && world.stored.pools.isEmpty }
            try await eventually("all is told") { world.with { $0.events.contains { $0.kind == .poolClosed } } }
            let kinds = world.with { $0.events.map(\.kind) }
            #expect(kinds.contains(.poolOpened) && !kinds.contains(.rotation))
        }
    }

    @Test func `a pool with settings of its own keeps them while it is closed`() async throws {
        try await with(countries: .none) { world, running in
            try await running.controller.execute(.setPool(Pool(country: us, size: 2, city: "A", onDemand: .closed)))
            try await running.serves(0)
            #expect(await running.controller.open(de, for: "alice") == refused(.noExit))
            #expect(await running.controller.open(us, for: "alice") == .coming)
            try await running.serves(2)
            try await eventually("it closes", within: 20) { running.exits.isEmpty }
            #expect(world.stored.pools[us] == Pool(country: us, size: 2, city: "A", onDemand: .closed))
            // An operator's exit stays.
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            #expect(world.stored.pools[us] == Pool(country: us, size: 1, city: "A"))
            try await running.serves(1)
        }
    }

    @Test func `connections keep a country open`() async throws {
        try await with(idleSeconds: 2) { world, running in
            #expect(await running.controller.open(us, for: "alice") == .coming)
            try await running.serves(1)
            world.with { $0.sessions = 1 }
            try await SimulatedTime.current.sleep(seconds: 20)
            #expect(running.exits.count == 1 && running.controller.snapshot.idle.isEmpty)
            world.with { $0.sessions = 0 }
            try await eventually("it closes", within: 20) { running.exits.isEmpty }
        }
    }

    @Test func `who may not, or too often, is refused, and a refusal does not count`() async throws {
        try await with(openings: 1) { _, running in
            #expect(await running.controller.open(de, for: "bob") == refused(.countryNotAllowed))
            #expect(await running.controller.open(us, for: "nobody") == refused(.countryNotAllowed))
            #expect(await running.controller.open(us, for: "bob") == .coming)
            #expect(await running.controller.open(de, for: "alice") == .coming)
            try await running.serves(2)
            try await eventually("both close", within: 30) { running.exits.isEmpty }
            #expect(await running.controller.open(us, for: "bob") == refused(.openingLimit))
        }
        try await with(openings: 1, countries: .some([us, de, CountryCode("fr")!])) { _, running in
            #expect(await running.controller.open(CountryCode("fr")!, for: "alice") == refused(.noServer))
            #expect(await running.controller.open(us, for: "alice") == .coming)
        }
    }

    @Test func `the country idle for longest gives way, and without one a request is refused`() async throws {
        try await with(limit: 1, idleSeconds: 600) { world, running in
            #expect(await running.controller.open(us, for: "alice") == .coming)
            // It has not served anybody yet.
            #expect(await running.controller.open(de, for: "alice") == refused(.noTunnel))
            try await running.serves(1)
            world.with { $0.sessions = 1 }
            try await SimulatedTime.current.sleep(seconds: 5)
            #expect(await running.controller.open(de, for: "alice") == refused(.noTunnel))
            world.with { $0.sessions = 0 }
            try await SimulatedTime.current.sleep(seconds: 5)
            #expect(await running.controller.open(de, for: "alice") == .coming)
            try await eventually("the other country serves") { running.exit(1, de)?.state == .serving && running.exits.count == 1 }
            #expect(world.stored.pools.keys.sorted() == [de])
            #expect(world.with { $0.launches.count } == 2)
        }
    }

    @Test func `a restarted controller goes on with what is open, and closes it in the end`() async throws {
        let world = FakeWorld(servers: [server(1), server(1, de)])
        func tune(_ settings: inout ControllerSettings) {
            settings.rules.onDemand.countries = .some([us])
            settings.rules.onDemand.idleSeconds = 4
        }
        let first = Running(on: world, tune: tune)
        try await eventually("it is loaded") { first.controller.snapshot.hasObserved }
        try await first.controller.execute(
            .addUser(ProxyUser(name: "alice", salt: "0", digest: "1", createdAt: Timestamp(milliseconds: 0))))
        #expect(await first.controller.open(us, for: "alice") == .coming)
        try await first.serves(1)
        try await SimulatedTime.current.sleep(seconds: 3)
        await first.kill()
        let second = Running(on: world, tune: tune)
        try await SimulatedTime.current.sleep(seconds: 3)
        try await second.serves(1)
        #expect(world.with { $0.launches.count } == 1)
        try await eventually("it closes", within: 20) { second.exits.isEmpty && world.stored.pools.isEmpty }
        await second.stop()
    }

    @Test func `a country that is opened and left a hundred times leaves nothing behind`() async throws {
        try await with(limit: 1, idleSeconds: 0.5, openings: 1_000) { world, running in
            for turn in 0..<100 {
                let country = turn % 2 == 0 ? us : de
                try await eventually("it may be opened", within: 30) { await running.controller.open(country, for: "alice") == .coming }
                if turn % 3 == 0 { try await eventually("it serves") { running.exits.values.contains { $0.state == .serving } } }
                #expect(world.with { $0.containers.values.count { $0.isRunning } } <= 1)
            }
            try await eventually("nothing is left", within: 60) {
                running.exits.isEmpty && world.with { $0.containers.isEmpty && $0.stored.pools.isEmpty && $0.stored.exits.isEmpty }
            }
        }
    }
}
