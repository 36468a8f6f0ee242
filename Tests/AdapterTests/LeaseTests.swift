import Model
import Platform
import RedisStore
import TestSupport
import Testing

/// The lease and the queue of commands, on a real Redis.
@Suite(.timeLimit(.minutes(1))) struct LeaseTests {
    private func claim(_ instance: String, token: String? = nil, fence: Int = 0, highest: Int? = nil, milliseconds: Int = 60_000)
        -> LeaseClaim
    {
        LeaseClaim(
            instance: instance, token: token ?? "\(instance)'s", fence: fence, highest: highest ?? fence, milliseconds: milliseconds,
            mayInherit: fence == 0)
    }

    @Test func `one gets the lease, the other learns who has it, and the number grows with each holder`() async throws {
        try await withRedis { _, _, connection in
            let record = LeaseRecord(connection: connection, prefix: "test")
            let first = try await record.claim(claim("a"))
            #expect(first == LeaseAnswer(isOurs: true, fence: 1, holder: "a", version: 0))
            #expect(try await record.claim(claim("b")) == LeaseAnswer(isOurs: false, fence: 1, holder: "a", version: 0))
            #expect(try await record.claim(claim("a", fence: 1)).fence == 1, "kept")
            #expect(try await record.claim(claim("a")).fence == 1, "its answer was lost on the way")
            #expect(try await record.holder() == "a")
            try await record.resign(token: "b's")
            #expect(try await record.holder() == "a", "another's stays")
            try await record.resign(token: "a's")
            #expect(try await record.holder() == nil)
            #expect(try await record.claim(claim("b")).fence == 2)
            #expect(try await record.claim(claim("a", fence: 1)) == LeaseAnswer(isOurs: false, fence: 2, holder: "b", version: 0))
        }
    }

    @Test func `of many who ask at once one gets it`() async throws {
        try await withRedis { redis, _, _ in
            let answers = try await withThrowingTaskGroup(of: LeaseAnswer.self) { group in
                for number in 0..<12 {
                    group.addTask {
                        let connection = RedisConnection(address: .unix(path: redis.socket))
                        let answer = try await LeaseRecord(connection: connection, prefix: "test").claim(claim("c\(number)"))
                        await connection.close()
                        return answer
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.count(where: \.isOurs) == 1)
            #expect(Set(answers.map(\.holder)).count == 1 && Set(answers.map(\.fence)) == [1])
        }
    }

    @Test func `one that ran out goes on under its number unless another took it`() async throws {
        try await withRedis { _, _, connection in
            let record = LeaseRecord(connection: connection, prefix: "test")
            _ = try await record.claim(claim("a", milliseconds: 20))
            try await eventually("it runs out") { try await record.holder() == nil }
            #expect(try await record.claim(claim("a", fence: 1, milliseconds: 20)).fence == 1)
            try await eventually("it runs out again") { try await record.holder() == nil }
            #expect(try await record.claim(claim("b", milliseconds: 20)).fence == 2)
            try await eventually("and a third time") { try await record.holder() == nil }
            #expect(try await record.claim(claim("a", fence: 1, highest: 2)).fence == 3)
        }
    }

    @Test func `a restarted controller has its own lease again at once, under a new number; a copy of it has not`() async throws {
        try await withRedis { _, _, connection in
            let record = LeaseRecord(connection: connection, prefix: "test")
            _ = try await record.claim(claim("a", token: "before"))
            #expect(try await record.claim(claim("a", token: "after")).fence == 2)
            // The one that has lost it this way does not take it back.
            let answer = try await record.claim(claim("a", token: "before", fence: 1))
            #expect(!answer.isOurs && answer.fence == 2)
        }
    }

    @Test func `a store that has lost everything learns the number again, and says so`() async throws {
        try await withRedis { _, _, connection in
            let record = LeaseRecord(connection: connection, prefix: "test")
            _ = try await record.claim(claim("a", highest: 6))
            try await connection.command(["FLUSHALL"])
            let answer = try await record.claim(claim("a", fence: 7))
            #expect(answer == LeaseAnswer(isOurs: true, fence: 7, holder: "a", version: 0, hasForgotten: true))
        }
    }

    @Test func `what is written under an older number is refused, and changes nothing`() async throws {
        try await withRedis { _, _, connection in
            let record = LeaseRecord(connection: connection, prefix: "test")
            let exit = Exit(id: ExitID(country: us, number: 1), slot: 1, now: SystemClock.now())
            let sample = HealthSample(at: exit.since, verdict: .healthy, probes: 1, failures: 0, latencyMilliseconds: 1, score: 1)
            let (old, new) = (
                Store(connection: connection, prefix: "test", fence: { 1 }), Store(connection: connection, prefix: "test", fence: { 2 })
            )
            _ = try await record.claim(claim("a"))
            try await old.save([exit], removed: [])
            try await old.save(Pool(country: us, size: 1))
            try await record.resign(token: "a's")
            try await old.append([(exit.id, sample)])
            #expect(try await record.claim(claim("b")) == LeaseAnswer(isOurs: true, fence: 2, holder: "b", version: 2))
            let user = ProxyUser(name: "alice", salt: "0a", digest: "1b", createdAt: SystemClock.now())
            let writes: [() async throws -> Void] = [
                { try await old.save([], removed: [exit.id]) }, { try await old.save(Pool(country: us, size: 9)) },
                { try await old.removePool(us) }, { try await old.save(user) }, { try await old.append([(exit.id, sample)]) },
            ]
            for write in writes {
                let error = try await #require(throws: RedisError.self) { try await write() }
                #expect(error.code == .fenced)
            }
            let state = try await new.load()
            #expect(state.exits == [exit.id: exit] && state.pools[us]?.size == 1 && state.users.isEmpty)
            #expect(try await connection.command(["XLEN", "test:health:us-1"]).integer == 1)
            try await new.save([], removed: [exit.id])
            #expect(try await new.load().exits.isEmpty)
            #expect(try await connection.command(["EXISTS", "test:health:us-1"]).integer == 0)
        }
    }

    @Test func `commands are taken once, in order, or taken back; answers are read once`() async throws {
        try await withRedis { _, _, connection in
            let queue = CommandQueue(connection: connection, prefix: "test")
            try await queue.send(#"{"a": "b c"}"#, id: "1")
            try await queue.send("x", id: "2")
            try await queue.send("y", id: "3")
            #expect(try await queue.withdraw("x", id: "2") == true)
            #expect(try await queue.withdraw("x", id: "2") == false)
            let first = try #require(try await queue.next())
            #expect(first.id == "1" && first.text == #"{"a": "b c"}"#)
            #expect(try await queue.withdraw(#"{"a": "b c"}"#, id: "1") == false)
            #expect(try await queue.next()?.id == "3")
            #expect(try await queue.next() == nil)
            #expect(try await queue.answer(to: "1") == nil)
            try await queue.answer("1", with: "done")
            #expect(try await queue.answer(to: "1") == "done")
            #expect(try await queue.answer(to: "1") == nil)
        }
    }
}
