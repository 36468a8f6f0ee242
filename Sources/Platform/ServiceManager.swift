import Glibc

/// Tells the service manager how this process is, where it wants to be told: systemd's `Type=notify` and `WatchdogSec=`.
///
/// Source: sd_notify(3), sd_watchdog_enabled(3)
package final class ServiceManager: Sendable {
    /// Seconds within which it wants to hear that the process is well; nil where it does not.
    package let watchdogSeconds: Double?
    private let address: SocketAddress
    private let descriptor: Int32

    /// Nil where nobody wants to be told.
    package init?(_ environment: [String: String] = ProcessEnvironment.values()) {
        guard let address = environment["NOTIFY_SOCKET"].flatMap(Self.address) else { return nil }
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        self.address = address
        watchdogSeconds = Self.watchdogSeconds(environment)
    }

    deinit { close(descriptor) }

    /// A path, or a name without a file behind `@`.
    private static func address(_ text: String) -> SocketAddress? {
        switch text.first {
        case "/": SocketAddress(path: text)
        case "@": SocketAddress(abstract: String(text.dropFirst()))
        default: nil
        }
    }

    /// The variables of a parent that was watched itself are meant for that.
    private static func watchdogSeconds(_ environment: [String: String]) -> Double? {
        guard let text = environment["WATCHDOG_USEC"], let microseconds = UInt64(text), microseconds > 0 else { return nil }
        if let process = environment["WATCHDOG_PID"], pid_t(process) != getpid() { return nil }
        return Double(microseconds) / 1_000_000
    }

    private func tell(_ lines: String...) { address.send(Array(lines.joined(separator: "\n").utf8), from: descriptor) }

    // MARK: - What it is told

    /// The process does what it is there for.
    package func ready() { tell("READY=1") }

    /// What `systemctl status` shows.
    package func status(_ words: String) { tell("STATUS=\(words.filter { !$0.isNewline })") }

    /// The configuration is being read again; `ready` ends that.
    package func reloading() {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        tell("RELOADING=1", "MONOTONIC_USEC=\(now.tv_sec * 1_000_000 + now.tv_nsec / 1_000)")
    }

    package func stopping() { tell("STOPPING=1") }

    /// The process is well; without this, it is killed and started again.
    package func alive() { tell("WATCHDOG=1") }
}
