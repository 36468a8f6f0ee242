import Glibc
import HTTPTransport
import Model
import Platform
import RedisStore
import TestSupport
import Testing

/// A real program whose Redis answers, and takes no writes.
@Suite(.serialized, .timeLimit(.minutes(3)), .enabled(if: RunningProgram.isBuilt, "there is no .build/debug/sallyport"))
struct FullStoreTests {
    private func count(_ words: String, in program: RunningProgram) -> Int { program.log.components(of: words) }

    private func isTold(_ words: String, by program: RunningProgram) async throws -> Bool {
        try await program.call("GET", "/health/ready").text.contains(words)
    }

    @Test(arguments: ["OOM", "MISCONF"])
    func `a full Redis is one standing problem with its remedy, until it takes writes again`(kind: String) async throws {
        let redis = try await OwnRedis()
        let connection = RedisConnection(address: .unix(path: redis.socket))
        let program = try RunningProgram(redis: redis.socket)
        let words = kind == "OOM" ? "its memory is full (OOM)" : "it can't write to its disk (MISCONF)"
        try await RunningProgram.with([program]) {
            try await eventually("it leads", within: 30) {
                try await program.call("POST", "/api/users", #"{"name":"alice"}"#).status == 201
            }
            try await fill(connection, kind)
            let refused = try await program.call("POST", "/api/users", #"{"name":"bob"}"#)
            #expect(refused.status == 503 && refused.text.contains(words), "\(refused.text)")
            try await eventually("it is told", within: 15) { try await isTold(words, by: program) }
            try await eventually("a human is called", within: 15) {
                let alerts = try await program.call("GET", "/api/alerts").text
                return alerts.contains("part:store") && alerts.contains(kind == "OOM" ? "raise maxmemory" : "free or repair its disk")
            }
            // Reads that succeed meanwhile don't end it.
            let end = ContinuousClock.now + .seconds(5)
            while ContinuousClock.now < end {
                #expect(try await program.call("GET", "/api/users").text.contains("alice"))
                #expect(try await isTold(words, by: program))
                try await Task.sleep(for: .milliseconds(200))
            }
            #expect(count("problem with the store", in: program) == 1 && count("the store works again", in: program) == 0)
            try await empty(connection, kind)
            try await eventually("it is well again", within: 40) { try await !isTold(words, by: program) }
            #expect(try await program.call("POST", "/api/users", #"{"name":"bob"}"#).status == 201)
            try await eventually("the alert is over", within: 15) {
                try await !program.call("GET", "/api/alerts").text.contains("part:store")
            }
            #expect(count("problem with the store", in: program) == 1 && count("the store works again", in: program) == 1)
        }
        await connection.close()
        try await redis.stop()
    }

    @Test(arguments: [("OOM", true), ("OOM", false)])
    func `a start with a full Redis says so with the remedy, and goes on where it left off when there is room`(kind: String, isFirst: Bool)
        async throws
    {
        let redis = try await OwnRedis()
        let connection = RedisConnection(address: .unix(path: redis.socket))
        let program = try RunningProgram(redis: redis.socket)
        let words = kind == "OOM" ? "its memory is full (OOM)" : "it can't write to its disk (MISCONF)"
        if isFirst { try await fill(connection, kind) }
        try await RunningProgram.with([program]) {
            if !isFirst {
                try await eventually("it leads", within: 30) {
                    try await program.call("POST", "/api/users", #"{"name":"alice"}"#).status == 201
                }
                try await program.crash()
                try await fill(connection, kind)
                try await program.start()
            }
            try await eventually("it is told", within: 30) { try await isTold(words, by: program) }
            try await eventually("a human is called", within: 30) {
                let alerts = try await program.call("GET", "/api/alerts").text
                return alerts.contains("part:store") && alerts.contains(kind == "OOM" ? "raise maxmemory" : "free or repair its disk")
            }
            let refused = try await program.call("POST", "/api/users", #"{"name":"bob"}"#)
            #expect(refused.status == 503 && refused.text.contains(words), "\(refused.text)")
            try await empty(connection, kind)
            try await eventually("it takes changes", within: 40) {
                try await program.call("POST", "/api/users", #"{"name":"bob"}"#).status == 201
            }
            let users = try await program.call("GET", "/api/users").text
            #expect(users.contains("alice") == !isFirst && users.contains("bob"))
            #expect(!program.log.contains("was signed as it is"))
        }
        await connection.close()
        try await redis.stop()
    }

    /// Makes the server refuse writes: for its memory, or after a background save that failed.
    private func fill(_ connection: RedisConnection, _ kind: String) async throws {
        if kind == "OOM" { return _ = try await connection.command(["CONFIG", "SET", "maxmemory", "1"]) }
        try await connection.command(["CONFIG", "SET", "save", "3600 1"])
        // A folder stands where the file is to be.
        try Files.makePrivateFolder(try await dump(connection))
        try await connection.command(["BGSAVE"])
        try await eventually("the save has failed", within: 20) {
            try await connection.command(["INFO", "persistence"]).text?.contains("rdb_last_bgsave_status:err") ?? false
        }
    }

    private func dump(_ connection: RedisConnection) async throws -> String {
        let folder = try #require(try await connection.command(["CONFIG", "GET", "dir"]).list?.last?.text)
        return "\(folder)/\(try #require(try await connection.command(["CONFIG", "GET", "dbfilename"]).list?.last?.text))"
    }

    private func empty(_ connection: RedisConnection, _ kind: String) async throws {
        if kind == "OOM" { return _ = try await connection.command(["CONFIG", "SET", "maxmemory", "0"]) }
        rmdir(try await dump(connection))
        try await connection.command(["BGSAVE"])
    }
}

extension String {
    /// How often words are in it.
    fileprivate func components(of words: String) -> Int { split(separator: words, omittingEmptySubsequences: false).count - 1 }
}
