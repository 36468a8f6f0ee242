import Glibc
import Platform
import TestSupport

/// The exit's own proxy, which hands on to a server of the test.
enum Tinyproxy {
    /// - Parameters:
    ///   - options: lines of its settings beside where it listens and leads to.
    ///   - body: gets the port on the loopback address.
    static func with(_ options: String, to server: ScriptedServer, folder: String, _ body: (Int) async throws -> Void) async throws {
        let port = try Ports.free()
        let settings = "\(folder)/tinyproxy.conf"
        try Files.write(
            """
            Port \(port)
            Listen 127.0.0.1
            MaxClients 100
            \(options)
            LogLevel Critical
            Upstream http 127.0.0.1:\(server.port)

            """, to: settings, mode: 0o600)
        let process = try Programs.startDetached("tinyproxy", ["-d", "-c", settings], log: "\(folder)/tinyproxy.log")
        defer {
            kill(process, SIGKILL)
            waitpid(process, nil, 0)
        }
        try await eventually("tinyproxy listens") { (try? Raw(port: port)) != nil }
        try await body(port)
    }
}
