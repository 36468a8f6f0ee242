import FoundationEssentials
import Glibc
import HTTPTransport
import Model
import Platform
@testable import RedisStore
import TestSupport
import Testing

/// `sallyport store adopt`, `drop` and `rotate` on an installation that was running, with real Redis.
@Suite(.serialized, .timeLimit(.minutes(3)), .enabled(if: RunningProgram.isBuilt, "there is no .build/debug/sallyport"))
struct RealStoreCareTests {
    private func store(_ program: RunningProgram, _ words: String...) async throws -> Programs.Result {
        try await Programs.run(
            "env", ["-C", "/tmp", Repository.built("sallyport"), "store"] + words + ["--config", program.configuration], deadline: 60)
    }

    private func leads(_ program: RunningProgram) async throws {
        try await eventually("it leads", within: 40) {
            [201, 409].contains(try await program.call("POST", "/api/users", #"{"name":"probe"}"#).status)
        }
    }

    private func copyRow(_ connection: RedisConnection, from name: String, to other: String) async throws {
        let row = try #require(try await connection.command(["HGET", "sallyport:users", name]).text)
        try await connection.command(["HSET", "sallyport:users", other, row.replacing(name, with: other)])
    }

    @Test func `what somebody has written is adopted or dropped row by row, while no controller runs`() async throws {
        let redis = try await OwnRedis()
        let connection = RedisConnection(address: .unix(path: redis.socket))
        let program = try RunningProgram(redis: redis.socket)
        let partner = try RunningProgram(redis: redis.socket, partner: program)
        try await RunningProgram.with([program]) {
            try await leads(program)
            #expect(try await program.call("POST", "/api/users", #"{"name":"alice"}"#).status == 201)
            for name in ["bob", "carol", "mallory"] { try await copyRow(connection, from: "alice", to: name) }
            for words in [["adopt", "users/bob"], ["adopt", "--all"], ["drop", "users/mallory"], ["rotate"], ["rotate", "--finish"]] {
                let own = try await Programs.run(
                    Repository.built("sallyport"), ["store"] + words + ["--config", program.configuration], deadline: 60)
                #expect(
                    own.status != 0 && own.output.contains("a controller runs on") && own.output.contains("stop it first"), "\(own.output)")
                // Nor from the folder of another controller of this store.
                let other = try await Programs.run(
                    Repository.built("sallyport"), ["store"] + words + ["--config", partner.configuration], deadline: 60)
                #expect(other.status != 0 && other.output.contains("leads on this store"), "\(other.output)")
            }
            #expect(try await store(program, "check").output.contains("users/mallory carries no code"))
            try await program.crash()

            #expect(try await store(program, "adopt").status != 0, "it wants rows, or --all")
            let adopted = try await store(program, "adopt", "users/bob")
            #expect(adopted.status == 0 && adopted.output.contains("users/bob is valid now") && !adopted.output.contains("mallory"))
            // A row that counts is not dropped, nor one that is not there.
            let dropped = try await store(program, "drop", "users/mallory", "users/alice", "users/nobody")
            #expect(dropped.status != 0 && dropped.output.contains("users/mallory is removed"))
            #expect(dropped.output.contains("users/alice does not exist, or is valid, and stays"), "\(dropped.output)")
            #expect(
                try await connection.command(["HKEYS", "sallyport:users"]).list?.compactMap(\.text).sorted() == [
                    "alice", "bob", "carol", "probe",
                ])
            let check = try await store(program, "check")
            #expect(check.output.contains("users/carol") && !check.output.contains("users/bob"), "\(check.output)")

            try await program.start()
            try await leads(program)
            let users = try await program.call("GET", "/api/users").text
            #expect(users.contains("alice") && users.contains("bob") && !users.contains("carol") && !users.contains("mallory"))
            #expect(try await program.call("DELETE", "/api/users/bob").status == 204)
            try await program.crash()
            #expect(try await store(program, "adopt", "--all").output.contains("users/carol is valid now"))
            #expect(try await store(program, "check").status == 0)
            try await program.start()
            try await leads(program)
            #expect(try await program.call("GET", "/api/users").text.contains("carol"))
        }
        await connection.close()
        try await redis.stop()
    }

    @Test func `adopting one row gives no lost row of another table up`() async throws {
        let redis = try await OwnRedis()
        let connection = RedisConnection(address: .unix(path: redis.socket))
        try await connection.command(["HSET", "sallyport:pools", "DE", #"{"country":"DE","size":0,"strategy":"load"}"#])
        let program = try RunningProgram(redis: redis.socket)
        try await RunningProgram.with([program]) {
            try await leads(program)
            #expect(try await program.call("POST", "/api/users", #"{"name":"alice"}"#).status == 201)
            try await program.crash()
            for name in try Files.list("\(program.folder.path)/d") where name.hasPrefix("copy-") {
                Files.remove("\(program.folder.path)/d/\(name)")
            }
            try await copyRow(connection, from: "alice", to: "bob")
            try await connection.command(["HDEL", "sallyport:pools", "DE"])
            #expect(try await store(program, "adopt", "users/bob").status == 0)
            #expect(try await store(program, "check").output.contains("pools/DE is gone, and nobody has removed it"))
            try await program.start()
            try await eventually("it holds, and says why", within: 30) {
                let ready = try await program.call("GET", "/health/ready").text
                return ready.contains("sallyport:pools is gone") && ready.contains("nothing is planned or removed")
            }
            try await program.crash()
            #expect(try await store(program, "adopt", "--all").status == 0)
            try await program.start()
            try await leads(program)
            #expect(try await program.call("GET", "/api/users").text.contains("bob"))
        }
        await connection.close()
        try await redis.stop()
    }

    @Test func `the root key is changed, and whoever has only the old one is told`() async throws {
        let redis = try await OwnRedis()
        let connection = RedisConnection(address: .unix(path: redis.socket))
        let program = try RunningProgram(redis: redis.socket)
        let late = try RunningProgram(redis: redis.socket)
        try await RunningProgram.with([program]) {
            try await leads(program)
            #expect(try await program.call("POST", "/api/users", #"{"name":"alice"}"#).status == 201)
            let hook = try await program.call("POST", "/api/webhooks", #"{"url":"https://receiver.example/hook"}"#)
            #expect(hook.status == 201, "\(hook.text)")
            let key = try await program.call("POST", "/api/auth/keys", #"{"name":"ci","role":"viewer"}"#)
            #expect(key.status == 201, "\(key.text)")
            try await copyRow(connection, from: "alice", to: "mallory")
            try await program.crash()
            let old = try Files.read(program.rootKeyFile)
            try Files.write(old, to: late.rootKeyFile, mode: 0o600)
            let id = RootKey(text: Secret(old.filter { !$0.isWhitespace })).id
            let rotated = try await store(program, "rotate")
            #expect(rotated.status == 0 && rotated.output.contains("--finish"), "\(rotated.output)")
            #expect(try Files.read(program.rootKeyFile).split(separator: "\n").count == 2)
            #expect(try await Programs.run("stat", ["-c", "%a", program.rootKeyFile]).output.hasPrefix("600"))

            func isWhole() async throws {
                try await leads(program)
                let users = try await program.call("GET", "/api/users").text
                #expect(users.contains("alice") && !users.contains("mallory"))
                #expect(try await program.call("GET", "/api/webhooks").text.contains("receiver.example"))
                #expect(try await program.call("GET", "/api/auth/keys").text.contains(#""ci""#))
                let audit = try await program.ask("audit", "verify")
                #expect(audit.status == 0, "\(audit.output)")
            }
            try await program.start()
            try await isWhole()
            try await program.crash()
            let finished = try await store(program, "rotate", "--finish")
            #expect(finished.status == 0, "\(finished.output)")
            #expect(try Files.read(program.rootKeyFile).split(separator: "\n").count == 1)
            for table in SignedTable.allCases.map({ "sallyport:\($0.rawValue)" }) {
                for name in [table, "\(table):signed"] {
                    let texts = try await connection.command(["HGETALL", name]).list?.compactMap(\.text) ?? []
                    #expect(!texts.contains { $0.contains(id) }, "\(name) has nothing of the old key")
                }
            }
            try await program.start()
            try await isWhole()
            // One that was away has the old file.
            try await late.start()
            try await eventually("it is told", within: 40) {
                let ready = try await late.call("GET", "/health/ready").text
                return ready.contains("root_key_file holds \(id)") && ready.contains("copy the file")
            }
            #expect(try await late.call("POST", "/api/users", #"{"name":"bob"}"#).status == 503)
            try await late.crash()
        }
        await connection.close()
        try await redis.stop()
    }
}
