import Glibc
import Platform
import TestSupport

/// Every packet that crosses a bridge, by tcpdump, from before a container starts until after it has ended.
final class Capture: Sendable {
    private let folder: TemporaryFolder
    private let pid: pid_t
    private var file: String { "\(folder.path)/packets" }

    /// Returns when tcpdump listens.
    init(interface: String) async throws {
        folder = try TemporaryFolder()
        let log = "\(folder.path)/log"
        pid = try Programs.startDetached(
            "tcpdump", ["-i", interface, "-nn", "-U", "--immediate-mode", "-s", "200", "-w", "\(folder.path)/packets"], log: log)
        try await eventually("tcpdump listens on \(interface)") { (try? Files.read(log))?.contains("listening on") ?? false }
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
