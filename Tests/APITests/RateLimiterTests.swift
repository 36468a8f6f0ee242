@testable import API
@testable import AccessControl
import Model
import Platform
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct RateLimiterTests {
    private final class Clock: Sendable {
        private let seconds = Mutex(1000.0)
        var now: Double { seconds.withLock { $0 } }
        func set(_ time: Double) { seconds.withLock { $0 = time } }
    }

    @Test(arguments: [0, 1000, 100_000]) func `a new identity costs the same, however many there are`(present: Int) {
        let clock = Clock()
        let limiter = RateLimiter(capacity: 2000) { clock.now }
        for number in 0..<present { _ = limiter.take("old:\(number)", limit: 100, window: 60) }
        let looks = limiter.looks
        for number in 0..<10_000 { _ = limiter.take("new:\(number)", limit: 100, window: 60) }
        #expect(limiter.looks - looks <= 10_000 * 12, "places looked at")
        #expect(limiter.size <= 2000)
    }

    @Test func `nobody who is at a limit is let off by a flood of other names`() {
        let clock = Clock()
        let limiter = RateLimiter(capacity: 1000) { clock.now }
        for _ in 0..<20 { _ = limiter.take("failed:address:6.6.6.6", limit: 20, window: 60) }
        for _ in 0..<15 { _ = limiter.take("failed:address:7.7.7.7", limit: 20, window: 60) }
        for number in 0..<50_000 {
            _ = limiter.take("standard:address:\(number)", limit: 6000, window: 60)
            if number.isMultiple(of: 10_000) { #expect(!limiter.take("failed:address:6.6.6.6", limit: 20, window: 60).isAllowed) }
        }
        #expect(!limiter.take("failed:address:6.6.6.6", limit: 20, window: 60).isAllowed)
        #expect(limiter.used("failed:address:7.7.7.7", window: 60) == 15, "one near its limit is kept before one that is far from it")
        clock.set(1021)
        #expect(!limiter.take("failed:address:6.6.6.6", limit: 20, window: 60).isAllowed)
    }

    @Test func `who finds no place shares a limit with all who find none`() {
        let clock = Clock()
        let limiter = RateLimiter(capacity: 10) { clock.now }
        for number in 0..<10 { for _ in 0..<3 { _ = limiter.take("full:\(number)", limit: 3, window: 60) } }
        #expect((0..<10).allSatisfy { !limiter.take("full:\($0)", limit: 3, window: 60).isAllowed })
        #expect((0..<100).count { limiter.take("more:\($0)", limit: 3, window: 60).isAllowed } == 3)
        clock.set(1200)
        #expect(limiter.take("more:1", limit: 3, window: 60).isAllowed, "two windows later all are free")
    }

    @Test func `what is over is forgotten as new ones come`() {
        let clock = Clock()
        let limiter = RateLimiter { clock.now }
        for number in 0..<1000 { _ = limiter.take("old:\(number)", limit: 10, window: 60) }
        clock.set(1200)
        for number in 0..<1000 { _ = limiter.take("new:\(number)", limit: 10, window: 60) }
        #expect(limiter.size <= 1001)
    }

    private final class Memory: SharedMemory {
        let counts = Mutex<[String: Int]>([:])
        let isAway = Mutex(false)
        struct Away: Error {}
        func add(_ counts: [(key: String, amount: Int)], seconds: Int) async throws -> [Int] {
            if isAway.withLock({ $0 }) { throw Away() }
            return self.counts.withLock { all in
                counts.map { key, amount in
                    all[key, default: 0] += amount
                    return all[key] ?? 0
                }
            }
        }
        func remove(_ keys: [String]) async throws {}
        func claim(_ key: String, _ value: String, seconds: Int) async throws -> String? { nil }
        func put(_ key: String, _ value: String, seconds: Int) async throws {}
    }

    @Test func `everything is told once, also what came while the memory was away or an identity had lost its place`() async throws {
        let clock = Clock()
        let (limiter, memory) = (RateLimiter(capacity: 50) { clock.now }, Memory())
        var generator = SplitMix64(state: 9)
        for turn in 0..<300 {
            for _ in 0..<20 { _ = limiter.take("a:\(Int.random(in: 0..<45, using: &generator))", limit: 1_000_000, window: 3600) }
            memory.isAway.withLock { $0 = turn.isMultiple(of: 3) }
            try? await limiter.share(with: memory, window: 3600)
        }
        memory.isAway.withLock { $0 = false }
        try await limiter.share(with: memory, window: 3600)
        #expect(memory.counts.withLock { $0.values.reduce(0, +) } == 6000)
        #expect((0..<45).reduce(0) { $0 + limiter.used("a:\($1)", window: 3600) } == 6000)
        // 200 identities for 50 places: some are told of when they come back.
        for _ in 0..<5000 { _ = limiter.take("b:\(Int.random(in: 0..<200, using: &generator))", limit: 1_000_000, window: 3600) }
        try await limiter.share(with: memory, window: 3600)
        #expect(memory.counts.withLock { $0.filter { $0.key.contains(":b:") }.values.reduce(0, +) } <= 5000, "nothing twice")
    }
}
