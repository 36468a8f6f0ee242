import Control
import Model
import Planning
import Platform
import TestSupport

let us = CountryCode("us")!  // An ISO code.
let de = CountryCode("de")!  // An ISO code.

func server(_ number: Int, _ country: CountryCode = us, city: String = "A") -> Server {
    Server(
        provider: .nordvpn, hostname: "\(country.lowercased)\(number)", address: "198.18.\(country == us ? 1 : 2).\(number)", port: 51820,
        publicKey: "k", country: country, city: city, load: number)
}

func id(_ number: Int, _ country: CountryCode = us) -> ExitID { ExitID(country: country, number: number) }

/// A controller on a world, and its loop; `stop` is what a signal does, `kill` what SIGKILL does.
struct Running: Sendable {
    let controller: Controller
    let lifeline: Lifeline
    /// Closed while its process is stopped.
    let gate = Gate()
    private let leadership: Leadership
    private let loop: Task<Void, Never>
    private let time: any TimeSource

    /// - Parameter asksServers: it sends handshakes before it spends a container on a server.
    /// - Parameter instance: its name among several controllers; nil for one that is alone.
    init(
        on world: FakeWorld, calls: Int = .max, verifySeconds: Double = 0.3, drainSeconds: Double = 0.2, instance: String? = nil,
        isShared: Bool = true, asksServers: Bool = false, commandSeconds: Double = 40, devices: DeviceBudget = DeviceBudget(),
        time: any TimeSource = SimulatedTime.current, tune: (inout ControllerSettings) -> Void = { _ in }
    ) {
        self.time = time
        lifeline = Lifeline(calls: calls)
        let lease = FakeLease(world: world, gate: gate)
        let leadership =
            instance.map {
                Leadership(
                    .init(instance: $0, isShared: isShared, leaseSeconds: 5, renewSeconds: 0.2, followSeconds: 0.1), store: lease,
                    time: time)
            } ?? .alone
        self.leadership = leadership
        let ports = FakePorts(world: world, lifeline: lifeline, leadership: leadership, gate: gate)
        var rules = Planner.Rules(drainSeconds: drainSeconds, noServerSeconds: 0.1)
        rules.devices = devices
        var settings = ControllerSettings(
            rules: rules, passSeconds: 0.1, probeSeconds: 0.15, deepSeconds: 0.5, historySeconds: 0.2, verifySeconds: verifySeconds,
            commandSeconds: commandSeconds, checkName: "check.test")
        tune(&settings)
        let executor = time as? SimulatedTime
        let controller = Controller(
            ports: .init(
                engine: ports, gateway: ports, store: ports, catalog: ports, keys: ports, prober: ports,
                handshakes: asksServers ? ports : nil, leadership: leadership,
                commands: instance == nil ? nil : lease, log: .none, time: time, executor: executor),
            settings: settings)
        self.controller = controller
        loop = Task(executorPreference: executor) { await controller.run() }
    }

    func stop() async {
        loop.cancel()
        await loop.value
    }

    func now() -> Timestamp { time.now() }

    var isLeader: Bool { leadership.isLeader }
    func resign() async { await leadership.resign() }

    func kill() async {
        lifeline.cut()
        await stop()
    }

    var exits: [ExitID: Exit] { controller.snapshot.exits }
    func exit(_ number: Int, _ country: CountryCode = us) -> Exit? { exits[id(number, country)] }

    /// Waits until exactly so many exits are there and all serve.
    func serves(_ count: Int, within seconds: Double = 10, orStandby: Bool = false) async throws {
        try await eventually("\(count) exits serve: \(exits)", within: seconds) {
            exits.count == count && exits.values.allSatisfy { $0.state == .serving || orStandby && $0.state == .standby }
        }
    }
}

/// Runs a body on a world with these servers and one controller, which is stopped at the end.
func withController(
    servers: [Server] = (1...6).map { server($0) } + (1...3).map { server($0, de) }, verifySeconds: Double = 0.3,
    drainSeconds: Double = 0.2, asksServers: Bool = false, devices: DeviceBudget = DeviceBudget(),
    tune: (inout ControllerSettings) -> Void = { _ in }, _ body: (FakeWorld, Running) async throws -> Void
) async throws {
    let world = FakeWorld(servers: servers)
    let running = Running(
        on: world, verifySeconds: verifySeconds, drainSeconds: drainSeconds, asksServers: asksServers, devices: devices, tune: tune)
    do { try await body(world, running) } catch {
        await running.stop()
        throw error
    }
    await running.stop()
}

extension ProviderAccount {
    static let nordvpn = ProviderAccount(.nordvpn)
}
