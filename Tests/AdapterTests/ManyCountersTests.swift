import Model
import Platform
import RedisStore
import Synchronization
import TestSupport
import Testing

/// More counters, users and rows at once than one command of a script can name, on a real Redis.
@Suite(.timeLimit(.minutes(2))) struct ManyCountersTests {
    private static let many = 20_000
    private let now = SystemClock.now()

    private func user(_ number: Int) -> ProxyUser {
        ProxyUser(name: "user\(number)", salt: "0a", digest: "1b", createdAt: Timestamp(milliseconds: 0))
    }

    private func reading(_ worker: Int, count: Int, bytes: Int) -> UsageReading {
        var reading = UsageReading()
        for number in 0..<count {
            let account = user(number).account
            reading.counters["\(worker)-1 user \(account)/us"] = (.user(account, us), Usage(bytesIn: bytes))
        }
        return reading
    }

    @Test func `counters that a reload leaves behind are forgotten, and usage goes on`() async throws {
        try await withRedis { _, _, connection in
            try await connection.command(["SET", "test:fence", "1"])
            let record = UsageRecord(connection: connection, prefix: "test", fence: { 1 })
            try await record.add(reading(1, count: Self.many, bytes: 5), isWhole: true, now: now)
            #expect(try await connection.command(["HLEN", "test:usage:counters"]).integer == Self.many)
            // The worker that a reload has started has counters of its own; the old one's are gone.
            try await record.add(reading(2, count: 10, bytes: 7), isWhole: true, now: now)
            #expect(try await connection.command(["HLEN", "test:usage:counters"]).integer == 10)
            let sums = try await record.sums(of: [user(3), user(15_000)], now: now)
            #expect(sums["user3"]?.total.bytes == 12 && sums["user15000"]?.total.bytes == 5)
            // And so are users who were removed all at once.
            try await record.forget(allBut: [user(3)])
            #expect(try await connection.command(["SMEMBERS", "test:usage:accounts"]) == .list([.text(user(3).account.description)]))
            #expect(try await record.sums(of: [user(15_000)], now: now)["user15000"]?.total.bytes == 0)
        }
    }

    @Test func `what was broken off between two parts is added once`() async throws {
        try await withRedis { _, _, connection in
            try await connection.command(["SET", "test:fence", "1"])
            let asked = Mutex(0)
            // The third part comes from one that leads no more.
            let record = UsageRecord(
                connection: connection, prefix: "test",
                fence: {
                    asked.withLock { asked in
                        asked += 1
                        return asked == 3 ? 0 : 1
                    }
                })
            let reading = reading(1, count: 3_000, bytes: 5)
            let error = try await #require(throws: RedisError.self) { try await record.add(reading, isWhole: true, now: now) }
            #expect(error.code == .fenced)
            let done = try #require(try await connection.command(["HLEN", "test:usage:counters"]).integer)
            #expect((1..<3_000).contains(done), "\(done)")
            try await record.add(reading, isWhole: true, now: now)
            let sums = try await record.sums(of: (0..<3_000).map(user), now: now)
            #expect(sums.count == 3_000 && sums.values.allSatisfy { $0.total.bytes == 5 && $0.day.bytes == 5 })
        }
    }

    @Test func `thousands of exits' rows are written and removed at once`() async throws {
        try await withRedis { _, _, connection in
            try await connection.command(["SET", "test:fence", "1"])
            let store = Store(connection: connection, prefix: "test", fence: { 1 })
            let exits = [us, de].flatMap { country in (1...999).map { Exit(id: ExitID(country: country, number: $0), slot: 1, now: now) } }
            try await store.save(exits, removed: [])
            #expect(try await store.load().exits.count == exits.count)
            try await store.save([], removed: exits.map(\.id))
            #expect(try await connection.command(["EXISTS", "test:exits"]).integer == 0)
        }
    }
}
