import DockerEngine
import Glibc
import Platform
import TestSupport

@testable import Lab

/// Every packet that crosses a bridge, by tcpdump, from before a container starts until after it has ended.
final class Capture: Sendable {
    private let folder: TemporaryFolder
    private let pid: pid_t
    private var file: String { "\(folder.path)/packets" }

    /// Returns when tcpdump listens.
    /// - Parameter filter: of pcap-filter(7); what it doesn't match is not kept.
    init(interface: String, filter: String = "") async throws {
        folder = try TemporaryFolder()
        let log = "\(folder.path)/log"
        pid = try Programs.startDetached(
            "tcpdump",
            ["-i", interface, "-nn", "-U", "--immediate-mode", "-s", "200", "-w", "\(folder.path)/packets"]
                + (filter.isEmpty ? [] : [filter]), log: log)
        try await eventually("tcpdump listens on \(interface)") { (try? Files.read(log))?.contains("listening on") ?? false }
    }

    /// False where tcpdump has ended by itself, and so has not seen everything.
    var isRunning: Bool {
        var status: Int32 = 0
        return waitpid(pid, &status, WNOHANG) == 0
    }

    /// Ends the capture; again, it does nothing.
    func stop() async throws {
        guard kill(pid, SIGINT) == 0 else { return }
        var status: Int32 = 0
        try await eventually("tcpdump ends") { waitpid(pid, &status, WNOHANG) != 0 }
    }

    /// The captured packets that this filter of pcap-filter(7) matches, a line each.
    func packets(_ filter: String) async throws -> [String] {
        let result = try await Programs.run("tcpdump", ["-nn", "-r", file, filter])
        return result.output.split(separator: "\n").map(String.init).filter { !$0.hasPrefix("reading from") && !$0.hasPrefix("Warning") }
    }

    /// What an exit may never send: anything but WireGuard to its one endpoint, answers of its proxy to the gateway, and ARP.
    /// - Parameter hardware: the exit's MAC address; the bridge's own end speaks IPv6 too.
    func leaks(exit: String, hardware: String, server: String, gateway: String) async throws -> [String] {
        let allowed = "(udp and dst host \(server) and dst port 51820) or (tcp and src port 3128 and dst host \(gateway))"
        return try await packets("ether src \(hardware) and not arp and not (src host \(exit) and (\(allowed)))")
    }
}

/// Watches the network of a controller's exits, from before its first container until the last one has gone, for packets
/// that no exit may send. Keeps those, and handshakes as a proof that it sees what passes.
final class ExitsWatch: Sendable {
    private let capture: Capture
    private static let handshake = "udp dst port 51820 and udp[8:4] = 0x01000000"

    init(_ lab: TestLab, owner: String) async throws {
        let gateway = try await lab.exitContainers(owner: owner).prepareNetwork()
        guard let network = try await lab.engine.network(owner) else { throw TimeoutError(what: "network \(owner)") }
        let bridge = "br-\(network.id.prefix(12))"
        let own = try Files.read("/sys/class/net/\(bridge)/address").filter { $0.isHexDigit || $0 == ":" }
        let servers = lab.lab.layout.servers.map { "dst host \($0.address)" }.joined(separator: " or ")
        guard let relay = try await lab.engine.network(lab.lab.layout.name)?.gateway else { throw TimeoutError(what: "the lab's network") }
        // A server that is far away is reached by a relay of the lab; the bridge shows the same WireGuard packets with its address.
        let delayed = "udp and dst host \(relay) and udp[8:4] >= 0x01000000 and udp[8:4] <= 0x04000000 and udp[8:4] & 0x00ffffff = 0"
        let allowed = "(udp dst port 51820 and (\(servers))) or (\(delayed)) or (tcp src port 3128 and dst host \(gateway))"
        let leak = "not arp and not ether src \(own) and not (\(allowed))"
        capture = try await Capture(interface: bridge, filter: "(\(leak)) or (\(Self.handshake))")
    }

    var isRunning: Bool { capture.isRunning }

    /// Ends it: what should never have been sent, and how many handshakes were begun.
    func finish() async throws -> (leaks: [String], handshakes: Int) {
        try await capture.stop()
        return (try await capture.packets("not (\(Self.handshake))"), try await capture.packets(Self.handshake).count)
    }
}
