import Glibc
import Model
import Platform
@testable import RedisStore
import TestSupport
import Testing

/// Two real servers behind one name, of which one takes the writes.
@Suite(.timeLimit(.minutes(1))) struct RedisFailoverTests {
    /// Two servers on one port of two addresses, which a name stands for, and a connection to each.
    private struct Pair {
        let folder: TemporaryFolder
        let port: Int
        private let processes: [pid_t]
        let first: RedisConnection
        let second: RedisConnection
        /// A connection by the name, whose first address is not always the right one.
        func named() -> RedisConnection {
            RedisConnection(address: .tcp(host: "redis.test", port: port)) { _, _ in ["127.0.0.2", "127.0.0.1"] }
        }

        init(_ more: [String] = []) async throws {
            folder = try TemporaryFolder()
            port = try Ports.free()
            var started: [pid_t] = []
            for (number, address) in ["127.0.0.1", "127.0.0.2"].enumerated() {
                let data = "\(folder.path)/\(number)"
                try Files.makePrivateFolder(data)
                let words = ["--port", "\(port)", "--bind", address, "--dir", data, "--save", "", "--unixsocket", "\(data)/redis.sock"]
                started.append(try Programs.startDetached("redis-server", words + more, log: "\(data)/log"))
            }
            processes = started
            first = RedisConnection(address: .unix(path: "\(folder.path)/0/redis.sock"))
            second = RedisConnection(address: .unix(path: "\(folder.path)/1/redis.sock"))
            for connection in [first, second] {
                try await eventually("it answers") { (try? await connection.command(["PING"])) != nil }
            }
        }

        /// Makes one the replica of the other one.
        func follow(_ replica: RedisConnection, _ address: String) async throws {
            try await replica.command(["CONFIG", "SET", "repl-diskless-sync-delay", "0"])
            try await replica.command(["REPLICAOF", address, "\(port)"])
        }

        func end() {
            for process in processes {
                kill(process, SIGKILL)
                waitpid(process, nil, 0)
            }
        }
    }

    @Test func `of a name's addresses the one is used that takes writes, also after they have changed places`() async throws {
        let pair = try await Pair()
        defer { pair.end() }
        try await pair.follow(pair.second, "127.0.0.1")
        let connection = pair.named()
        let reader = pair.named()
        try await connection.command(["SET", "key", "1"])
        #expect(try await pair.first.command(["GET", "key"]).text == "1")
        #expect(try await reader.command(["ROLE"]).list?.first?.text == "master")
        // A fail-over: what is connected stays connected, to one that takes no more writes.
        try await pair.second.command(["REPLICAOF", "NO", "ONE"])
        try await pair.follow(pair.first, "127.0.0.2")
        let error = try await #require(throws: RedisError.self) { try await connection.command(["SET", "key", "2"]) }
        #expect(error.code == .unavailable && error.message.contains("READONLY") && error.message.contains("another server"), "\(error)")
        try await eventually("it writes again") { (try? await connection.command(["SET", "key", "3"])) != nil }
        #expect(try await pair.second.command(["GET", "key"]).text == "3")
        #expect(try await reader.command(["ROLE"]).list?.first?.text == "master", "those that only read move with it")
        for connection in [connection, reader, pair.first, pair.second] { await connection.close() }
    }

    @Test func `while nobody takes writes it is asked again with pauses, and said why`() async throws {
        let pair = try await Pair(["--replica-serve-stale-data", "no"])
        defer { pair.end() }
        let server = pair.first
        // Both are replicas, of nobody.
        try await pair.follow(pair.first, "127.0.0.3")
        try await pair.follow(pair.second, "127.0.0.3")
        let connection = pair.named()
        let before = try await connections(server)
        for _ in 0..<30 {
            let error = try await #require(throws: RedisError.self) { try await connection.command(["SET", "key", "1"]) }
            #expect(error.code == .unavailable && error.isRetryable)
        }
        #expect(try await connections(server) - before < 5, "each try would have made a connection")
        try await server.command(["REPLICAOF", "NO", "ONE"])
        try await eventually("it writes") { (try? await connection.command(["SET", "key", "2"])) != nil }
        for connection in [connection, pair.first, pair.second] { await connection.close() }
    }

    private func connections(_ server: RedisConnection) async throws -> Int {
        let text = try await server.command(["INFO", "stats"]).text ?? ""
        let line = text.split(whereSeparator: \.isNewline).first { $0.hasPrefix("total_connections_received:") }
        return try #require(line.flatMap { Int($0.drop { $0 != ":" }.dropFirst()) })
    }

    @Test(
        arguments: [
            ("-READONLY You can't write against a read only replica.", RedisError.Code.unavailable),
            ("-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", .unavailable),
            ("-LOADING Redis is loading the dataset in memory", .unavailable), ("-CLUSTERDOWN The cluster is down", .unavailable),
            ("-NOREPLICAS Not enough good replicas to write.", .unavailable),
            ("-ERR Error running script (call to f_0a): @user_script:3: @user_script: 3: -READONLY You can't write", .unavailable),
            ("-BUSY Redis is busy running a script.", .unavailable), ("-NOAUTH Authentication required.", .refused),
            ("-OOM command not allowed when used memory > 'maxmemory'.", .full),
            ("-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.", .full),
            ("-ERR unknown command 'READONLY'", .refused), ("-WRONGTYPE Operation against a key", .refused),
        ])
    func `an error of the server's is told by its kind`(answer: String, code: RedisError.Code) async throws {
        let server = try ScriptedServer { connection in
            // The answers to ROLE, and to the command behind it.
            _ = connection.write("*1\r\n$6\r\nmaster\r\n\(answer)\r\n")
            connection.hang()
        }
        let connection = RedisConnection(address: .tcp(host: "127.0.0.1", port: server.port))
        let error = try await #require(throws: RedisError.self) { try await connection.command(["SET", "key", "1"]) }
        #expect(error.code == code, "\(error)")
        await connection.close()
        server.stop()
    }

    @Test func `a user of an access list logs in by name, and a wrong password is told without it`() async throws {
        let pair = try await Pair()
        defer { pair.end() }
        try await pair.first.command(["ACL", "SETUSER", "us@er", "on", ">p@ss", "~test:*", "+@all", "-role"])
        try await pair.first.command(["ACL", "SETUSER", "open", "on", "nopass", "~*", "+@all"])
        for login in ["us%40er:p%40ss", "open"] {
            let connection = RedisConnection(address: try RedisAddress(reading: "redis://\(login)@127.0.0.1:\(pair.port)/1"))
            try await connection.command(["SET", "test:key", login])
            #expect(try await connection.command(["ACL", "WHOAMI"]).text == (login == "open" ? "open" : "us@er"))
            await connection.close()
        }
        let wrong = RedisConnection(address: try RedisAddress(reading: "redis://us%40er:wr0ng@127.0.0.1:\(pair.port)"))
        let error = try await #require(throws: RedisError.self) { try await wrong.command(["PING"]) }
        #expect(error.code == .refused && error.message.hasPrefix("WRONGPASS") && !error.message.contains("wr0ng"))
        for connection in [wrong, pair.first, pair.second] { await connection.close() }
    }

    @Test func `a name that nobody knows is told, and looked up again`() async throws {
        let connection = RedisConnection(address: .tcp(host: "nowhere.invalid", port: 1))
        for _ in 0..<2 {
            let error = try await #require(throws: RedisError.self) { try await connection.command(["PING"]) }
            #expect(error.code == .unavailable && error.message.contains("nowhere.invalid"))
        }
        await connection.close()
    }
}
