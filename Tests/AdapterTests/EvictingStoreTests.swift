import HTTPTransport
import Model
import Platform
@testable import RedisStore
import TestSupport
import Testing

/// A Redis that may throw keys away, or has.
@Suite(.serialized, .timeLimit(.minutes(3))) struct EvictingStoreTests {
    @Test(arguments: ["allkeys-lru", "allkeys-random", "volatile-lru", "volatile-ttl", "noeviction"])
    func `a policy that throws keys away counts where memory has a limit`(policy: String) async throws {
        try await withRedis { _, _, connection in
            let (store, alertReporter) = (Store(connection: connection, prefix: "test"), AlertReporter())
            try await connection.command(["CONFIG", "SET", "maxmemory-policy", policy])
            try await connection.command(["ACL", "SETUSER", "default", "-config"])
            await store.checkPolicy(alertReporter)
            #expect(alertReporter.alerts.isEmpty)
            try await connection.command(["ACL", "SETUSER", "default", "+config"])
            try await connection.command(["CONFIG", "SET", "maxmemory", "100mb"])
            try await connection.command(["ACL", "SETUSER", "default", "-config"])
            await store.checkPolicy(alertReporter)
            let alert = alertReporter.alerts.first
            #expect((alert == nil) == (policy == "noeviction"))
            #expect(alert.map { $0.message.hasSuffix(policy) && $0.remedy.contains("CONFIG SET maxmemory-policy noeviction") } ?? true)
            try await connection.command(["ACL", "SETUSER", "default", "+config"])
            try await connection.command(["CONFIG", "SET", "maxmemory-policy", "noeviction"])
            await store.checkPolicy(alertReporter)
            #expect(alertReporter.alerts.isEmpty)
        }
    }

    @Test(.enabled(if: RunningProgram.isBuilt, "there is no .build/debug/sallyport"))
    func `a Redis that begins to evict is told, and what it forgets is written back`() async throws {
        let redis = try await OwnRedis()
        let connection = RedisConnection(address: .unix(path: redis.socket))
        try await connection.command(["HSET", "sallyport:pools", "US", #"{"country":"US","size":1,"strategy":"load"}"#])
        let program = try RunningProgram(redis: redis.socket)
        try await RunningProgram.with([program]) {
            // One that evicts already is refused.
            try await connection.command(["CONFIG", "SET", "maxmemory", "100mb"])
            try await connection.command(["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"])
            try await eventually("it is told", within: 30) { try await program.call("GET", "/api/alerts").text.contains("store_policy") }
            #expect(try await program.call("POST", "/api/users", #"{"name":"alice"}"#).status == 201)
            try await connection.command(["DEL", "sallyport:users", "sallyport:pools", "sallyport:trust"])
            try await eventually("all is back", within: 20) {
                try await connection.command(["EXISTS"] + ["users", "pools", "trust"].map { "sallyport:\($0)" }).integer == 3
            }
            try await eventually("that is told", within: 20) {
                let alerts = try await program.call("GET", "/api/alerts").text
                return ["users", "pools"].allSatisfy { alerts.contains("store/\($0)") } && alerts.contains("written back")
            }
            try await connection.command(["CONFIG", "SET", "maxmemory-policy", "noeviction"])
            try await eventually("it is over", within: 30) { try await !program.call("GET", "/api/alerts").text.contains("store_policy") }
            #expect(program.log.split(separator: "alert store_policy: ").count == 2)
            try await program.crash()
            try await program.start()
            try await eventually("it has all of it", within: 20) {
                let (users, pools) = try await (program.call("GET", "/api/users").text, program.call("GET", "/api/pools").text)
                return users.contains("alice") && pools.contains("US")
            }
        }
        await connection.close()
        try await redis.stop()
    }
}
