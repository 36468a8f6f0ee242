@testable import API
@testable import AuditLog
import Model
import Platform
@testable import RequestPipeline
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct AuditTests {
    private func chain(_ count: Int) throws -> [AuditLine] {
        try AuditChain.lines(
            (1...count).map { AuditEntry(at: Timestamp(milliseconds: Int64($0)), .change, "action \($0)") }, after: .genesis)
    }

    private func problems(_ lines: [AuditLine], stored: AuditHead?, expecting heads: [AuditHead] = []) -> [String] {
        var verifier = AuditChain.Verifier(expecting: heads)
        for line in lines { verifier.read(line) }
        verifier.finish(stored: stored)
        return verifier.problems
    }

    @Test func `a whole chain has no problem, and survives its export`() throws {
        let lines = try chain(20)
        let head = AuditHead(seq: 20, hash: try #require(lines.last).hash)
        #expect(problems(lines, stored: head) == [])
        let back = lines.compactMap { AuditLine(exported: $0.exported) }
        #expect(back == lines && problems(back, stored: nil) == [])
        #expect(problems([], stored: .genesis) == [])
    }

    @Test(arguments: 0..<20) func `an entry that was altered, removed, doubled or moved is found, wherever it is`(index: Int) throws {
        let lines = try chain(20)
        let head = AuditHead(seq: 20, hash: try #require(lines.last).hash)
        var altered = lines
        altered[index].text = altered[index].text.replacing("action", with: "nothing")
        #expect(!problems(altered, stored: head).isEmpty)
        // One who hashes it anew breaks what builds on it, or the head.
        altered[index].hash = AuditChain.hash(of: altered[index].text)
        #expect(!problems(altered, stored: head).isEmpty)
        var removed = lines
        removed.remove(at: index)
        #expect(!problems(removed, stored: head).isEmpty)
        var doubled = lines
        doubled.insert(lines[index], at: index)
        #expect(!problems(doubled, stored: head).isEmpty)
        var moved = lines
        moved.swapAt(index, (index + 7) % 20)
        #expect(!problems(moved, stored: head).isEmpty)
    }

    @Test func `a chain that was made anew from the start is found by a head that was noted`() throws {
        let whole = try chain(20)
        let noted = AuditHead(seq: 10, hash: whole[9].hash)
        let made = try AuditChain.lines((1...20).map { AuditEntry(.change, "made up \($0)") }, after: .genesis)
        let head = AuditHead(seq: 20, hash: try #require(made.last).hash)
        #expect(problems(made, stored: head) == [])
        #expect(problems(made, stored: head, expecting: [noted]) == ["entry 10 is not the one that was noted"])
        #expect(problems(whole, stored: nil, expecting: [noted]) == [])
    }

    @Test func `retention keeps the chain provable, and removal without it does not`() async throws {
        let store = MemoryAuditStore()
        let audit = AuditLog(store: store, log: .none)
        let running = Task { await audit.run() }
        defer { running.cancel() }
        let now = SystemClock.now()
        for day in (0..<10).reversed() { await audit.recordNow(AuditEntry(at: now + Double(day) * -86_400, .change, "day \(day)")) }
        audit.retentionDays = 4.5
        await audit.retire(now: now)
        let found = try await audit.verify()
        #expect(found.problems == [] && found.first == 6 && found.count == 6)
        store.tamper { $0.removeFirst() }
        #expect(try await audit.verify().problems.count == 1)
    }

    @Test func `looking at the log while it is written ends nothing and doubles nothing`() async throws {
        let audit = AuditLog(store: MemoryAuditStore(), log: .none)
        let running = Task { await audit.run() }
        defer { running.cancel() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<400 { group.addTask { await audit.recordNow(AuditEntry(.change, "\(number)")) } }
            for _ in 0..<100 {
                group.addTask {
                    let problems = try await audit.verify().problems
                    #expect(problems == [])
                }
            }
            try await group.waitForAll()
        }
        #expect(try await audit.verify().count == 400)
    }

    @Test func `many writers on one log make one chain`() async throws {
        let store = MemoryAuditStore()
        let audits = (0..<4).map { _ in AuditLog(store: store, log: .none) }
        let running = audits.map { audit in Task { await audit.run() } }
        defer { running.forEach { $0.cancel() } }
        await withTaskGroup(of: Void.self) { group in
            for audit in audits { group.addTask { for number in 0..<100 { await audit.recordNow(AuditEntry(.change, "\(number)")) } } }
        }
        let found = try await audits[0].verify()
        #expect(found.count == 400 && found.problems == [])
    }

    @Test(arguments: Way.allCases) func `every change and every refused try is there, with what was before and after`(way: Way) async throws
    {
        try await Subject.with(way) { subject in
            _ = try await subject.call("PUT", "/api/pools/us", as: .operator, body: #"{"size":2}"#)
            _ = try await subject.call("DELETE", "/api/users/alice", as: .viewer)
            _ = try await subject.call("GET", "/api/exits", as: nil)
            _ = try await subject.call("GET", "/api/exits", as: .viewer)
            let made = try await subject.call("POST", "/api/users", body: #"{"name":"bob"}"#)
            let key = try #require(Subject.keys[.operator])
            for _ in 0..<2 {
                let headers = [(name: "X-API-Key", value: key), (name: "Idempotency-Key", value: "again")]
                #expect(try await subject.call("POST", "/api/exits/us-1/rotate", headers: headers).status == 202)
            }
            func entries(_ query: String) async throws -> [Document] {
                guard case .array(let items)? = try await subject.call("GET", "/audit/logs\(query)")["entries"] else { return [] }
                return items
            }
            try await eventually("all are written") { try await entries("").count >= 6 }
            // What is done to an exit shows the exit as it was; what was not done again says so.
            let rotations = try await entries("?action=POST%20/api/exits/%7Bid%7D/rotate")
            guard rotations.count == 2, case .object(let again) = rotations[0], case .object(let first) = rotations[1],
                case .object(let exit)? = first["before"]
            else { return #expect(Bool(false), "\(rotations)") }
            #expect(exit["id"] == .string("us-1") && exit["leaving"] == .bool(false) && first["details"] == nil)
            #expect(again["details"] == .string("repeated answer for its Idempotency-Key; nothing was done"))
            guard case .object(let change)? = try await entries("?kind=change&action=PUT%20/api/pools/%7Bcc%7D").first,
                case .object(let before)? = change["before"], case .object(let after)? = change["after"]
            else { return #expect(Bool(false)) }
            #expect(before["size"] == .integer(1) && after["size"] == .integer(2) && change["key"] == .string("operator"))
            #expect(change["status"] == .integer(200) && change["address"] == .string("127.0.0.1"))
            #expect(try await entries("?kind=refused&status=403").count == 1)
            #expect(try await entries("?kind=refused&status=401").count == 1)
            let text = try await subject.call("GET", "/audit/export").text
            guard case .string(let password)? = made["password"] else { return #expect(Bool(false)) }
            #expect(!text.contains(password) && text.contains("********"))
            #expect(try await subject.call("GET", "/audit/verify")["intact"] == .bool(true))
            #expect(try await entries("?limit=1").count == 1)
        }
    }
}
