@testable import API
@testable import AccessControl
import Model
import Platform
@testable import RedisStore
import TestSupport
import Testing
@testable import sallyport

/// What two controllers know of browsers' sessions in one real Redis.
@Suite(.timeLimit(.minutes(1))) struct SharedSessionTests {
    private static let key = APIKey(name: "ops", role: .operator, digest: Digest.sha256("ops"))
    private static let root = RootKey(text: Secret(String(repeating: "ab", count: 32)))

    private func session(_ id: String, createdAt: Timestamp = SystemClock.now()) -> Session {
        Session(id: id, digest: Digest.sha256(id), key: Self.key, createdAt: createdAt, address: "192.0.2.7", userAgent: "a browser")
    }

    private func table(_ connection: RedisConnection, limits: Session.Limits = Session.Limits()) -> SessionTable {
        let store = RedisSessions(
            store: APIStore(connection: connection, prefix: "test"), authenticator: Authenticator(Self.root, purpose: RedisSessions.purpose)
        )
        return SessionTable(keys: KeyRing([Self.key]), store: store) { limits }
    }

    @Test func `a session that one controller makes or ends is the other's too, and after a restart`() async throws {
        try await withRedis { _, _, connection in
            let (one, other) = (table(connection), table(connection))
            try await other.refresh()
            try await one.add(session("s1"))
            try await one.add(session("s2"))
            let digest = Digest.sha256("s1")
            #expect(other.found(digest) == nil)
            try await other.refresh()
            #expect(other.found(digest)?.key.name == "ops" && other.found(digest)?.session.address == "192.0.2.7")
            try await other.remove(["s1"])
            #expect(one.found(digest) != nil)
            try await one.refresh()
            #expect(one.found(digest) == nil)
            let later = table(connection)
            try await later.refresh()
            #expect(later.open().map(\.session.id) == ["s2"])
        }
    }

    @Test func `a row that no controller has written makes no session, and no row has the token`() async throws {
        try await withRedis { _, _, connection in
            let one = table(connection)
            try await one.add(session("s1"))
            let row = try #require(try await connection.command(["HGET", "test:api:sessions", "s1"]).text)
            #expect(row.contains(Digest.sha256("s1")))
            let forged = row.replacing(Digest.sha256("s1"), with: Digest.sha256("mine"))
            try await connection.command(["HSET", "test:api:sessions", "s1", forged, "s2", row, "s3", "x {}"])
            try await connection.command(["INCR", "test:api:sessions:revision"])
            let other = table(connection)
            try await other.refresh()
            #expect(other.open().isEmpty && other.found(Digest.sha256("mine")) == nil)
            try await one.refresh()
            #expect(one.open().isEmpty)
        }
    }

    @Test func `one that has ended is removed, and what was used is not idle at any controller`() async throws {
        try await withRedis { _, _, connection in
            let limits = Session.Limits(seconds: 86_400, idleSeconds: 3600)
            let begin = SystemClock.now() + -7200
            let (one, other) = (table(connection, limits: limits), table(connection, limits: limits))
            for id in ["s1", "s2"] { try await one.add(session(id, createdAt: begin)) }
            let store = RedisSessions(
                store: APIStore(connection: connection, prefix: "test"),
                authenticator: Authenticator(Self.root, purpose: RedisSessions.purpose))
            try await store.noteSessionUse(["s1": SystemClock.now()])
            try await other.refresh()
            #expect(other.open().map(\.session.id) == ["s1"])
            #expect(try await connection.command(["HKEYS", "test:api:sessions"]).list?.compactMap(\.text) == ["s1"])
        }
    }

    @Test func `while Redis is away those who are known go on, and nobody signs in or out`() async throws {
        try await withRedis { redis, _, connection in
            let one = table(connection)
            try await one.add(session("s1"))
            try await redis.stop()
            await #expect(throws: RedisError.self) { try await one.add(session("s2")) }
            await #expect(throws: RedisError.self) { try await one.remove(["s1"]) }
            await #expect(throws: RedisError.self) { try await one.refresh() }
            #expect(one.open().map(\.session.id) == ["s1"] && one.goesOn("s1"))
        }
    }

    @Test func `a code is taken by one of two controllers`() async throws {
        try await withRedis { _, _, connection in
            let store = APIStore(connection: connection, prefix: "test")
            let both = (0..<2).map { _ in SignInCodes(Authenticator(Self.root, purpose: SignInCodes.purpose), memory: store) }
            let code = both[0].make(for: Self.key).code
            #expect(try await both[1].take(code)?.keyID == Self.key.id)
            #expect(try await both[0].take(code) == nil)
            let kept = try await connection.command(["KEYS", "test:api:code:*"]).list ?? []
            #expect(kept.count == 1 && !(kept.first?.text ?? "").contains(code))
        }
    }
}
