import DockerEngine
import HTTPTransport
import Model
import Synchronization
import TestSupport
import Testing

@testable import Lab

/// An exit's network with a capture on it, and the exit once it is launched.
final class Stage: Sendable {
    let lab: TestLab
    let exits: ExitContainers
    let gateway: String
    let capture: Capture
    let owner: String
    private let hardware = Mutex("")

    private init(_ refused: RefusedTargets) async throws {
        lab = try await TestLab.shared.value
        owner = randomOwner()
        exits = lab.exitContainers(owner: owner, refused: refused)
        try await exits.prepareImage()
        gateway = try await exits.prepareNetwork()
        let network = try #require(await lab.engine.network(owner))
        capture = try await Capture(interface: "br-\(network.id.prefix(12))")
    }

    /// - Parameter address6: in the tunnel; nil for an exit without IPv6.
    func launch(_ server: LabServer, address: String? = nil, address6: String? = nil) async throws
        -> (container: String, endpoint: Endpoint)
    {
        var specification = lab.specification(server, address: address)
        specification.facts.clientAddress6 = address6
        let exit = try await exits.launch(specification)
        let address = try await lab.engine.execute(["busybox", "cat", "/sys/class/net/eth0/address"], in: exit.container)
        hardware.withLock { $0 = address.output.filter { $0.isHexDigit || $0 == ":" } }
        return exit
    }

    func launchAndServe(_ server: LabServer, address6: String? = nil) async throws -> (container: String, endpoint: Endpoint) {
        let exit = try await launch(server, address6: address6)
        try await eventually("the exit serves") {
            (try? await lab.get("http://ip.lab.test/ip", throughExit: exit.endpoint, of: server.country, deadline: 1))?.text
                == "\(server.address)\n"
        }
        return exit
    }

    /// The MAC address of the exit.
    var exitHardware: String { hardware.withLock { $0 } }

    /// Runs a test on a new stage and clears it away, also after a failure.
    static func with(refused: RefusedTargets = RefusedTargets(), _ body: (Stage) async throws -> Void) async throws {
        let stage = try await Stage(refused)
        do { try await body(stage) } catch {
            try? await stage.clear()
            throw error
        }
        try await stage.clear()
    }

    private func clear() async throws {
        try await exits.removeAll()
        try await capture.stop()
    }

    /// Ends everything that was captured; the packets that should never have been.
    func finish(exit: Endpoint, server: String) async throws -> [String] {
        try await clear()
        return try await capture.leaks(exit: exit.address, hardware: hardware.withLock { $0 }, server: server, gateway: gateway)
    }

    /// What the exit's own firewall has counted beside its tunnel, by the program that the controller uses too.
    func leaksCounted(in container: String) async throws -> LeakCount { try await exits.tunnel(of: container).leaks }

    func run(_ words: String..., in container: String) async throws -> (status: Int, output: String) {
        try await lab.engine.execute(words, in: container)
    }
}
