import FoundationEssentials
import Glibc
import Model
import Platform
@testable import RedisStore
import Synchronization
import TestSupport
import Testing

/// What a power cut leaves of the private server's file.
@Suite(.timeLimit(.minutes(1))) struct DamagedRedisTests {
    /// A folder in which a server has stored a hundred keys, and was ended.
    private static func used() async throws -> (folder: TemporaryFolder, redis: PrivateRedis) {
        let folder = try TemporaryFolder()
        let redis = PrivateRedis(folder: "\(folder.path)/redis")
        _ = try await redis.start()
        let connection = RedisConnection(address: .unix(path: redis.socket))
        for number in 0..<100 { try await connection.command(["SET", "key\(number)", "value"]) }
        await connection.close()
        try await redis.stop()
        return (folder, redis)
    }

    private static func append(_ bytes: [UInt8], to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_APPEND)
        defer { close(descriptor) }
        #expect(write(descriptor, bytes, bytes.count) == bytes.count)
    }

    private func keys(_ redis: PrivateRedis) async throws -> Int? {
        let connection = RedisConnection(address: .unix(path: redis.socket))
        let count = try await connection.command(["DBSIZE"]).integer
        await connection.close()
        return count
    }

    private static let increment = "appendonlydir/appendonly.aof.1.incr.aof"
    private static let manifest = "appendonlydir/appendonly.aof.manifest"

    @Test(arguments: ["zeros", "garbage", "half a command and zeros", "half a command"])
    func `a damaged end is cut after a copy, and told`(how: String) async throws {
        let (folder, redis) = try await Self.used()
        let file = "\(folder.path)/redis/\(Self.increment)"
        let tail: [UInt8] =
            switch how {
            case "zeros": [UInt8](repeating: 0, count: 4096)
            case "garbage": (0..<500).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 11) }
            case "half a command": Array("*3\r\n$3\r\nSET\r\n$5\r\nhalf".utf8)
            default: Array("*3\r\n$3\r\nSET\r\n$5\r\nhalf".utf8) + [UInt8](repeating: 0, count: 100)
            }
        try Self.append(tail, to: file)
        let told = Mutex<[String]>([])
        #expect(try await redis.start { words in told.withLock { $0.append(words) } })
        #expect(try await keys(redis) == 100)
        let words = told.withLock { $0.joined() }
        if how == "half a command" {
            #expect(words.contains("Truncating"), "\(words)")
        } else {
            #expect(words.contains("\(tail.count) bytes"), "\(words)")
            let copy = try #require(try Files.list("\(folder.path)/redis").first { $0.hasPrefix("damaged-") })
            #expect(Files.size("\(folder.path)/redis/\(copy)/\(Self.increment)") ?? 0 > tail.count)
        }
        try await redis.stop()
        told.withLock { $0 = [] }
        _ = try await redis.start { words in told.withLock { $0.append(words) } }
        #expect(told.withLock { $0 }.isEmpty, "nothing is left to mend")
        try await redis.stop()
    }

    @Test func `damage with commands behind it is left as it is, with the command that would cut it, at once`() async throws {
        let (folder, redis) = try await Self.used()
        let file = "\(folder.path)/redis/\(Self.increment)"
        try Self.append([UInt8](repeating: 0, count: 64) + Array("*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$1\r\nx\r\n".utf8), to: file)
        let size = Files.size(file)
        let begin = ContinuousClock.now
        let error = try await #require(throws: RedisError.self) { try await redis.start() }
        #expect(ContinuousClock.now - begin < .seconds(5))
        #expect(error.message.contains("redis-check-aof --fix \(folder.path)/redis/\(Self.manifest)"), "\(error)")
        #expect(Files.size(file) == size)
        #expect(try !Files.list("\(folder.path)/redis").contains { $0.hasPrefix("damaged-") })
    }

    @Test(arguments: ["missing", "empty", "zeros"])
    func `a manifest that is lost is made anew from the files' names`(how: String) async throws {
        let (folder, redis) = try await Self.used()
        let manifest = "\(folder.path)/redis/\(Self.manifest)"
        switch how {
        case "missing": Files.remove(manifest)
        case "empty": try Files.write("", to: manifest, mode: 0o644)
        default: try Files.write(String(repeating: "\0", count: 88), to: manifest, mode: 0o644)
        }
        let told = Mutex<[String]>([])
        #expect(try await redis.start { words in told.withLock { $0.append(words) } })
        #expect(try await keys(redis) == 100)
        #expect(told.withLock { $0.joined() }.contains("manifest"))
        try await redis.stop()
    }

    @Test func `where the files leave open what the manifest had, nothing is started`() async throws {
        let (folder, redis) = try await Self.used()
        let data = "\(folder.path)/redis/appendonlydir"
        try Files.write("", to: "\(folder.path)/redis/\(Self.manifest)", mode: 0o644)
        try FileManager.default.copyItem(atPath: "\(data)/appendonly.aof.1.base.rdb", toPath: "\(data)/appendonly.aof.2.base.rdb")
        let before = try Files.list(data)
        let error = try await #require(throws: RedisError.self) { try await redis.start() }
        #expect(error.message.contains("appendonly.aof.2.base.rdb") && error.message.contains("mv \(data)"), "\(error)")
        #expect(try Files.list(data) == before)
    }

    @Test func `a half-written base and a socket that can't be made end the start at once, with the last line`() async throws {
        let (folder, redis) = try await Self.used()
        let connection = RedisConnection(address: .unix(path: redis.socket))
        _ = try await redis.start()
        try await connection.command(["BGREWRITEAOF"])
        let base = "\(folder.path)/redis/appendonlydir/appendonly.aof.2.base.rdb"
        try await eventually("the base is written") { (Files.size(base) ?? 0) > 200 }
        try await eventually("the rewrite is over") {
            try await connection.command(["INFO", "persistence"]).text?.contains("aof_rewrite_in_progress:0") ?? false
        }
        await connection.close()
        try await redis.stop()
        #expect(truncate(base, 150) == 0)
        var begin = ContinuousClock.now
        var error = try await #require(throws: RedisError.self) { try await redis.start() }
        #expect(ContinuousClock.now - begin < .seconds(5) && error.message.contains("mv "), "\(error)")

        let other = try TemporaryFolder()
        try Files.makePrivateFolder("\(other.path)/redis/redis.sock/x")
        begin = .now
        error = try await #require(throws: RedisError.self) { try await PrivateRedis(folder: "\(other.path)/redis").start() }
        #expect(ContinuousClock.now - begin < .seconds(5) && error.message.contains("socket"), "\(error)")
    }

    @Test func `what a newer redis-server has written is left as it is, and told`() async throws {
        let (folder, redis) = try await Self.used()
        let directory = "\(folder.path)/redis/appendonlydir"
        let base = "\(directory)/appendonly.aof.1.base.rdb"
        let descriptor = open(base, O_WRONLY)
        // "REDIS0010" is the format of Redis 7.0.
        #expect(pwrite(descriptor, "0099", 4, 5) == 4)
        close(descriptor)
        let before = try Files.list(directory)
        let error = try await #require(throws: RedisError.self) { try await redis.start() }
        #expect(error.message.contains("a newer redis-server has written") && error.message.contains("version 99"), "\(error)")
        #expect(error.message.contains("nothing was changed") && !error.message.contains("mv "), "\(error)")
        #expect(try Files.list(directory) == before && Files.list("\(folder.path)/redis").allSatisfy { !$0.hasPrefix("damaged") })
    }

    @Test func `a server whose pid file is gone is not started a second time`() async throws {
        let (folder, redis) = try await Self.used()
        _ = try await redis.start()
        let process = try pid(in: "\(folder.path)/redis/redis.pid")
        Files.remove("\(folder.path)/redis/redis.pid")
        kill(process, SIGSTOP)
        async let found = redis.start()
        try await Task.sleep(for: .seconds(2.5))
        kill(process, SIGCONT)
        #expect(try await found == false)
        try await kill9(process)
    }

    @Test func `the copies are three at most`() async throws {
        let (folder, redis) = try await Self.used()
        for name in 1...5 { try Files.makePrivateFolder("\(folder.path)/redis/damaged-2020010\(name)") }
        try Self.append([0, 0, 0], to: "\(folder.path)/redis/\(Self.increment)")
        _ = try await redis.start()
        #expect(try Files.list("\(folder.path)/redis").count { $0.hasPrefix("damaged-") } == 3)
        try await redis.stop()
    }
}
