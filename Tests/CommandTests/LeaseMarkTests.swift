import Model
import Platform
import RedisStore
import TestSupport
import Testing

@testable import sallyport

@Suite(.timeLimit(.minutes(1))) struct LeaseMarkTests {
    @Test func `a number that a fail-over has lost is not given to another controller again`() async throws {
        let folder = try TemporaryFolder()
        let server = PrivateRedis(folder: "\(folder.path)/redis")
        _ = try await server.start()
        let connection = RedisConnection(address: .unix(path: server.socket))
        let mark = FenceMark(folder: "\(folder.path)/gateway")
        let lease = RedisLease(record: LeaseRecord(connection: connection, prefix: "test"), mark: mark)
        func claim(_ name: String, fence: Int) -> LeaseClaim {
            LeaseClaim(instance: name, token: name, fence: fence, highest: fence, milliseconds: 60_000, mayInherit: fence == 0)
        }
        for name in ["a", "b", "c"] {
            let answer = try await lease.claim(claim(name, fence: 0))
            #expect(answer.isOurs)
            try await lease.resign(token: name)
        }
        #expect(mark.number == 3)
        // The new primary knows nothing of the last two; the next one has seen as little.
        try await connection.command(["SET", "test:fence", "1"])
        #expect(try await lease.claim(claim("d", fence: 1)).fence == 4)
        await connection.close()
        try await server.stop()
    }
}
