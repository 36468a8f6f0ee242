import Dispatch
import Glibc
import Platform
import Synchronization

/// A `redis-server` of our own on a Unix socket, for operators who have none. It outlives the controller, which finds it again.
package struct PrivateRedis: Sendable {
    let folder: String
    package var socket: String { "\(folder)/redis.sock" }
    private var log: String { "\(folder)/redis.log" }

    package init(folder: String) { self.folder = folder }

    /// Starts the server unless it answers already. It writes every command to an append-only file before it answers.
    ///
    /// A file that a power cut has damaged is mended first, where nothing but its end is lost.
    /// - Parameter report: gets what was mended, and what was lost by that.
    /// - Returns: true when it was started, false when it was found running.
    package func start(report: (String) -> Void = { _ in }) async throws -> Bool {
        guard socket.utf8.count < 108 else {
            throw RedisError(code: .unavailable, message: "\(socket) is longer than a Unix socket's 107 bytes, expected a shorter data_dir")
        }
        if await answers() { return false }
        if isAlive() || isTaken() {
            // A second one beside it would take its socket away and write into its file.
            try await waitForAnswer()
            return false
        }
        if !Files.exists(folder) { try Files.makePrivateFolder(folder) }
        try checkFolder()
        try writeConfiguration()
        try await launchAndMend(report)
        return true
    }

    private func launchAndMend(_ report: (String) -> Void) async throws {
        let file = AppendOnlyFile(folder: folder)
        if let words = try file.mendManifest() { report(words) }
        do { try await launch(report) } catch let error as RedisError {
            guard let words = try await file.mendTail() else { throw error }
            report(words)
            try await launch(report)
        }
    }

    /// A file that is right stays, so that a full disk keeps no server from starting that was there before.
    private func writeConfiguration() throws {
        let path = "\(folder)/redis.conf"
        guard (try? Files.read(path)) != configuration else { return }
        do { try Files.write(configuration, to: path, mode: 0o600) } catch let error as FileError {
            throw RedisError(code: .unavailable, message: "\(error)\(roomWords)")
        }
    }

    private var configuration: String {
        """
        # Written by sallyport. Every change is lost at its next start.
        port 0
        unixsocket \(quoted(socket))
        unixsocketperm 600
        dir \(quoted(folder))
        pidfile \(quoted("\(folder)/redis.pid"))
        logfile \(quoted(log))
        daemonize no
        appendonly yes
        appendfsync everysec
        save ""
        maxmemory-policy noeviction

        """
    }

    /// Starts the process and waits until it answers, or ends.
    private func launch(_ report: (String) -> Void) async throws {
        let before = Files.size(log) ?? 0
        let child = Child(try Programs.startDetached("redis-server", ["\(folder)/redis.conf"], log: log))
        try await waitForAnswer { child.status }
        // It mends half a command by itself.
        for line in lines(since: before) where line.contains("Truncating the AOF") { report("redis-server has cut its file: \(line)") }
    }

    /// Waits while it reads its file, which may be long: 10 s without a sign of life, 120 s while it says that it is loading.
    /// - Parameter status: how the process has ended; nil while it runs.
    private func waitForAnswer(_ status: () -> Int32? = { nil }) async throws {
        let before = Files.size(log) ?? 0
        let begin = ContinuousClock.now
        var patience = Duration.seconds(10)
        let connection = RedisConnection(address: .unix(path: socket))
        defer { Task { await connection.close() } }
        while ContinuousClock.now - begin < patience {
            do {
                try await connection.command(["PING"])
                return
            } catch let error as RedisError {
                if error.message.contains("LOADING") { patience = .seconds(120) }
            }
            if let status = status() {
                let last = lines(since: before).last ?? lines(since: 0).last ?? "it said nothing"
                throw RedisError(code: .unavailable, message: "redis-server ended with status \(status): \(last) (\(log))\(roomWords)")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw RedisError(code: .unavailable, message: "redis-server does not answer on \(socket); see \(log)")
    }

    /// What its log has got since it had that size, without process ids and times; of a long piece the end.
    private func lines(since size: Int) -> [String] {
        let text = String(decoding: Files.tail(log, from: size, limit: 16_384), as: UTF8.self)
        return text.split(whereSeparator: \.isNewline).map { line in
            // "123:M 29 Nov 2026 18:44:44.001 # Bad file format ..."
            let words = line.split(separator: " ", maxSplits: 6)
            return String(words.count == 7 && words[5].count == 1 && words[0].contains(":") ? words[6] : line)
        }.filter { !$0.isEmpty }
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

    /// True while somebody listens on the socket, whoever it is: a server whose pid file is gone, too.
    private func isTaken() -> Bool {
        let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0, let address = SocketAddress(path: socket) else { return false }
        defer { close(descriptor) }
        return address.connect(descriptor) || errno == EAGAIN
    }

    private func quoted(_ path: String) -> String { "\"\(path.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\"" }
}

/// A process of ours that may outlive us; while we live its end is noticed at once.
private final class Child: Sendable {
    private let end = Mutex<Int32?>(nil)
    /// The exit status, or 128 plus the signal that ended it; nil while it runs.
    var status: Int32? { end.withLock { $0 } }

    init(_ pid: pid_t) {
        DispatchQueue(label: "sallyport.child").async { [self] in
            let status = Programs.wait(for: pid)
            end.withLock { $0 = status }
        }
    }
}
