@testable import API
@testable import AccessControl
@testable import AuditLog
import HTTPServing
import Model
import Platform
@testable import RedisStore
import RequestPipeline
@testable import RequestPipeline
import Synchronization
import TestSupport
import Testing
@testable import sallyport

/// What two controllers' APIs have together in one real Redis.
@Suite(.timeLimit(.minutes(1))) struct SharedAPITests {
    @Test func `limits count what both let in`() async throws {
        try await withRedis { _, _, connection in
            let store = APIStore(connection: connection, prefix: "test")
            let both = [RateLimiter { 1000 }, RateLimiter { 1000 }]
            for limiter in both { for _ in 0..<4 { #expect(limiter.take("a", limit: 10, window: 100).isAllowed) } }
            // The second hears of the first at once, the first when it is asked again.
            for limiter in both { try await limiter.share(with: store, window: 100) }
            #expect(both.map { $0.used("a", window: 100) } == [4, 8])
            for limiter in both { _ = limiter.take("a", limit: 10, window: 100, counts: false) }
            for limiter in both { try await limiter.share(with: store, window: 100) }
            #expect(both.map { $0.used("a", window: 100) } == [8, 8])
        }
    }

    /// One who has the store changes it; whatever it is, the chain shows it.
    @Test(arguments: ["removed", "altered", "hashed anew", "moved", "cut off", "cut off with its head"])
    func `two controllers write one chain, and what is changed in Redis is found`(change: String) async throws {
        try await withRedis { _, _, connection in
            let store = APIStore(connection: connection, prefix: "test")
            let audits = [AuditLog(store: store, log: .none), AuditLog(store: store, log: .none)]
            let running = audits.map { audit in Task { await audit.run() } }
            defer { running.forEach { $0.cancel() } }
            await withTaskGroup(of: Void.self) { group in
                for audit in audits {
                    group.addTask { for number in 0..<10 { await audit.recordNow(AuditEntry(.change, "act \(number)")) } }
                }
            }
            // Each knows the head that it has seen last, and only one has written the last entry.
            for audit in audits {
                let before = try await audit.verify()
                #expect(before.problems == [] && before.count == 20)
            }
            let noted = try #require(try await audits[0].verify().head)
            // Nobody may find it out before we ask.
            for task in running {
                task.cancel()
                await task.value
            }

            var lines = try await store.auditLines(after: 0, limit: 100)
            switch change {
            case "removed": lines.remove(at: 7)
            case "altered": lines[7].text = lines[7].text.replacing("act", with: "fig")
            case "hashed anew":
                lines[7].text = lines[7].text.replacing("act", with: "fig")
                lines[7].hash = AuditChain.hash(of: lines[7].text)
            case "moved":
                (lines[7].text, lines[8].text, lines[7].hash, lines[8].hash) = (lines[8].text, lines[7].text, lines[8].hash, lines[7].hash)
            default: lines.removeLast()
            }
            try await connection.transaction(
                [["DEL", "test:audit"]]
                    + lines.map { ["XADD", "test:audit", "\($0.seq)-0", "entry", $0.text, "hash", $0.hash] })
            if change == "cut off with its head", let last = lines.last {
                // One who has just come can't tell, but for a head that was noted somewhere else.
                try await connection.command(["SET", "test:audit:head", "\(last.seq) \(last.hash)"])
                let stranger = AuditLog(store: store, log: .none)
                #expect(try await stranger.verify().problems == [])
                #expect(try await stranger.verify(expecting: [noted]).problems != [])
                #expect(try await audits[1].verify().problems != [])
            } else {
                let found = try await audits[1].verify().problems
                #expect(found != [], "\(change)")
            }
        }
    }

    @Test func `a setting that one controller changes counts at the other, and after a restart`() async throws {
        try await withRedis { redis, _, connection in
            let store = APIStore(connection: connection, prefix: "test")
            func values() -> LiveSettings {
                LiveSettings(
                    LiveValues(serving: RequestSettings(), retentionDays: 365), audit: AuditLog(store: MemoryAuditStore(), log: .none))
            }
            try await store.save(settings: ["requests": "70000", "log_requests": "false"])
            let other = values()
            #expect(other.take(try await store.settings(), edition: 0) == [])
            #expect(other.values.serving.requests == 70_000 && !other.values.serving.logsRequests)
            // What was asked for before a change here comes too late.
            let late = try await store.settings()
            other.change([.requests: .integer(5)])
            #expect(other.take(late, edition: 0) == nil && other.values.serving.requests == 5)
            try await store.save(settings: ["requests": nil])
            try await redis.stop()
            #expect(try await redis.start())
            let later = values()
            // The connection of before is broken, which the first command finds out.
            let stored = try await eventually("it is read again", within: 30) { try? await store.settings() }
            #expect(later.take(stored, edition: 0) == [])
            #expect(later.values.serving.requests == 6000 && !later.values.serving.logsRequests)
        }
    }

    @Test func `what one controller has done for an Idempotency-Key the other does not do again, and tells no secret`() async throws {
        try await withRedis { _, _, connection in
            let store = APIStore(connection: connection, prefix: "test")
            let both = [Idempotency(shared: store), Idempotency(shared: store)]
            let count = Mutex(0)
            func post(_ idempotency: Idempotency, _ body: String, _ name: String = "one") async -> ServerResponse {
                let head = RequestHead(method: "POST", path: ["api", "webhooks"], headers: ["idempotency-key": name])
                let request = ServerRequest(head: head, body: Array(body.utf8), id: "r")
                return await idempotency.answer(RequestContext(request, RequestAnalysis(head), settings: .init()), isSecret: true) {
                    count.withLock { $0 += 1 }
                    return .json(["id": "w1", "secret": "hush-hush"], status: 201, headers: [("Location", "/api/webhooks/w1")])
                }
            }
            #expect(await post(both[0], "a").body == Array(#"{"id":"w1","secret":"hush-hush"}"#.utf8))
            let other = await post(both[1], "a")
            #expect(other.status == 201 && other.body == Array(#"{"id":"w1"}"#.utf8))
            #expect(other.headers.contains { $0 == ("Location", "/api/webhooks/w1") })
            #expect(await post(both[0], "a").body == Array(#"{"id":"w1","secret":"hush-hush"}"#.utf8))
            #expect(await post(both[1], "b").status == 409)
            #expect(count.withLock { $0 } == 1)
            let keys = try await connection.command(["KEYS", "test:api:idempotency:*"]).list ?? []
            #expect(keys.count == 1)
            for key in keys {
                let kept = try await connection.command(["GET", key.text ?? ""]).text ?? ""
                #expect(kept.contains("fingerprint") && !kept.contains("hush"))
            }
        }
    }

    @Test func `while one controller does it, the same request waits at every other, and what failed is done again`() async throws {
        try await withRedis { _, _, connection in
            let store = APIStore(connection: connection, prefix: "test")
            let both = [Idempotency(shared: store), Idempotency(shared: store)]
            let (gate, open) = AsyncStream<Void>.makeStream()
            let (began, begin) = AsyncStream<Void>.makeStream()
            let head = RequestHead(method: "POST", path: ["api", "exits"], headers: ["idempotency-key": "one"])
            let context = RequestContext(ServerRequest(head: head, id: "r"), RequestAnalysis(head), settings: .init())
            let first = Task {
                await both[0].answer(context, isSecret: false) {
                    begin.finish()
                    for await _ in gate {}
                    return ServerResponse(status: 503)
                }
            }
            for await _ in began {}
            for idempotency in both {
                let refused = await idempotency.answer(context, isSecret: false) { ServerResponse(status: 202) }
                #expect(refused.status == 409 && refused.headers.contains { $0 == ("Retry-After", "1") })
            }
            open.finish()
            #expect(await first.value.status == 503)
            #expect(await both[1].answer(context, isSecret: false) { ServerResponse(status: 202) }.status == 202)
            let replayed = await both[0].answer(context, isSecret: false) { ServerResponse(status: 500) }
            #expect(replayed.status == 202 && replayed.headers.contains { $0 == (Idempotency.replayed, "true") })
        }
    }

    @Test func `a key that one controller revokes is gone at the other`() async throws {
        try await withRedis { _, _, connection in
            let store = APIStore(connection: connection, prefix: "test")
            let key = APIKey(id: "k1", name: "one", role: .viewer, digest: Digest.sha256("s"), createdAt: SystemClock.now())
            try await store.save(key)
            let other = KeyRing([])
            other.replaceStored(try await store.keys().keys)
            #expect(other.key("k1") != nil)
            try await store.removeKey("k1")
            other.replaceStored(try await store.keys().keys)
            #expect(other.key("k1") == nil)
        }
    }
}
