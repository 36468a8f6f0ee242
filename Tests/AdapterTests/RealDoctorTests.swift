import Glibc
import HTTPTransport
import Model
import Platform
import RedisStore
import TestSupport
import Testing

/// The doctor, and a start, on a machine where something is wrong: real Redis, HAProxy, filesystems and ports.
@Suite(.serialized, .timeLimit(.minutes(3)), .enabled(if: RunningProgram.isBuilt, "there is no .build/debug/sallyport"))
struct RealDoctorTests {
    /// The findings by name, and the exit status.
    private func examine(_ program: RunningProgram) async throws -> (status: Int32, checks: [String: Document]) {
        let result = try await program.sallyport("doctor", "--config", program.configuration, "--json")
        let report = try Document(json: result.output.utf8)
        guard case .object(let fields) = report, case .array(let checks)? = fields["checks"] else {
            throw TimeoutError(what: result.output)
        }
        let named = checks.compactMap { check -> (String, Document)? in
            guard case .object(let fields) = check, case .string(let name)? = fields["name"] else { return nil }
            return (name, check)
        }
        return (result.status, Dictionary(named) { $1 })
    }

    private func text(_ check: Document?, _ field: String) -> String {
        guard case .object(let fields)? = check, case .string(let text)? = fields[field] else { return "" }
        return text
    }

    /// How `sallyport run` ends, and what it says.
    private func start(_ program: RunningProgram) async throws -> Programs.Result {
        try await program.sallyport("run", "--config", program.configuration)
    }

    @Test func `an evicting Redis is at fault, and refused at the start with its remedy`() async throws {
        let redis = try await OwnRedis()
        let connection = RedisConnection(address: .unix(path: redis.socket))
        try await connection.command(["CONFIG", "SET", "maxmemory", "100mb"])
        try await connection.command(["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"])
        let program = try RunningProgram(redis: redis.socket)
        let (status, checks) = try await examine(program)
        #expect(status == 1 && text(checks["redis"], "verdict") == "fault", "\(checks)")
        #expect(text(checks["redis"], "remedy").contains("CONFIG SET maxmemory-policy noeviction"))
        let refused = try await start(program)
        #expect(refused.status == 1 && refused.output.contains("allkeys-lru") && refused.output.contains("noeviction"), "\(refused.output)")
        #expect(try await connection.command(["DBSIZE"]).integer == 0)
        try await connection.command(["CONFIG", "SET", "maxmemory-policy", "noeviction"])
        #expect(text(try await examine(program).checks["redis"], "verdict") == "pass")
        await connection.close()
        try await redis.stop()
    }

    @Test(arguments: ["2", "later"]) func `a store of a newer version is refused in clear words, and nothing is written`(format: String)
        async throws
    {
        let redis = try await OwnRedis()
        let connection = RedisConnection(address: .unix(path: redis.socket))
        try await connection.command(["SET", "sallyport:format", format])
        try await connection.command(["HSET", "sallyport:users", "alice", "what nobody can read yet"])
        let program = try RunningProgram(redis: redis.socket)
        let refused = try await start(program)
        let words = format == "2" ? "a newer version of Sallyport has written the store, in format 2" : "is no number"
        #expect(
            refused.status == 1 && refused.output.contains(words) && refused.output.contains("nothing was changed"), "\(refused.output)")
        let (status, checks) = try await examine(program)
        #expect(status == 1 && text(checks["redis"], "message").contains(words), "\(checks)")
        for line in [["store", "check"], ["store", "adopt", "--all"], ["store", "rotate"]] {
            let care = try await Programs.run(
                "env", ["-C", "/tmp", Repository.built("sallyport")] + line + ["--config", program.configuration], deadline: 60)
            #expect(care.status == 1 && care.output.contains(words), "\(line): \(care.output)")
        }
        #expect(try await connection.command(["DBSIZE"]).integer == 2)
        #expect(try await connection.command(["HGETALL", "sallyport:users"]).list?.count == 2)
        await connection.close()
        try await redis.stop()
    }

    @Test func `a controller leads no more once a newer version has taken its store, and writes nothing into it`() async throws {
        let redis = try await OwnRedis()
        let connection = RedisConnection(address: .unix(path: redis.socket))
        let program = try RunningProgram(redis: redis.socket)
        try await RunningProgram.with([program]) {
            try await eventually("it leads", within: 30) {
                try await program.call("POST", "/api/users", #"{"name":"alice"}"#).status == 201
            }
            // As a newer version does that has become the leader and writes its own format.
            try await connection.transaction([
                ["SET", "sallyport:format", "2"], ["INCR", "sallyport:fence"],
                ["HSET", "sallyport:lease", "instance", "newer", "token", "newer"], ["PERSIST", "sallyport:lease"],
            ])
            try await eventually("it says so", within: 40) {
                try await program.call("GET", "/health/ready").text.contains("a newer version of Sallyport has written the store")
            }
            #expect(try await program.call("POST", "/api/users", #"{"name":"bob"}"#).status == 503)
            #expect(try await connection.command(["HEXISTS", "sallyport:users", "bob"]).integer == 0)
            // A rollback of the data, and it goes on.
            try await connection.command(["DEL", "sallyport:format", "sallyport:lease"])
            try await eventually("it leads again", within: 40) {
                try await program.call("POST", "/api/users", #"{"name":"bob"}"#).status == 201
            }
        }
        await connection.close()
        try await redis.stop()
    }

    @Test func `a port that somebody has is named with who it is, and ours are ours`() async throws {
        let program = try RunningProgram()
        let held = try Ports.listen("127.0.0.1", program.gatewayPort)
        let (status, checks) = try await examine(program)
        #expect(status == 1 && text(checks["ports"], "verdict") == "fault", "\(checks)")
        #expect(text(checks["ports"], "message").contains("127.0.0.1:\(program.gatewayPort): the port is in use ("))
        #expect(
            text(checks["ports"], "message").contains("process \(getpid()))") && text(checks["ports"], "remedy").contains("gateway.port"))
        let refused = try await start(program)
        #expect(refused.status == 1 && refused.output.contains("process \(getpid()))"), "\(refused.output)")
        close(held.descriptor)
        #expect(text(try await examine(program).checks["ports"], "message").hasPrefix("free: "))
        try await RunningProgram.with([program]) {
            try await eventually("its HAProxy is there", within: 30) {
                text(try await examine(program).checks["ports"], "message").contains("\(program.port), \(program.gatewayPort)")
            }
            let checks = try await examine(program).checks
            #expect(text(checks["ports"], "verdict") == "pass" && text(checks["ports"], "message").hasPrefix("ours already: "), "\(checks)")
            #expect(text(checks["controller"], "message").hasPrefix("process \(program.pid ?? 0) runs"), "\(checks)")
            #expect(text(checks["redis"], "message").contains("answers on unix://"), "\(checks)")
            // There is no engine, and so nobody knows which servers exits hold.
            #expect(text(checks["engine"], "verdict") == "fault" && text(checks["key nordvpn"], "verdict") == "warning", "\(checks)")
            #expect(text(checks["provider nordvpn"], "verdict") == "fault")
        }
    }

    // MARK: - Filesystems

    /// A disk of its own in place of the program's data folder, and what a start and the doctor say of it.
    private func onDisk(
        _ mount: (_ folder: String) async throws -> Void, _ body: (_ program: RunningProgram, _ data: String) async throws -> Void
    ) async throws {
        let program = try RunningProgram()
        let data = "\(program.folder.path)/d"
        try Files.makePrivateFolder(data)
        try await mount(data)
        let result = await Result { try await body(program, data) }
        umount2(data, Int32(MNT_DETACH))
        try result.get()
    }

    private func mount(_ words: String...) async throws {
        let result = try await Programs.run("mount", words)
        guard result.status == 0 else { throw TimeoutError(what: "mount: \(result.output)") }
    }

    @Test(.enabled(if: geteuid() == 0, "only root mounts")) func `a full disk is told, at the start too, and nothing is lost`() async throws
    {
        try await onDisk {
            try await mount("-t", "tmpfs", "-o", "size=256k", "tmpfs", $0)
        } _: { program, data in
            #expect(text(try await examine(program).checks["disk"], "verdict") == "fault")
            let warned = try await examine(program).checks["data folder"]
            #expect(text(warned, "verdict") == "warning" && text(warned, "message").contains("(tmpfs)"))
            _ = try await Programs.run("dd", ["if=/dev/zero", "of=\(data)/filling", "bs=4k"])
            let checks = try await examine(program).checks
            #expect(text(checks["data folder"], "verdict") == "fault", "\(checks)")
            #expect(text(checks["data folder"], "remedy") == "make room on the disk of \(data)")
            let refused = try await start(program)
            #expect(refused.status == 1 && refused.output.contains("make room on the disk of \(data)"), "\(refused.output)")
            #expect(try Files.list(data) == ["filling"])
        }
    }

    /// A filesystem without modes and without Unix sockets, in a file: by the kernel, or by a program where the kernel has none.
    @Test(.enabled(if: geteuid() == 0 && canMountFAT, "no root, no mkfs.vfat, or neither vfat in the kernel nor fusefat"))
    func `a data folder on FAT is told, at the start too`() async throws {
        let image = try TemporaryFolder()
        let disk = "\(image.path)/disk"
        _ = try await Programs.run("truncate", ["-s", "64M", disk])
        _ = try await Programs.run("/usr/sbin/mkfs.vfat", [disk])
        func mountFAT(_ folder: String) async throws {
            if Self.knowsVFAT { return try await mount("-o", "loop", disk, folder) }
            let result = try await Programs.run("fusefat", ["-o", "rw+", disk, folder])
            guard result.status == 0 else { throw TimeoutError(what: "fusefat: \(result.output)") }
        }
        try await onDisk(mountFAT) { program, _ in
            let check = try await examine(program).checks["data folder"]
            let words = "fat) that can hold no Unix sockets"
            #expect(text(check, "verdict") == "fault" && text(check, "message").contains(words), "\(String(describing: check))")
            let refused = try await start(program)
            #expect(refused.status == 1 && refused.output.contains(words) && refused.output.contains("ext4"), "\(refused.output)")
        }
    }

    private static let canMountFAT = Files.exists("/usr/sbin/mkfs.vfat") && (knowsVFAT || Files.exists("/usr/bin/fusefat"))
    private static var knowsVFAT: Bool { ((try? Files.read("/proc/filesystems")) ?? "").contains("vfat") }

    @Test(.enabled(if: geteuid() == 0, "only root mounts")) func `a data folder that is mounted read-only is told`() async throws {
        try await onDisk {
            try await mount("-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", $0)
        } _: { program, data in
            let refused = try await start(program)
            #expect(refused.status == 1 && refused.output.contains("\(data) can't be written: Read-only file system"), "\(refused.output)")
        }
    }
}
