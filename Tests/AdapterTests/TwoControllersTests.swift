@testable import API
@testable import AccessControl
@testable import AuditLog
import HTTPServing
import Model
import Platform
@testable import RedisStore
import TestSupport
import Testing
@testable import sallyport

/// What two APIs on one Redis know together.
@Suite(.timeLimit(.minutes(1))) struct TwoControllersTests {
    private func withRedis(_ body: (PrivateRedis) async throws -> Void) async throws {
        let folder = try TemporaryFolder()
        let redis = PrivateRedis(folder: "\(folder.path)/redis")
        _ = try await redis.start()
        do { try await body(redis) } catch {
            try? await redis.stop()
            throw error
        }
        try await redis.stop()
    }

    private func store(_ redis: PrivateRedis) -> APIStore {
        APIStore(connection: RedisConnection(address: .unix(path: redis.socket)), prefix: "test")
    }

    @Test func `a limit that is used up at one is used up at the other`() async throws {
        try await withRedis { redis in
            let now = 1_000_000.0
            let (one, other) = (RateLimiter { now }, RateLimiter { now })
            let (a, b) = (store(redis), store(redis))
            for _ in 0..<4 { #expect(one.take("a", limit: 6, window: 60).isAllowed) }
            #expect(other.take("a", limit: 6, window: 60).remaining == 5)
            try await one.share(with: a, window: 60)
            try await other.share(with: b, window: 60)
            #expect(other.take("a", limit: 6, window: 60).remaining == 0)
            #expect(!other.take("a", limit: 6, window: 60).isAllowed)
            try await other.share(with: b, window: 60)
            _ = one.take("a", limit: 6, window: 60)
            try await one.share(with: a, window: 60)
            #expect(!one.take("a", limit: 6, window: 60).isAllowed)
            // Cleared at one, it is cleared at the other when that tells its own the next time.
            try await a.remove(one.clear(["a"], window: 60))
            #expect(!other.take("a", limit: 6, window: 60).isAllowed)
            try await other.share(with: b, window: 60)
            #expect(one.take("a", limit: 6, window: 60).isAllowed && other.take("a", limit: 6, window: 60).isAllowed)
        }
    }

    @Test func `limits count here while the store is away, and together again when it is back`() async throws {
        try await withRedis { redis in
            let limiter = RateLimiter { 1_000_000.0 }
            let store = store(redis)
            for _ in 0..<3 { _ = limiter.take("a", limit: 6, window: 60) }
            try await redis.stop()
            await #expect(throws: RedisError.self) { try await limiter.share(with: store, window: 60) }
            #expect(limiter.take("a", limit: 6, window: 60).remaining == 2)
            _ = try await redis.start()
            try await limiter.share(with: store, window: 60)
            #expect(try await self.store(redis).add([("limit:a:16666", 0)], seconds: 60) == [4])
        }
    }

    @Test func `audit entries of both make one chain, which finds what is altered in Redis`() async throws {
        try await withRedis { redis in
            let audits = [store(redis), store(redis)].map { AuditLog(store: $0, log: .none) }
            let running = audits.map { audit in Task { await audit.run() } }
            await withTaskGroup(of: Void.self) { group in
                for audit in audits { group.addTask { for number in 0..<50 { await audit.recordNow(AuditEntry(.change, "\(number)")) } } }
            }
            let whole = try await audits[0].verify()
            #expect(whole.count == 100 && whole.problems == [])
            let raw = RedisConnection(address: .unix(path: redis.socket))
            try await raw.command(["XDEL", "test:audit", "40-0"])
            #expect(try await audits[1].verify().problems.first == "entries 40 to 40 are missing")
            try await raw.command(["XDEL", "test:audit", "100-0"])
            #expect(try await audits[1].verify().problems.contains { $0.contains("100") })
            await raw.close()
            for task in running { task.cancel() }
        }
    }

    @Test func `audit entries wait while the store is away`() async throws {
        try await withRedis { redis in
            let audit = AuditLog(store: store(redis), log: .none)
            let running = Task { await audit.run() }
            try await redis.stop()
            await audit.recordNow(AuditEntry(.change, "while it was away"))
            #expect(audit.figures.pending == 1)
            _ = try await redis.start()
            try await eventually("it is written") { audit.figures.pending == 0 }
            #expect(try await audit.verify().count == 1)
            running.cancel()
        }
    }

    @Test func `a key that one makes is known to the other, and gone when it is revoked`() async throws {
        try await withRedis { redis in
            let store = store(redis)
            let key = APIKey(
                id: "k1", name: "one", role: .viewer, digest: Digest.sha256("x"), createdAt: Timestamp(milliseconds: 1_000),
                expiresAt: Timestamp(milliseconds: 2_000))
            try await store.save(key)
            try await store.noteUse(["k1": Timestamp(milliseconds: 1_500)])
            let seen = try await self.store(redis).keys()
            #expect(seen.keys == [key] && seen.used == ["k1": Timestamp(milliseconds: 1_500)])
            try await store.removeKey("k1")
            #expect(try await self.store(redis).keys().keys.isEmpty)
        }
    }

    @Test func `a request with an idempotency key belongs to whoever claims it first`() async throws {
        try await withRedis { redis in
            let (a, b) = (store(redis), store(redis))
            #expect(try await a.claim("idempotency:x", "one", seconds: 60) == nil)
            #expect(try await b.claim("idempotency:x", "two", seconds: 60) == "one")
            try await a.put("idempotency:x", "done", seconds: 60)
            #expect(try await b.claim("idempotency:x", "two", seconds: 60) == "done")
            try await b.remove(["idempotency:x"])
            #expect(try await b.claim("idempotency:x", "two", seconds: 60) == nil)
        }
    }
}
