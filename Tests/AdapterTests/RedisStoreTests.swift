import Glibc
import Model
import Planning
import Platform
@testable import RedisStore
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct RedisStoreTests {
    private let now = SystemClock.now()

    private func exit(_ number: Int) -> Exit {
        var exit = Exit(id: ExitID(country: us, number: number), slot: number, now: now)
        exit.generation = 3
        exit.state = .serving
        exit.reason = .rotated
        exit.detail = "a sentence with \"quotes\", a line\nbreak and é"
        exit.server = Server(
            provider: .nordvpn, hostname: "us\(number)", address: "198.18.1.\(number)", port: 51820, publicKey: "k", country: us,
            city: "São Paulo",
            load: 7, latencyMilliseconds: 1.25)
        exit.container = "c"
        exit.endpoint = Endpoint(address: "172.31.0.2", port: 3128)
        exit.proof.address = "198.18.1.1"
        exit.proof.country = us
        exit.health = Health(
            verdict: .degraded, reason: .blackhole, latencyMilliseconds: 2.5, successRate: 0.95, failures: 1, checkedAt: now)
        exit.attempts = 2
        exit.retryAt = now + 5
        exit.avoid = [AvoidedServer(hostname: "us7", until: Timestamp(milliseconds: 7))]
        exit.leaving = true
        return exit
    }

    @Test func `one controller at a time has the right to fetch, and nobody keeps it for ever`() async throws {
        try await withRedis { redis, _, connection in
            let store = Store(connection: connection, prefix: "test")
            #expect(try await store.beginFetch(of: .nordvpn, right: "mine", seconds: 60))
            #expect(try await !store.beginFetch(of: .nordvpn, right: "yours", seconds: 60))
            #expect(try await store.beginFetch(of: .mullvad, right: "yours", seconds: 60))
            // Only its owner gives it back.
            try await store.endFetch(of: .nordvpn, right: "yours")
            #expect(try await !store.beginFetch(of: .nordvpn, right: "yours", seconds: 60))
            try await store.endFetch(of: .nordvpn, right: "mine")
            #expect(try await store.beginFetch(of: .nordvpn, right: "yours", seconds: 1))
            try await eventually("the right ends by itself") { try await store.beginFetch(of: .nordvpn, right: "mine", seconds: 60) }
        }
    }

    @Test func `a word goes to Redis byte for byte, with a NUL in it or empty`() async throws {
        try await withRedis { redis, _, connection in
            for word in ["a\0b", "", "\0", "é\r\n"] {
                _ = try await connection.command(["SET", "test:word", word])
                #expect(try await connection.command(["STRLEN", "test:word"]).integer == word.utf8.count)
                #expect(try await connection.command(["GET", "test:word"]).text == word)
            }
        }
    }

    @Test func `a list is stored with the time of its fetch`() async throws {
        try await withRedis { redis, _, connection in
            let store = Store(connection: connection, prefix: "test")
            #expect(try await store.fetchTime(of: .nordvpn) == nil)
            try await store.saveListing("{}", fetchedAt: now, of: .nordvpn)
            #expect(try await store.fetchTime(of: .nordvpn) == now)
            #expect(try await store.listing(of: .nordvpn) == "{}")
            try await store.saveFetchBreaker("{}", of: .nordvpn)
            #expect(try await store.fetchBreaker(of: .nordvpn) == "{}")
            #expect(try await store.fetchBreaker(of: .mullvad) == nil)
            try await store.saveFetchBreaker(nil, of: .nordvpn)
            #expect(try await store.fetchBreaker(of: .nordvpn) == nil)
        }
    }

    @Test func `pools, exits and users come back as they were saved`() async throws {
        try await withRedis { redis, _, connection in
            let store = Store(connection: connection, prefix: "test")
            let pools = [Pool(country: us, size: 3, provider: .nordvpn, city: "Dallas", strategy: .random), Pool(country: de, size: 1)]
            let users = ["bob", "alice"].map { ProxyUser(name: $0, salt: "0a", digest: "1b", createdAt: now) }
            for pool in pools { try await store.save(pool) }
            for user in users { try await store.save(user) }
            try await store.save([exit(1), exit(2), exit(3)], removed: [])
            try await store.save([], removed: [exit(3).id])

            let other = RedisConnection(address: .unix(path: redis.socket))
            let state = try await Store(connection: other, prefix: "test").load()
            #expect(state.pools == [us: pools[0], de: pools[1]])
            #expect(state.exits == [exit(1).id: exit(1), exit(2).id: exit(2)])
            #expect(state.users.map(\.name) == ["alice", "bob"] && state.unreadable.isEmpty)
            #expect(try await Store(connection: other, prefix: "another").load().exits.isEmpty)
            try await store.removePool(de)
            try await store.removeUser("bob")
            let later = try await Store(connection: other, prefix: "test").load()
            #expect(later.pools.keys.sorted() == [us] && later.users.map(\.name) == ["alice"])
            await other.close()
        }
    }

    @Test func `entries that can't be read are told, and kept`() async throws {
        try await withRedis { _, _, connection in
            let store = Store(connection: connection, prefix: "test")
            try await store.save([exit(1)], removed: [])
            try await connection.command(["HSET", "test:exits", "us-2", "{\"id\":\"us-2\"}", "us-3", "garbage"])
            try await connection.command(["HSET", "test:pools", "XX", "{\"country\":\"XX\",\"size\":1,\"strategy\":\"load\"}"])
            let state = try await store.load()
            #expect(state.exits.keys.sorted() == [exit(1).id])
            #expect(state.unreadable.sorted() == ["exits/us-2", "exits/us-3", "pools/XX"])
            #expect(try await connection.command(["HLEN", "test:exits"]) == .integer(3))
        }
    }

    @Test func `a transaction is done whole or not at all`() async throws {
        try await withRedis { _, _, connection in
            let error = try await #require(throws: RedisError.self) {
                try await connection.transaction([["SET", "one", "1"], ["NOSUCHCOMMAND"], ["SET", "two", "2"]])
            }
            #expect(error.code == .refused && error.message.contains("unknown command"))
            #expect(try await connection.command(["DBSIZE"]) == .integer(0))
            let replies = try await connection.transaction([["SET", "one", "1"], ["GET", "one"], ["INCR", "one"]])
            #expect(replies == [.text("OK"), .text("1"), .integer(2)])
        }
    }

    @Test func `an error of one command leaves the connection good for the next`() async throws {
        try await withRedis { _, _, connection in
            try await connection.command(["SET", "text", "x"])
            let error = try await #require(throws: RedisError.self) {
                try await connection.transaction([["INCR", "text"], ["SET", "two", "2"]])
            }
            #expect(error.code == .refused && !error.isRetryable)
            #expect(try await connection.command(["GET", "two"]) == .text("2"))
            #expect(try await connection.command(["GET", "nothing"]) == .none)
        }
    }

    @Test func `a server that goes away is unavailable, and used again when it is back`() async throws {
        try await withRedis { redis, folder, connection in
            let store = Store(connection: connection, prefix: "test")
            try await store.save(Pool(country: us, size: 2))
            try await redis.stop()
            for _ in 0..<3 {
                let error = try await #require(throws: RedisError.self) { try await store.load() }
                #expect(error.code == .unavailable)
            }
            #expect(try await redis.start())
            #expect(try await store.load().pools[us]?.size == 2)
        }
    }

    @Test func `a server that hangs is unavailable within the deadline`() async throws {
        let folder = try TemporaryFolder()
        let server = try ScriptedServer(unix: "\(folder.path)/redis.sock") { $0.hang() }
        let connection = RedisConnection(address: .unix(path: "\(folder.path)/redis.sock"), deadline: 1)
        let start = ContinuousClock.now
        let error = try await #require(throws: RedisError.self) { try await connection.command(["PING"]) }
        #expect(error.code == .unavailable && ContinuousClock.now - start < .seconds(10))
        await connection.close()
        server.stop()
    }

    @Test func `many who wait for a server that hangs wait once, and are told so`() async throws {
        let folder = try TemporaryFolder()
        let server = try ScriptedServer(unix: "\(folder.path)/redis.sock") { $0.hang() }
        let connection = RedisConnection(address: .unix(path: "\(folder.path)/redis.sock"), deadline: 1)
        let errors = await withTaskGroup(of: RedisError?.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    do { try await connection.command(["PING"]) } catch { return error as? RedisError }
                    return nil
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(errors.count == 20 && errors.allSatisfy { $0?.message == "unix://\(folder.path)/redis.sock: no answer within 1 s" })
        #expect(server.count < 10, "each would have tried by itself")
        await connection.close()
        server.stop()
    }

    @Test func `events are read in their order from after an id on, and counted by kind`() async throws {
        try await withRedis { _, _, connection in
            let store = Store(connection: connection, prefix: "test")
            let events = (0..<5).map { number in
                Event(
                    at: Timestamp(milliseconds: Int64(number)), .exitServing, .info, "number \(number)", exit: exit(1).id, reason: .rotated)
            }
            try await store.append(events)
            let all = try await store.events(after: nil, limit: 10)
            #expect(all.map(\.event) == events && all.allSatisfy { StoredEvent.isValidID($0.id) })
            #expect(try await store.events(after: nil, limit: 2).map(\.event) == Array(events.suffix(2)), "the latest")
            #expect(try await store.events(after: all[1].id, limit: 2).map(\.event) == Array(events[2...3]))
            #expect(try await store.events(after: all[4].id, limit: 2).isEmpty)
            #expect(try await store.eventCounts() == ["exit.serving": 5])
        }
    }

    @Test func `breakers and alerts are kept until they are taken back`() async throws {
        try await withRedis { _, _, connection in
            let store = Store(connection: connection, prefix: "test")
            var breaker = Breaker()
            breaker.fail("timeout", Timestamp(milliseconds: 5), .init(threshold: 1))
            try await store.save(breakers: [.server("us1"): breaker, .server("us2"): Breaker()])
            #expect(try await store.breakers(as: Breaker.self) == [.server("us1"): breaker, .server("us2"): Breaker()])
            try await store.save(breakers: [.server("us2"): Breaker?.none])
            #expect(try await store.breakers(as: Breaker.self) == [.server("us1"): breaker])
            // A key of another version, and a row that can't be read.
            let text = try #require(try await connection.command(["HGET", "test:breakers", "server:us1"]).text)
            try await connection.command(["HSET", "test:breakers", "moon:us9", text, "server:us3", "{"])
            #expect(try await store.breakers(as: Breaker.self) == [.server("us1"): breaker, BreakerKey("moon:us9"): breaker])
            try await store.save(breakers: [BreakerKey("moon:us9"): Breaker?.none])
            #expect(try await connection.command(["HEXISTS", "test:breakers", "moon:us9"]) == .integer(0))
            let alert = Alert(.part(.host), .critical, "m", remedy: "r", since: Timestamp(milliseconds: 1))
            try await store.save(alerts: [alert], cleared: [])
            #expect(try await store.alerts() == [alert])
            #expect(try await connection.command(["HKEYS", "test:alerts"]).list?.compactMap(\.text) == ["part:host"])
            // An alert of another version, and a row that can't be read.
            let row = try #require(try await connection.command(["HGET", "test:alerts", "part:host"]).text)
            try await connection.command([
                "HSET", "test:alerts", "moon:us", row.replacing("part:host", with: "moon:us"), "pool:us", "{",
            ])
            let subjects = try await store.alerts().map(\.subject).sorted()
            #expect(subjects == [AlertSubject("moon:us"), .part(.host)])
            try await store.save(alerts: [], cleared: [AlertSubject("moon:us")])
            #expect(try await store.alerts() == [alert])
            try await store.save(alerts: [], cleared: [.part(.host)])
            #expect(try await store.alerts().isEmpty)
        }
    }

    @Test func `the history of an exit is bounded, and goes with it`() async throws {
        try await withRedis { _, _, connection in
            let store = Store(connection: connection, prefix: "test")
            func sample(_ number: Int, _ verdict: Verdict) -> HealthSample {
                HealthSample(
                    at: Timestamp(milliseconds: Int64(number)), verdict: verdict, probes: 20, failures: 0, latencyMilliseconds: 1.5,
                    score: 1)
            }
            for batch in 0..<25 { try await store.append((0..<100).map { (exit(1).id, sample(batch * 100 + $0, .healthy)) }) }
            try await store.append([(exit(1).id, sample(2_500, .dead))])
            // "About two thousand" is Redis's own promise: whole nodes of a hundred entries go at once.
            let length = try #require(try await connection.command(["XLEN", "test:health:us-1"]).integer)
            #expect((2000...2100).contains(length))
            let history = try await store.history(of: exit(1).id, limit: 3)
            #expect(history == [sample(2_500, .dead), sample(2_499, .healthy), sample(2_498, .healthy)])
            try await store.save([], removed: [exit(1).id])
            #expect(try await connection.command(["EXISTS", "test:health:us-1"]) == .integer(0))
        }
    }

    @Test func `a server with a password is spoken to with it, and refuses a wrong one without showing it`() async throws {
        let folder = try TemporaryFolder()
        let port = try Ports.free()
        let process = try Programs.startDetached(
            "redis-server",
            ["--port", "\(port)", "--bind", "127.0.0.1", "--requirepass", "the password", "--dir", folder.path, "--save", ""],
            log: "\(folder.path)/log")
        defer {
            kill(process, SIGKILL)
            // The library waits for the process of an exit test by asking for any ended child, and gets one that is never waited for first.
            waitpid(process, nil, 0)
        }
        let right = RedisConnection(address: .tcp(host: "127.0.0.1", port: port, password: Secret("the password"), database: 5))
        try await eventually("it answers") { (try? await right.command(["SET", "key", "value"])) != nil }
        let database = RedisConnection(address: .tcp(host: "127.0.0.1", port: port, password: Secret("the password"), database: 0))
        #expect(try await database.command(["DBSIZE"]) == .integer(0))
        for password in [Secret("the wrong one"), nil] {
            let wrong = RedisConnection(address: .tcp(host: "127.0.0.1", port: port, password: password, database: 0))
            let error = try await #require(throws: RedisError.self) { try await wrong.command(["PING"]) }
            #expect(error.code == .refused && !"\(error)".contains("wrong one"))
            await wrong.close()
        }
        await right.close()
        await database.close()
    }
}
