@testable import API
@testable import AuditLog
import Glibc
import Model
import Platform
@testable import RedisStore
import TestSupport
import Testing
@testable import sallyport

/// The audit log in real Redis, with somebody who may write there.
@Suite(.timeLimit(.minutes(2))) struct AuditSetBackTests {
    /// One controller's side of the log.
    private struct Writer {
        let audit: AuditLog
        let alertReporter = AlertReporter()
        let running: Task<Void, Never>

        /// - Parameter deadline: seconds; on a busy machine an answer takes as long as it takes.
        init(_ redis: String, marks: String? = nil, key: RootKey, deadline: Double = 20) {
            let connection = RedisConnection(address: .unix(path: redis), deadline: deadline)
            let authenticator = Authenticator(key, purpose: AuditChain.purpose)
            let audit = AuditLog(
                store: APIStore(connection: connection, prefix: "test"), log: .none, marks: HighMarks(path: marks),
                alertReporter: alertReporter,
                authenticator: { authenticator })
            self.audit = audit
            running = Task { await audit.run() }
        }

        func write(_ range: ClosedRange<Int>) async { for number in range { await audit.recordNow(AuditEntry(.change, "act \(number)")) } }

        /// What the alert says, as soon as there is one.
        func alert() async throws -> String {
            try await eventually("there is an alert", within: 40) { alertReporter.alerts.first { $0.severity == .critical }?.message }
        }

        func end() async {
            running.cancel()
            await running.value
        }
    }

    private let key = RootKey(text: Secret(String(repeating: "5a", count: 32)))

    private func lines(_ connection: RedisConnection) async throws -> [APIStore.AuditText] {
        try await APIStore(connection: connection, prefix: "test").auditLines(after: 0, limit: 1000)
    }

    /// Puts lines, and a head, in the place of the log.
    private func put(_ lines: [APIStore.AuditText], _ connection: RedisConnection) async throws {
        let head = lines.last.map { ["SET", "test:audit:head", "\($0.seq) \($0.hash)"] } ?? ["DEL", "test:audit:head"]
        let adding = lines.map { line in
            ["XADD", "test:audit", "\(line.seq)-0", "entry", line.text, "hash", line.hash] + (line.mac.map { ["mac", $0] } ?? [])
        }
        try await connection.transaction([["DEL", "test:audit"]] + adding + [head])
    }

    enum Attack: String, CaseIterable, Sendable {
        case cutAtTheEnd, cutWithItsHead, allGone, headGone, headIsGarbage, headAlone, madeAnew, madeAnewWithoutCodes, added,
            addedWithItsHead
    }

    private func attack(_ attack: Attack, _ connection: RedisConnection) async throws {
        let all = try await lines(connection)
        let entries = all.compactMap { AuditLine(seq: $0.seq, text: $0.text, hash: $0.hash).entry }
        let strange = RootKey(text: Secret(String(repeating: "00", count: 32)))
        func made(by authenticator: Authenticator?, _ entries: [AuditEntry], after head: AuditHead = .genesis) throws -> [APIStore
            .AuditText]
        {
            try AuditChain.lines(entries, after: head, by: authenticator).map { ($0.seq, $0.text, $0.hash, $0.mac) }
        }
        let last = try #require(all.last)
        let head = AuditHead(seq: last.seq, hash: last.hash)
        switch attack {
        case .cutAtTheEnd: try await connection.command(["XDEL", "test:audit", "9-0", "10-0"])
        case .cutWithItsHead: try await put(Array(all.prefix(8)), connection)
        case .allGone: try await connection.command(["DEL", "test:audit", "test:audit:head"])
        case .headGone: try await connection.command(["DEL", "test:audit:head"])
        case .headIsGarbage: try await connection.command(["SET", "test:audit:head", "garbage"])
        case .headAlone: try await connection.command(["SET", "test:audit:head", "8 \(all[7].hash)"])
        case .madeAnew:
            var entries = entries
            entries[3].action = "nothing"
            try await put(try made(by: Authenticator(strange, purpose: AuditChain.purpose), entries), connection)
        case .madeAnewWithoutCodes:
            var entries = entries
            entries[3].action = "nothing"
            try await put(try made(by: nil, entries), connection)
        case .added:
            for line in try made(by: nil, [AuditEntry(.change, "made up")], after: head) {
                try await connection.command(["XADD", "test:audit", "\(line.seq)-0", "entry", line.text, "hash", line.hash])
            }
        case .addedWithItsHead: try await put(all + made(by: nil, [AuditEntry(.change, "made up")], after: head), connection)
        }
    }

    @Test(arguments: Attack.allCases) func `a log that was set back is told while the controller runs, and never taken for its end`(
        kind: Attack
    ) async throws {
        try await withRedis { redis, _, connection in
            let writer = Writer(redis.socket, key: key)
            await writer.write(1...10)
            #expect(try await writer.audit.verify().problems == [])
            try await attack(kind, connection)
            let alert = try await writer.alert()
            #expect(alert.contains("not intact"), "\(alert)")
            await writer.write(11...12)
            let now = try await lines(connection)
            #expect(now.contains { $0.seq > 10 && $0.text.contains(#""kind":"damage""#) }, "\(kind)")
            // A second look at the log may have written about it once more, before or after them.
            let later = now.filter { $0.seq > 10 && $0.text.contains("act 1") }
            #expect(later.count == 2 && later.allSatisfy { $0.seq > 11 }, "\(kind): \(now.map(\.seq))")
            let found = try await writer.audit.verify()
            #expect(!found.problems.isEmpty && !writer.alertReporter.alerts.isEmpty, "\(kind)")

            // It stays a problem, and is no alarm, when somebody has seen it.
            let seen = try await writer.audit.acknowledge(by: "admin")
            #expect(seen.open == [], "\(kind): \(seen.open)")
            #expect(writer.alertReporter.alerts.isEmpty)
            await writer.write(13...13)
            #expect(try await writer.audit.verify().open == [] && writer.alertReporter.alerts.isEmpty, "\(kind)")
            await writer.end()
        }
    }

    @Test(arguments: Attack.allCases) func `a log that was set back while no controller ran is told at the next start`(kind: Attack)
        async throws
    {
        let folder = try TemporaryFolder()
        try await withRedis { redis, _, connection in
            let first = Writer(redis.socket, marks: "\(folder.path)/marks", key: key)
            await first.write(1...10)
            await first.end()
            try await attack(kind, connection)
            let second = Writer(redis.socket, marks: "\(folder.path)/marks", key: key)
            let alert = try await second.alert()
            #expect(alert.contains("not intact"), "\(alert)")
            await second.write(11...11)
            #expect(try await lines(connection).last?.seq ?? 0 > 11, "\(kind)")
            await second.end()
        }
    }

    @Test func `an entry cut out of the middle is told with its number while the controller runs`() async throws {
        try await withRedis { redis, _, connection in
            let writer = Writer(redis.socket, key: key)
            await writer.write(1...10)
            #expect(try await writer.audit.verify().problems == [])
            try await connection.command(["XDEL", "test:audit", "4-0", "5-0"])
            #expect(try await writer.alert() == "the audit log is not intact: entries 4 to 5 are missing")
            try await eventually("the log says it itself") {
                try await lines(connection).contains { $0.text.contains("entries 4 to 5 are missing") }
            }
            await writer.end()
        }
    }

    @Test func `of two controllers one begins the new segment, and both go on in it`() async throws {
        try await withRedis { redis, _, connection in
            let both = [Writer(redis.socket, key: key), Writer(redis.socket, key: key)]
            for writer in both { await writer.write(1...5) }
            for writer in both { #expect(try await writer.audit.verify().problems == []) }
            try await connection.command(["DEL", "test:audit", "test:audit:head"])
            for writer in both { _ = try await writer.alert() }
            for _ in 0..<3 { for writer in both { await writer.write(1...1) } }
            for writer in both { _ = try await writer.audit.verify() }
            let segments = try await lines(connection).filter { $0.text.contains(#""kind":"damage""#) && $0.text.contains("set back") }
            #expect(segments.count == 1)
            #expect(try await lines(connection).count < 20)
            for writer in both { await writer.end() }
        }
    }

    @Test func `a crash, another controller's entries and the retention are no alarm`() async throws {
        let folder = try TemporaryFolder()
        try await withRedis { redis, _, connection async throws in
            let first = Writer(redis.socket, marks: "\(folder.path)/marks", key: key)
            for number in 1...5 { await first.audit.recordNow(AuditEntry(at: SystemClock.now() + -172_800, .change, "old \(number)")) }
            await first.end()
            let other = Writer(redis.socket, marks: "\(folder.path)/other", key: key)
            // More than one piece of the log, all of it old; the retention takes away what the first one knows.
            for _ in 0..<1200 { other.audit.record(AuditEntry(at: SystemClock.now() + -172_800, .change, "old")) }
            await other.write(1...1)
            #expect(try await other.audit.verify().problems == [])
            other.audit.retentionDays = 1
            await other.audit.retire()
            let second = Writer(redis.socket, marks: "\(folder.path)/marks", key: key)
            await second.write(1...3)
            #expect(try await second.audit.verify().problems == [] && second.alertReporter.alerts.isEmpty)
            #expect(try await other.audit.verify().problems == [] && other.alertReporter.alerts.isEmpty)
            #expect(try await lines(connection).count < 20)
            for writer in [other, second] { await writer.end() }
        }
    }

    @Test func `the log of the version before is taken over as it is, and carries codes from then on`() async throws {
        try await withRedis { redis, _, connection async throws in
            let old = AuditLog(store: APIStore(connection: connection, prefix: "test"), log: .none)
            for number in 1...5 { old.record(AuditEntry(.change, "old \(number)")) }
            _ = await old.flush()
            let writer = Writer(redis.socket, key: key)
            await writer.write(6...8)
            #expect(try await writer.audit.verify().problems == [] && writer.alertReporter.alerts.isEmpty)
            #expect(try await lines(connection).map { $0.mac != nil } == Array(repeating: false, count: 5) + [true, true, true])
            await writer.end()
        }
    }

    @Test func `an entry whose answer was lost is there once`() async throws {
        try await withRedis { redis, folder, connection in
            let writer = Writer(redis.socket, key: key, deadline: 2)
            await writer.write(1...3)
            // It hangs with the command in its socket: it is carried out when nobody waits for the answer any more.
            let pid = try pid(in: "\(folder)/redis.pid")
            kill(pid, SIGSTOP)
            await writer.write(4...4)
            #expect(writer.audit.figures.pending == 1)
            writer.audit.record(AuditEntry(.change, "act 5"))
            kill(pid, SIGCONT)
            try await eventually("all is written", within: 30) { writer.audit.figures.pending == 0 }
            await writer.write(6...6)
            let entries = try await lines(connection).compactMap { AuditLine(seq: $0.seq, text: $0.text, hash: $0.hash).entry?.action }
            #expect(entries == (1...6).map { "act \($0)" })
            #expect(try await writer.audit.verify().problems == [])
            await writer.end()
        }
    }
}
