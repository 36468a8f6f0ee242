import Glibc
import HTTPTransport
import Model
import Platform
@testable import RedisStore
import TestSupport
import Testing

/// The private server's folder on a full disk, and with files that are another user's.
@Suite(.serialized, .timeLimit(.minutes(3)), .enabled(if: geteuid() == 0, "only root mounts, and becomes another user"))
struct RedisFolderTests {
    private static let nobody: uid_t = 65_534

    // MARK: - Another user's files

    /// What is root's, below the folder of the server, and with which mode.
    @Test(
        .enabled(if: RunningProgram.isBuilt, "there is no .build/debug/sallyport"),
        arguments: [
            ("", 0o700), ("", 0o755), ("appendonlydir", 0o700), ("appendonlydir", 0o755), ("appendonlydir/appendonly.aof.manifest", 0o600),
            ("appendonlydir/appendonly.aof.1.incr.aof", 0o644), ("redis.log", 0o600),
        ] as [(String, mode_t)])
    func `files that are another user's are told at once, with the command that helps, and nothing is thrown away`(
        path: String, mode: mode_t
    ) async throws {
        let program = try RunningProgram()
        let (top, folder) = (program.folder.path, "\(program.folder.path)/d/redis")
        let redis = PrivateRedis(folder: folder)
        #expect(try await redis.start())
        let connection = RedisConnection(address: .unix(path: redis.socket))
        try await connection.command(["SET", "key", "value"])
        await connection.close()
        try await redis.stop()
        #expect(try await Programs.run("chown", ["-R", "\(Self.nobody)", top]).status == 0)
        let strange = path.isEmpty ? folder : "\(folder)/\(path)"
        #expect(chown(strange, 0, 0) == 0 && chmod(strange, mode) == 0)
        let before = try Files.list("\(folder)/appendonlydir")
        let result = try await Programs.run(
            "setpriv",
            [
                "--reuid=\(Self.nobody)", "--regid=\(Self.nobody)", "--clear-groups", Repository.built("sallyport"), "store", "check",
                "--config", program.configuration,
            ])
        #expect(result.status != 0)
        #expect(result.output.contains("may not read and write \(strange): it belongs to user 0"), "\(result.output)")
        #expect(result.output.contains("`chown -R \(Self.nobody) \(folder)`") && !result.output.contains("mv "), "\(result.output)")
        #expect(try Files.list("\(folder)/appendonlydir") == before && !Files.exists(redis.socket))
        // What it says helps.
        #expect(try await Programs.run("chown", ["-R", "\(Self.nobody)", folder]).status == 0)
        let user = ["--reuid=\(Self.nobody)", "--regid=\(Self.nobody)", "--clear-groups"]
        let again = try await Programs.run(
            "setpriv", user + [Repository.built("sallyport"), "store", "check", "--config", program.configuration])
        #expect(again.output.contains("is not signed yet"), "\(again.output)")
        try await redis.stop()
    }

    @Test(arguments: ["redis", "appendonlydir"])
    func `a file in a folder's place is told`(name: String) async throws {
        let folder = try TemporaryFolder()
        let place = "\(folder.path)/redis\(name == "redis" ? "" : "/\(name)")"
        if name != "redis" { try Files.makePrivateFolder("\(folder.path)/redis") }
        try Files.write("", to: place, mode: 0o600)
        let error = try await #require(throws: RedisError.self) { try await PrivateRedis(folder: "\(folder.path)/redis").start() }
        #expect(error.message == "\(place) is no folder; move it away and start again")
    }

    // MARK: - A full disk

    /// A small disk of its own, which is full from `fill` to `free`.
    private struct SmallDisk {
        let folder: TemporaryFolder
        var path: String { folder.path }
        private var filling: String { "\(path)/filling" }

        init() async throws {
            folder = try TemporaryFolder()
            let result = try await Programs.run("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", folder.path])
            guard result.status == 0 else { throw TimeoutError(what: "a disk: \(result.output)") }
        }

        /// - Parameter pages: 4 kB each, which stay free.
        func fill(but pages: Int = 0) async throws {
            _ = try await Programs.run("dd", ["if=/dev/zero", "of=\(filling)", "bs=4k"])
            let size = Files.size(filling) ?? 0
            #expect(truncate(filling, size - pages * 4096) == 0)
        }

        func free() { unlink(filling) }
        func end() { umount2(path, Int32(MNT_DETACH)) }
    }

    private func withDisk(_ body: (SmallDisk, PrivateRedis) async throws -> Void) async throws {
        let disk = try await SmallDisk()
        let redis = PrivateRedis(folder: "\(disk.path)/redis")
        let result = await Result { try await body(disk, redis) }
        disk.free()
        try? await redis.stop()
        disk.end()
        try result.get()
    }

    @Test(arguments: 0...3) func `a first start on a full disk ends at once and says to make room`(pages: Int) async throws {
        try await withDisk { disk, redis in
            try await disk.fill(but: pages)
            let error = try await #require(throws: RedisError.self) { try await redis.start() }
            #expect(error.message.hasSuffix("the disk of \(disk.path)/redis is full: make room on it"), "\(error)")
            disk.free()
            #expect(try await redis.start())
        }
    }

    @Test func `a server that was there before starts on a full disk, and takes writes again when there is room`() async throws {
        try await withDisk { disk, redis in
            #expect(try await redis.start())
            let connection = RedisConnection(address: .unix(path: redis.socket))
            try await connection.command(["SET", "key", "value"])
            try await redis.stop()
            try await disk.fill()
            #expect(try await redis.start())
            // The connection to the server of before is broken.
            _ = try? await connection.command(["PING"])
            #expect(try await connection.command(["GET", "key"]).text == "value")
            // The first writes may be taken: their loss is seen when the file is written.
            try await eventually("writes are refused", within: 20) {
                do { try await connection.command(["SET", "key", "other"]) } catch let error as RedisError where error.code == .full {
                    return error.message.contains("MISCONF") && error.message.contains("free or repair its disk")
                }
                return false
            }
            disk.free()
            try await eventually("writes are taken", within: 20) { (try? await connection.command(["SET", "key", "new"])) != nil }
            await connection.close()
        }
    }

    @Test(.enabled(if: RunningProgram.isBuilt, "there is no .build/debug/sallyport"))
    func `a controller whose Redis has a full disk says so, and goes on when there is room`() async throws {
        try await withDisk { disk, redis in
            #expect(try await redis.start())
            let program = try RunningProgram(redis: redis.socket)
            try await RunningProgram.with([program]) {
                try await eventually("it leads", within: 30) {
                    try await program.call("POST", "/api/users", #"{"name":"alice"}"#).status == 201
                }
                try await disk.fill()
                try await eventually("a human is called", within: 30) {
                    let alerts = try await program.call("GET", "/api/alerts").text
                    return alerts.contains("part:store") && alerts.contains("free or repair its disk")
                }
                let refused = try await program.call("POST", "/api/users", #"{"name":"bob"}"#)
                #expect(refused.status == 503 && refused.text.contains("it can't write to its disk (MISCONF)"), "\(refused.text)")
                disk.free()
                try await eventually("it takes changes", within: 40) {
                    try await program.call("POST", "/api/users", #"{"name":"bob"}"#).status == 201
                }
            }
        }
    }
}
