import Glibc
import Platform
import TestSupport

/// The exit's own proxy, as SwiftPM builds it, on the loopback address. All names lead it back to this machine.
enum ExitProxyProcess {
    static var isBuilt: Bool { Files.exists(Repository.built("exit-proxy")) }
    private static let resolver = Result {
        let address = "127.53.0.2"
        try ScriptedResolver.start(on: address) { _ in .addresses([[127, 0, 0, 1]]) }
        return address
    }

    /// - Parameters:
    ///   - settings: lines of its settings beside where it listens and who may use it.
    ///   - secret: what it is to be shown.
    ///   - body: gets its port.
    static func with(_ settings: String, secret: String, folder: String, _ body: (Int) async throws -> Void) async throws {
        let port = try Ports.free()
        let file = "\(folder)/exit-proxy.settings"
        try Files.write(
            """
            PORT=\(port)
            RESOLVERS=\(try resolver.get())
            SECRETS=\(secret)
            GATEWAYS=127.0.0.1
            \(settings)

            """, to: file, mode: 0o600)
        let words = ["-c", "exec '\(Repository.built("exit-proxy"))' <'\(file)'"]
        let process = try Programs.startDetached("sh", words, log: "\(folder)/exit-proxy.log")
        defer {
            kill(process, SIGKILL)
            waitpid(process, nil, 0)
        }
        try await eventually("the exit's proxy listens") { (try? Raw(port: port)) != nil }
        try await body(port)
    }
}
