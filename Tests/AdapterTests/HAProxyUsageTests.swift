import Glibc
@testable import HAProxyControl
import HTTPTransport
import Model
import Planning
import Platform
@testable import RedisStore
import Synchronization
import TestSupport
import Testing

/// What users and exits have used, counted by a real HAProxy and kept in a real Redis, while each of them is killed.
@Suite(.serialized, .timeLimit(.minutes(2))) struct HAProxyUsageTests {
    typealias Subject = GatewaySubject
    /// What one request of `spend` carries at least, and with its heads at most.
    private static let body = 100_000

    private func exit() throws -> ScriptedServer {
        try ScriptedServer { connection in
            while let head = connection.head() {
                if head.hasPrefix("CONNECT ") {
                    connection.write("HTTP/1.1 200 Established\r\n\r\n")
                } else {
                    connection.answer(200, String(repeating: "x", count: Self.body))
                }
            }
        }
    }

    /// Requests one after the other, half of them through tunnels; the bytes of bodies that arrived.
    private func spend(_ subject: Subject, _ count: Int, user: String = "alice-country-us") async throws -> Int {
        var bytes = 0
        for index in 0..<count {
            let answer = try await subject.client.send(subject.request(user, tunnels: index % 2 == 1))
            guard answer.status == 200 else { throw TimeoutError(what: "an answer: \(answer.status) \(answer.text)") }
            bytes += answer.body.count
        }
        return bytes
    }

    private func collect(_ gateway: HAProxyGateway, _ record: UsageRecord) async throws {
        let (reading, isWhole) = try #require(try await gateway.usage())
        try await record.add(reading, isWhole: isWhole, now: SystemClock.now())
    }

    private func total(_ record: UsageRecord, _ user: ProxyUser) async throws -> Usage {
        try await record.report(of: user, now: SystemClock.now(), hours: 2, days: 2).total.sum
    }

    /// The client's own count and ours differ by the heads alone.
    private func agree(_ usage: Usage, requests: Int, bytes: Int, _ what: String) {
        #expect(usage.connections == requests, "\(what): \(usage)")
        #expect((bytes...bytes + 600 * requests).contains(usage.bytesOut), "\(what): \(usage)")
        #expect((50 * requests...1_000 * requests).contains(usage.bytesIn), "\(what): \(usage)")
    }

    @Test func `killed controllers and Redis lose nothing, and a killed HAProxy what came since the last reading`() async throws {
        try await withRedis { redis, folder, first in
            try await Subject.with { subject in
                let alice = Subject.user("alice")
                let layout = GatewayLayout(pools: [Subject.pool(us, [Subject.slot(1, try exit())])], users: [alice])
                let record = UsageRecord(connection: first, prefix: "test")
                #expect(try await subject.gateway.usage() == nil, "before it runs nothing is said, and nothing goes wrong")
                try await subject.gateway.publish(layout)
                var (requests, bytes) = (0, 0)
                func spend(_ count: Int) async throws {
                    bytes += try await self.spend(subject, count)
                    requests += count
                }
                try await spend(6)
                try await eventually("the counters are there") {
                    try await collect(subject.gateway, record)
                    return try await total(record, alice).bytesOut >= bytes
                }
                agree(try await total(record, alice), requests: requests, bytes: bytes, "at first")
                try await collect(subject.gateway, record)
                agree(try await total(record, alice), requests: requests, bytes: bytes, "read twice")

                // The controller is killed: another one begins with the same HAProxy and store, and reads before it publishes.
                try await spend(4)
                let heir = try HAProxyGateway(
                    share: "\(Repository.root)/haproxy", settings: subject.settings, log: .none, ownAddresses: subject.ownAddresses)
                #expect(try await heir.usage() == nil)
                try await heir.publish(layout)
                try await eventually("all is counted") {
                    try await collect(heir, record)
                    return try await total(record, alice).bytesOut >= bytes
                }
                agree(try await total(record, alice), requests: requests, bytes: bytes, "another controller")

                // Redis is killed, while connections come and readings are tried.
                let pid = try #require(Int32((try Files.read("\(folder)/redis.pid")).filter(\.isNumber)))
                kill(pid, SIGKILL)
                try await spend(4)
                await #expect(throws: RedisError.self) { try await collect(heir, record) }
                try await eventually("Redis is back") { (try? await redis.start()) != nil }
                try await eventually("all is counted") {
                    guard (try? await collect(heir, record)) != nil else { return false }
                    return try await total(record, alice).bytesOut >= bytes
                }
                agree(try await total(record, alice), requests: requests, bytes: bytes, "Redis killed")

                // A reload: what the old worker carries on is counted too.
                try await heir.publish(GatewayLayout(pools: layout.pools + [Subject.pool(de)], users: [alice]))
                try await spend(4)
                try await eventually("all is counted") {
                    try await collect(heir, record)
                    return try await total(record, alice).bytesOut >= bytes
                }
                agree(try await total(record, alice), requests: requests, bytes: bytes, "a reload")

                // HAProxy is killed with something uncounted: that is lost, nothing else is, and nothing is there twice.
                let counted = (requests, bytes)
                _ = try await self.spend(subject, 2)
                kill(pid_t(try await subject.masterPid), SIGKILL)
                try await eventually("it has ended") { await heir.isRunning() == false }
                try await heir.publish(layout)
                (requests, bytes) = counted
                try await spend(4)
                try await eventually("all is counted") {
                    try await collect(heir, record)
                    return try await total(record, alice).bytesOut >= bytes
                }
                agree(try await total(record, alice), requests: requests, bytes: bytes, "HAProxy killed")

                let report = try await record.report(of: alice, now: SystemClock.now(), hours: 2, days: 2)
                #expect(report.days.map(\.sum).reduce(Usage(), +) == report.total.sum && report.month.sum == report.total.sum)
                #expect(report.hours.map(\.sum).reduce(Usage(), +) == report.total.sum)
                #expect(report.total.countries == ["us": report.total.sum])
                let exit = try await first.command(["HGETALL", "test:usage:total:exit:us-1"]).list?.compactMap(\.text) ?? []
                let sent = exit.firstIndex(of: "us.out").flatMap { Int(exit[$0 + 1]) } ?? 0
                #expect((bytes...bytes + 1_000 * requests + 300_000).contains(sent), "by exit: \(exit)")
            }
        }
    }

    @Test func `an exit's successor in a slot does not inherit what it has carried`() async throws {
        try await withRedis { _, _, connection in
            try await Subject.with { subject in
                let record = UsageRecord(connection: connection, prefix: "test")
                var slot = Subject.slot(1, try exit())
                func layout() -> GatewayLayout { GatewayLayout(pools: [Subject.pool(us, [slot])], users: [Subject.user("alice")]) }
                func carried(_ exit: String) async throws -> Int {
                    let fields = try await connection.command(["HGETALL", "test:usage:total:exit:\(exit)"]).list?.compactMap(\.text) ?? []
                    return fields.firstIndex(of: "us.out").flatMap { Int(fields[$0 + 1]) } ?? 0
                }
                try await subject.gateway.publish(layout())
                let bytes = try await spend(subject, 4)
                try await eventually("us-1 has carried it") {
                    try await collect(subject.gateway, record)
                    return try await carried("us-1") >= bytes
                }
                slot = .free(1)
                try await subject.gateway.publish(layout())
                try await collect(subject.gateway, record)
                slot = Subject.slot(1, try exit())
                slot.occupant = GatewayOccupant(exit: ExitID(country: us, number: 2), generation: 1)
                try await subject.gateway.publish(layout())
                for _ in 0..<3 { try await collect(subject.gateway, record) }
                #expect(try await carried("us-2") == 0)
                let more = try await spend(subject, 2)
                try await eventually("us-2 has carried its own") {
                    try await collect(subject.gateway, record)
                    return try await carried("us-2") >= more
                }
                #expect(try await carried("us-2") < more + 2_000)
            }
        }
    }

    @Test func `a later user of the same name begins with nothing`() async throws {
        try await withRedis { _, _, connection in
            try await Subject.with { subject in
                let record = UsageRecord(connection: connection, prefix: "test")
                var alice = Subject.user("alice")
                func layout() throws -> GatewayLayout { GatewayLayout(pools: [Subject.pool(us, [Subject.slot(1, exit)])], users: [alice]) }
                let exit = try exit()
                try await subject.gateway.publish(layout())
                let bytes = try await spend(subject, 4)
                try await eventually("it is counted") {
                    try await collect(subject.gateway, record)
                    return try await total(record, alice).bytesOut >= bytes
                }
                // Not read any more before she is gone.
                _ = try await spend(subject, 2)
                let gone = alice
                alice.createdAt = Timestamp(milliseconds: 1)
                try await subject.gateway.publish(layout())
                try await record.forget(allBut: [alice])
                for _ in 0..<3 { try await collect(subject.gateway, record) }
                #expect(try await total(record, alice) == Usage())
                #expect(try await record.sums(of: [alice], now: SystemClock.now())["alice"]?.month == Usage())
                try await record.forget(allBut: [alice])
                #expect(try await total(record, gone) == Usage(), "hers are forgotten")
            }
        }
    }

    @Test func `what is carried today and now is read by whoever shares the store, and only the leader writes it`() async throws {
        try await withRedis { _, _, connection in
            let fence = Mutex(1)
            let leader = UsageRecord(connection: connection, prefix: "test", fence: { fence.withLock { $0 } })
            let follower = UsageRecord(connection: connection, prefix: "test", fence: { 0 })
            try await connection.command(["SET", "test:fence", "1"])
            let (alice, bob, exit) = (Subject.user("alice"), Subject.user("bob"), ExitID(country: us, number: 1))
            let now = SystemClock.now()
            #expect(try await follower.traffic(of: [exit], [alice], now: now).now == nil, "no controller has told it")
            var reading = UsageReading()
            reading.counters["1-1 user \(alice.account)/us"] = (.user(alice.account, us), Usage(bytesIn: 100, bytesOut: 2_000))
            reading.counters["1-1 exit pool-us/s1"] = (.exit(exit), Usage(bytesIn: 100, bytesOut: 2_000))
            try await leader.add(reading, isWhole: true, now: now)
            let current = ["user:alice": CurrentTraffic(bytesPerSecond: 70, connections: 2), "exit:us-1": CurrentTraffic(connections: 2)]
            try await leader.save(current)
            for record in [leader, follower] {
                let report = try await record.traffic(of: [exit], [alice, bob], now: now)
                #expect(report.now == current)
                #expect(report.bytesToday == ["exit:us-1": 2_100, "user:alice": 2_100, "user:bob": 0])
                #expect(try await record.traffic(of: [exit], [alice], now: now + 86_400).bytesToday == ["exit:us-1": 0, "user:alice": 0])
            }
            let error = try await #require(throws: RedisError.self) { try await follower.save([:]) }
            #expect(error.code == .fenced)
            #expect(try await connection.command(["TTL", "test:usage:now"]).integer ?? 0 > 0, "it ends with the controller that writes it")
        }
    }

    @Test func `a controller that has lost the lease adds nothing`() async throws {
        try await withRedis { _, _, connection in
            let fence = Mutex(1)
            let record = UsageRecord(connection: connection, prefix: "test", fence: { fence.withLock { $0 } })
            try await connection.command(["SET", "test:fence", "1"])
            let alice = Subject.user("alice")
            var reading = UsageReading()
            reading.counters["1-1 user \(alice.account)/us"] = (.user(alice.account, us), Usage(bytesIn: 1, bytesOut: 2, connections: 1))
            try await record.add(reading, isWhole: true, now: SystemClock.now())
            try await connection.command(["SET", "test:fence", "2"])
            reading.counters["1-1 user \(alice.account)/us"]?.usage.bytesOut = 50
            let error = try await #require(throws: RedisError.self) { try await record.add(reading, isWhole: true, now: SystemClock.now()) }
            #expect(error.code == .fenced)
            #expect(try await total(record, alice).bytesOut == 2)
            fence.withLock { $0 = 2 }
            try await record.add(reading, isWhole: true, now: SystemClock.now())
            #expect(try await total(record, alice).bytesOut == 50)
        }
    }
}
