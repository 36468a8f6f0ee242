import Glibc
import Platform

/// A `redis-server` of our own on a Unix socket, for operators who have none. It outlives the controller, which finds it again.
package struct PrivateRedis: Sendable {
    private let folder: String
    package var socket: String { "\(folder)/redis.sock" }

    package init(folder: String) { self.folder = folder }

    /// Starts the server unless it answers already. It writes every command to an append-only file before it answers.
    /// - Returns: true when it was started, false when it was found running.
    package func start() async throws -> Bool {
        guard socket.utf8.count < 108 else {
            throw RedisError(code: .unavailable, message: "\(socket) is longer than a Unix socket's 107 bytes, want a shorter data_dir")
        }
        if await answers() { return false }
        if isAlive() {
            // A second one beside it would take its socket away and write into its file.
            try await waitForAnswer()
            return false
        }
        try Files.makePrivateFolder(folder)
        let configuration = """
            # Written by sallyport. Every change is lost at its next start.
            port 0
            unixsocket \(quoted(socket))
            unixsocketperm 600
            dir \(quoted(folder))
            pidfile \(quoted("\(folder)/redis.pid"))
            logfile \(quoted("\(folder)/redis.log"))
            daemonize yes
            appendonly yes
            appendfsync everysec
            save ""
            maxmemory-policy noeviction

            """
        try Files.write(configuration, to: "\(folder)/redis.conf", mode: 0o600)
        let result = try await Programs.run("redis-server", ["\(folder)/redis.conf"], deadline: 10)
        guard result.status == 0 else {
            let words = result.output.split(separator: "\n").last.map(String.init) ?? "no output"
            throw RedisError(code: .unavailable, message: "redis-server ended with status \(result.status): \(words)")
        }
        try await waitForAnswer()
        return true
    }

    /// A long append-only file takes its time to be read again.
    private func waitForAnswer() async throws {
        let end = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < end {
            if await answers() { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw RedisError(code: .unavailable, message: "redis-server does not answer on \(socket); see \(folder)/redis.log")
    }

    /// Ends the server after it has written all that it holds. One that does not run is no error.
    package func stop() async throws {
        guard await answers() || isAlive() else { return }
        let connection = RedisConnection(address: .unix(path: socket))
        // It hangs up instead of answering.
        _ = try? await connection.command(["SHUTDOWN", "NOSAVE"])
        await connection.close()
        for _ in 0..<250 {
            if !Files.exists("\(folder)/redis.pid") { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw RedisError(code: .unavailable, message: "redis-server did not end within 5 s")
    }

    private func answers() async -> Bool {
        guard Files.exists(socket) else { return false }
        let connection = RedisConnection(address: .unix(path: socket))
        defer { Task { await connection.close() } }
        // One that still reads its file answers with an error, and counts as not there yet.
        return (try? await connection.command(["PING"])) != nil
    }

    /// True while the process of the pid file runs in our folder, whether it answers or not.
    private func isAlive() -> Bool {
        guard let text = try? Files.read("\(folder)/redis.pid", limit: 64), let pid = Int(text.filter(\.isNumber)) else { return false }
        var (ours, its) = (stat(), stat())
        return stat(folder, &ours) == 0 && stat("/proc/\(pid)/cwd", &its) == 0 && ours.st_ino == its.st_ino && ours.st_dev == its.st_dev
    }

    private func quoted(_ path: String) -> String { "\"\(path.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\"" }
}
