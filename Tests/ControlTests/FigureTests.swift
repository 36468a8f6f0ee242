@testable import Control
import Model
import Planning
import Platform
import TestSupport
import Testing

/// What the loop counts for the metrics.
@Suite(.timeLimit(.minutes(1)), .inSimulatedTime) struct FigureTests {
    private let start = Timestamp(milliseconds: 1_000_000)

    @Test func `a failover lasts from the verdict until the next exit of the pool serves`() {
        var clock = FailoverClock()
        clock.judged(id(1), isDead: true, at: start)
        clock.judged(id(1), isDead: true, at: start + 1)
        clock.lost(id(1), at: start + 2, cause: .probe)
        #expect(clock.serves(de, at: start + 3) == nil)
        let served = clock.serves(us, at: start + 3)
        #expect(served?.seconds == 3 && served?.cause == .probe)
        #expect(clock.serves(us, at: start + 4) == nil, "one loss is made good once")
    }

    @Test func `one that came back to life, and one that nobody waits for any more, are no failovers`() {
        var clock = FailoverClock()
        clock.judged(id(1), isDead: true, at: start)
        clock.judged(id(1), isDead: false, at: start + 5)
        clock.lost(id(1), at: start + 60, cause: .engine)
        clock.lost(id(2), at: start + 61, cause: .probe)
        clock.trim(us, to: 1)
        let served = clock.serves(us, at: start + 62)
        #expect(served?.seconds == 1 && served?.cause == .probe)
        clock.lost(id(3), at: start + 70, cause: .probe)
        clock.trim(us, to: 0)
        #expect(clock.serves(us, at: start + 71) == nil)
    }

    @Test func `what the gateway has carried before the first reading counts for nobody, and what comes on top for its user`() {
        let users = ["tallied", "other.one"].map { ProxyUser(name: $0, salt: "00", digest: "11", createdAt: start) }
        func reading(_ bytes: Int, _ connections: Int) -> UsageReading {
            UsageReading(counters: [
                "1-1 user \(users[0].account)/us": (
                    .user(users[0].account, us), Usage(bytesIn: bytes, bytesOut: 2 * bytes, connections: connections, errors: 1)
                )
            ])
        }
        var tally = UsageTally()
        tally.take(reading(1000, 5), isWhole: true, users: users)
        #expect(Metrics.userBytes.values[["tallied", "US", "in"]] == nil)
        tally.take(reading(1100, 7), isWhole: true, users: users)
        #expect(Metrics.userBytes.values[["tallied", "US", "in"]] == 100 && Metrics.userBytes.values[["tallied", "US", "out"]] == 200)
        #expect(Metrics.userConnections.values[["tallied", "US"]] == 2 && Metrics.userErrors.values[["tallied", "US"]] == nil)
        // A process that did not answer counts on from where it was.
        tally.take(UsageReading(), isWhole: false, users: users)
        tally.take(reading(1150, 8), isWhole: true, users: users)
        #expect(Metrics.userBytes.values[["tallied", "US", "in"]] == 150)
        // A user who is gone leaves no series behind.
        tally.take(reading(1150, 8), isWhole: true, users: [users[1]])
        #expect(Metrics.userBytes.values[["tallied", "US", "in"]] == nil)
    }

    @Test func `what the gateway has refused is counted by reason, also over a new process of it`() {
        func reading(_ process: String, _ counts: [String: Int]) -> UsageReading {
            var reading = UsageReading()
            for (reason, count) in counts { reading.refusals["\(process) \(reason)"] = (reason, count) }
            return reading
        }
        func counted() -> [Double] {
            [
                Metrics.authFailures.values[["authentication_failed"]] ?? 0, Metrics.authFailures.values[["authentication_required"]] ?? 0,
                Metrics.authFailures.values[["too_many_tries"]] ?? 0, Metrics.refusedConnections.values[["pending_limit"]] ?? 0,
            ]
        }
        var tally = UsageTally()
        let before = counted()
        tally.take(reading("1-1", ["authentication_failed": 1000, "pending_limit": 7]), isWhole: true, users: [])
        #expect(counted() == before, "the first reading says where to begin")
        tally.take(reading("1-1", ["authentication_failed": 1003, "pending_limit": 9]), isWhole: true, users: [])
        tally.take(
            reading("2-1", ["authentication_failed": 4, "authentication_required": 1, "too_many_tries": 2]), isWhole: false, users: [])
        tally.take(reading("1-1", ["authentication_failed": 1003, "pending_limit": 10]), isWhole: true, users: [])
        #expect(zip(counted(), before).map { $0 - $1 } == [7, 1, 2, 3])
    }

    @Test func `probes, failures, verdicts and the way to the next exit are counted`() async throws {
        let de4 = (1...4).map { server($0, de) }
        try await withController(servers: de4, tune: { $0.probing.handshakeSeconds = 0.2 }) { world, running in
            let before = (Metrics.failovers.total, Metrics.failoverDuration.total, Metrics.exitFailures.total, Metrics.probeSeconds.total)
            try await running.controller.execute(.setPool(Pool(country: de, size: 1)))
            try await running.serves(1)
            try await eventually("it is probed") { Metrics.probeSeconds.total > before.3 }
            world.end("de-1-g1", exitCode: 67)
            try await eventually("another container serves") {
                running.exit(1, de)?.generation == 2 && running.exit(1, de)?.state == .serving
            }
            try await eventually("the failover is counted to its end") { Metrics.failoverDuration.total > before.1 }
            #expect(Metrics.failovers.total > before.0 && Metrics.exitFailures.total > before.2)
            #expect(Metrics.failovers.values[["engine", "proxy_down"]] ?? 0 >= 1)
            try await eventually("the tunnel's handshake is read") { Metrics.handshakeAge.values[["de-1", "DE"]] != nil }
            try await running.controller.execute(.removePool(de))
            try await eventually("and forgotten with its exit") { Metrics.handshakeAge.values[["de-1", "DE"]] == nil }
        }
    }
}
