import Model
import Planning
import Testing

/// What a plan makes of containers and slots that are not as it left them.
@Suite struct PlannerAdoptionTests {
    private let one = Desired(pools: [us: Pool(country: us, size: 1)])

    private func world(_ exits: Exit..., servers: [Server] = [server(1), server(2), server(3)]) -> World {
        World(containers: exits.map { container(of: $0) }, servers: [us: servers])
    }

    @Test func `orphans go: of another generation, of no exit, unreadable; busy and being removed ones stay`() {
        let exit = serving(1, on: server(1))
        var seen = world(exit)
        let old = ExitContainer(name: "old", exit: exit.id, generation: 1, isRunning: true, endpoint: nil, exitCode: nil)
        let stray = ExitContainer(name: "stray", exit: id(9), generation: 1, isRunning: true, endpoint: nil, exitCode: nil)
        let blank = ExitContainer(name: "blank", exit: nil, generation: 0, isRunning: false, endpoint: nil, exitCode: 0)
        let going = ExitContainer(name: "going", exit: nil, generation: 0, isRunning: false, endpoint: nil, exitCode: 0)
        seen.containers = (seen.containers ?? []) + [old, stray, blank, going]
        seen.removing = ["going"]
        let plan = Planner.plan(desired: one, exits: [exit.id: exit], world: seen, now: start)
        #expect(Set(plan.removals) == ["old", "stray", "blank"])
    }

    @Test func `a launch that was lost with its controller begins anew with a new generation`() {
        var exit = Exit(id: id(1), slot: 1, now: start)
        exit.server = server(1)
        exit.generation = 4
        exit.state = .starting
        let half = ExitContainer(name: "half", exit: exit.id, generation: 4, isRunning: false, endpoint: nil, exitCode: nil)
        var seen = world()
        seen.containers = [half]
        let plan = Planner.plan(desired: one, exits: [exit.id: exit], world: seen, now: start)
        #expect(plan.exits[id(1)]?.generation == 5)
        #expect(plan.removals == ["half"] && plan.launches == [id(1)])
    }

    @Test func `a container that a lost controller had started is proved, not made again`() {
        var exit = Exit(id: id(1), slot: 1, now: start)
        exit.server = server(1)
        exit.generation = 4
        exit.state = .starting
        let plan = Planner.plan(desired: one, exits: [exit.id: exit], world: world(exit), now: start)
        #expect(plan.steps.contains(.verify(id(1))) && plan.launches.isEmpty && plan.removals.isEmpty)
        #expect(plan.exits[id(1)]?.endpoint != nil)
    }

    @Test(arguments: [
        (64, ExitReason.badConfiguration, false), (65, .handshakeTimeout, true), (66, .dnsFailed, true), (67, .proxyDown, false),
        (68, .startFailed, false), (69, .startFailed, false), (70, .startFailed, false), (1, .containerExited, false),
        (0, .containerExited, false), (137, .containerExited, false), (139, .containerExited, false), (143, .containerExited, false),
    ])
    func `the entry point's exit status says why, and whether the server is at fault, whatever its exit did then`(
        code: Int, reason: ExitReason, isServersFault: Bool
    ) {
        for state in [ExitState.verifying, .standby, .serving, .degraded] {
            var exit = serving(1, on: server(1))
            exit.state = state
            exit.lose(container(of: exit, isRunning: false, exitCode: code), now: start)
            #expect(exit.reason == reason && exit.lastFailure?.isServersFault == isServersFault)
            #expect(exit.avoid.map(\.hostname) == (isServersFault ? ["us1"] : []))
        }
    }

    @Test func `a proxy that does not listen any more is not its server's fault`() {
        var exit = serving(1, on: server(1))
        exit.judged(Health(verdict: .dead, reason: .proxyDown, failures: 3), now: start)
        let plan = Planner.plan(desired: one, exits: [exit.id: exit], world: world(exit), now: start)
        #expect(plan.exits[id(1)]?.lastFailure?.isServersFault == false && plan.exits[id(1)]?.avoid == [])
    }

    @Test func `a gateway that lost a slot is given its layout again`() {
        let exit = serving(1, on: server(1))
        var seen = world(exit)
        seen.published = GatewayLayout.of(desired: one, exits: [exit.id: exit])
        seen.gateway = GatewayObservation(slots: (1...Pool.slots).map { .init(backend: "pool-us", slot: .free($0), sessions: 0) })
        let plan = Planner.plan(desired: one, exits: [exit.id: exit], world: seen, now: start)
        #expect(plan.layout != nil)
    }
}
