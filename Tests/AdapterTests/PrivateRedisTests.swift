import Glibc
import Model
import Platform
import RedisStore
import TestSupport
import Testing

/// A private Redis in a folder of its own, and a connection to it; both are gone at the end.
func withRedis(_ body: (_ redis: PrivateRedis, _ folder: String, _ connection: RedisConnection) async throws -> Void) async throws {
    let folder = try TemporaryFolder()
    let redis = PrivateRedis(folder: folder.path)
    #expect(try await redis.start())
    // On a busy machine an answer takes as long as it takes.
    let connection = RedisConnection(address: .unix(path: redis.socket), deadline: 20)
    let result = await Result { try await body(redis, folder.path, connection) }
    await connection.close()
    try await redis.stop()
    try result.get()
}

extension Result where Failure == any Error {
    init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}

func pid(in file: String) throws -> pid_t { try #require(pid_t(Files.read(file).filter(\.isNumber))) }

/// Kills a process and waits until it is gone.
func kill9(_ pid: pid_t) async throws {
    kill(pid, SIGKILL)
    try await eventually("process \(pid) is gone") { !Files.exists("/proc/\(pid)") }
}

@Suite(.timeLimit(.minutes(1))) struct PrivateRedisTests {
    @Test func `it is started once, and found again`() async throws {
        try await withRedis { redis, folder, connection in
            let first = try pid(in: "\(folder)/redis.pid")
            #expect(try await redis.start() == false)
            #expect(try await PrivateRedis(folder: folder).start() == false)
            #expect(try pid(in: "\(folder)/redis.pid") == first)
            #expect(try await connection.command(["PING"]) == .text("PONG"))
        }
    }

    @Test func `what was answered is there after kill -9, unless the disk was too slow to take it`() async throws {
        try await withRedis { redis, folder, connection in
            for number in 0..<200 { try await connection.command(["SET", "key\(number)", "value"]) }
            // Redis puts a write off for up to 2 s while the disk is still at the last one.
            try await eventually("all is written") {
                guard case .text(let text) = try await connection.command(["INFO", "persistence"]) else { return false }
                return text.contains("aof_buffer_length:0\r\n")
            }
            try await kill9(try pid(in: "\(folder)/redis.pid"))
            let error = try await #require(throws: RedisError.self) { try await connection.command(["PING"]) }
            #expect(error.code == .unavailable && error.isRetryable)
            #expect(try await redis.start())
            #expect(try await connection.command(["DBSIZE"]) == .integer(200))
        }
    }

    @Test func `one that is busy is waited for, and no second one is started beside it`() async throws {
        try await withRedis { redis, folder, connection in
            try await connection.command(["SET", "key", "value"])
            let first = try pid(in: "\(folder)/redis.pid")
            kill(first, SIGSTOP)
            async let found = redis.start()
            try await Task.sleep(for: .seconds(2.5))
            kill(first, SIGCONT)
            #expect(try await found == false)
            #expect(try pid(in: "\(folder)/redis.pid") == first)
            #expect(try await connection.command(["GET", "key"]) == .text("value"))
        }
    }

    @Test func `stopping ends the process, twice is no error, and nobody else can enter its folder`() async throws {
        let folder = try TemporaryFolder()
        let redis = PrivateRedis(folder: "\(folder.path)/redis")
        try await redis.stop()
        #expect(try await redis.start())
        let process = try pid(in: "\(folder.path)/redis/redis.pid")
        var status = stat()
        #expect(stat("\(folder.path)/redis", &status) == 0 && status.st_mode & 0o777 == 0o700)
        #expect(stat(redis.socket, &status) == 0 && status.st_mode & 0o777 == 0o600)
        try await redis.stop()
        try await eventually("the process is gone") { !Files.exists("/proc/\(process)") }
        try await redis.stop()
    }

    @Test func `a folder whose socket would be too long is refused with the reason`() async throws {
        let error = try await #require(throws: RedisError.self) {
            try await PrivateRedis(folder: "/tmp/" + String(repeating: "x", count: 100)).start()
        }
        #expect(error.message.contains("107 bytes"))
    }
}
