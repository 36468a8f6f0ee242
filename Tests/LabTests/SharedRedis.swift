import Glibc
import Platform
import TestSupport

/// A Redis of the operator's own, which several controllers share.
final class SharedRedis: Sendable {
    private let folder: TemporaryFolder
    var socket: String { "\(folder.path)/redis.sock" }
    private var pid: pid_t? { (try? Files.read("\(folder.path)/pid")).flatMap { pid_t($0.filter(\.isNumber)) } }

    init() async throws {
        folder = try TemporaryFolder()
        let result = try await Programs.run(
            "redis-server",
            [
                "--port", "0", "--unixsocket", "\(folder.path)/redis.sock", "--dir", folder.path, "--pidfile", "\(folder.path)/pid",
                "--logfile", "\(folder.path)/log", "--daemonize", "yes", "--appendonly", "yes", "--save", "",
            ])
        guard result.status == 0 else { throw TimeoutError(what: "redis-server starts: \(result.output)") }
        try await eventually("it listens") { Files.exists(socket) }
    }

    /// What `redis-cli` says to a command.
    @discardableResult
    func command(_ words: String...) async throws -> String {
        try await Programs.run("redis-cli", ["-s", socket] + words, deadline: 20).output.filter { $0 != "\n" }
    }

    func freeze() { if let pid { kill(pid, SIGSTOP) } }
    func thaw() { if let pid { kill(pid, SIGCONT) } }

    func stop() async throws {
        guard let pid else { return }
        kill(pid, SIGCONT)
        kill(pid, SIGTERM)
        try await eventually("redis-server ends") { !Files.exists("\(folder.path)/pid") }
    }
}
