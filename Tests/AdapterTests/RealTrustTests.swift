import FoundationEssentials
import HTTPTransport
import Model
import Platform
@testable import RedisStore
import TestSupport
import Testing

/// Real programs, and somebody who may write to their Redis.
@Suite(.serialized, .timeLimit(.minutes(3)), .enabled(if: RunningProgram.isBuilt, "there is no .build/debug/sallyport"))
struct RealTrustTests {
    private let secret = "an-admin-key-that-somebody-has-made-up-by-hand"

    private func forged() -> String {
        #"{"id":"k0","name":"mallory","role":"admin","digest":"\#(Digest.sha256(secret))","createdAt":"2026-01-01T00:00:00Z","isConfigured":false}"#
    }

    private func status(_ program: RunningProgram) async throws -> Int {
        let client = HTTPClient()
        defer { client.close() }
        return try await client.send(
            HTTPRequest("GET", "http://127.0.0.1:\(program.port)/api/exits", headers: [("X-API-Key", secret)])
        ).status
    }

    @Test func `whoever may write to Redis is nobody, and is told of`() async throws {
        let redis = try await OwnRedis()
        let connection = RedisConnection(address: .unix(path: redis.socket))
        // The store of the version before: the first start takes it as it is.
        try await connection.command(["HSET", "sallyport:pools", "DE", #"{"country":"DE","size":0,"strategy":"load"}"#])
        let program = try RunningProgram(redis: redis.socket)
        try await RunningProgram.with([program]) {
            try await eventually("the store is signed", within: 30) {
                try await program.call("GET", "/audit/logs?kind=system").text.contains("was signed as it is, for the first time")
            }
            #expect(try await program.call("GET", "/api/pools").text.contains(#""DE""#))
            #expect(try await program.call("POST", "/api/users", #"{"name":"alice"}"#).status == 201)
            try await connection.command(["HSET", "sallyport:api:keys", "k0", forged()])
            let user = try #require(try await connection.command(["HGET", "sallyport:users", "alice"]).text)
            try await connection.command(["HSET", "sallyport:users", "mallory", user.replacing("alice", with: "mallory")])
            try await eventually("it is told", within: 30) {
                let alerts = try await program.call("GET", "/api/alerts").text
                return alerts.contains("store/api:keys") && alerts.contains("store/users")
            }
            #expect(try await status(program) == 401)
            #expect(program.log.contains("a row of the store is not used"))
            #expect(try await program.call("GET", "/metrics").text.contains(#"sallyport_store_rows_refused{table="users"} 1"#))
            #expect(
                try await program.sallyport("store", "drop", "users/mallory", "--config", program.configuration).output.contains(
                    "stop it first"))
            let check = try await program.sallyport("store", "check", "--config", program.configuration)
            #expect(check.status == 1 && check.output.contains("users/mallory"), "\(check.output)")

            // Also after a restart.
            try await program.crash()
            try await program.start()
            #expect(try await status(program) == 401)
            #expect(try await !program.call("GET", "/api/users").text.contains("mallory"))
            #expect(try await program.call("GET", "/api/users").text.contains("alice"))
        }
        await connection.close()
        try await redis.stop()
    }

    @Test func `a first start on an empty store warns of nothing`() async throws {
        let redis = try await OwnRedis()
        let program = try RunningProgram(redis: redis.socket)
        try await RunningProgram.with([program]) {
            try await eventually("it leads", within: 30) {
                try await program.call("POST", "/api/users", #"{"name":"alice"}"#).status == 201
            }
            let connection = RedisConnection(address: .unix(path: redis.socket))
            #expect(try await connection.command(["EXISTS", "sallyport:trust"]).integer == 1)
            await connection.close()
            #expect(!program.log.contains("was signed as it is"))
            #expect(try await !program.call("GET", "/audit/logs?kind=system").text.contains("was signed"))
        }
        try await redis.stop()
    }

    @Test func `a controller with another root key changes nothing, and says which setting is wrong`() async throws {
        let redis = try await OwnRedis()
        let (first, stranger) = (try RunningProgram(redis: redis.socket), try RunningProgram(redis: redis.socket))
        try await RunningProgram.with([first, stranger]) {
            try await eventually("it is told", within: 30) {
                let body = try await stranger.call("GET", "/health/ready").text
                return body.contains("root_key_file") && body.contains("is signed with the root key")
            }
            #expect(try await stranger.call("POST", "/api/users", #"{"name":"mallory"}"#).status == 503)
            #expect(try await first.call("POST", "/api/users", #"{"name":"alice"}"#).status == 201)
        }
        try await redis.stop()
    }
}
