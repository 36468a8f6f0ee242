import Glibc
import HTTPTransport
import Model
import Platform
import RedisStore
import TestSupport
import Testing

/// What only the program as a whole can show: signals, its command, several of them on one store, and the store away.
@Suite(.serialized, .timeLimit(.minutes(3)), .enabled(if: RunningProgram.isBuilt, "there is no .build/debug/sallyport"))
struct RealProgramTests {
    @Test func `a configuration is taken whole or not at all, and it is told why`() async throws {
        let program = try RunningProgram()
        try await RunningProgram.with([program]) {
            func requests() async throws -> Document? { try await program.field("requests", of: "/api/settings") }
            func refusals() async throws -> Int {
                try await program.call("GET", "/audit/logs?kind=system&limit=100").text.split(separator: #""details":"refused"#).count - 1
            }
            #expect(try await requests() == .integer(1000))

            // One mistake, and nothing of it is taken; each way says what is wrong.
            try program.configure(api: "limits: {requests: 2000, strict_requests: 9000, failed_keys: many}")
            let bad = "api.limits.failed_keys"
            let answer = try await program.call("POST", "/admin/reload")
            #expect(answer.status == 422 && answer.text.contains(bad), "\(answer.text)")
            let command = try await program.ask("reload")
            #expect(command.status == 1 && command.output.contains(bad), "\(command.output)")
            program.signal(SIGHUP)
            try await eventually("the log and the audit log say it", within: 30) {
                try await refusals() == 1 && program.log.contains("the configuration is not used") && program.log.contains(bad)
            }
            #expect(try await requests() == .integer(1000))

            // No file at all, a folder in its place, and one that is no YAML.
            for (name, change) in [
                ("gone", { unlink(program.configuration) }), ("a folder", { mkdir(program.configuration, 0o700) }),
            ] as [(String, () -> Int32)] {
                #expect(change() == 0)
                let answer = try await program.call("POST", "/admin/reload")
                #expect(answer.status == 422 && answer.text.contains("reading \(program.configuration)"), "\(name): \(answer.text)")
            }
            #expect(rmdir(program.configuration) == 0)
            try Files.write("api: [", to: program.configuration, mode: 0o600)
            let broken = try await program.call("POST", "/admin/reload")
            #expect(broken.status == 422 && broken.text.contains("c.yaml: line "), "\(broken.text)")
            #expect(try await requests() == .integer(1000))

            // A good one counts at once, whichever way it is told; what needs a restart is named.
            try program.configure(
                api: "limits: {requests: 3000, strict_requests: 9000}, log_requests: false", more: "catalog: {refresh_seconds: 9000}")
            let taken = try await program.ask("reload")
            #expect(taken.status == 0 && taken.output.contains("in force now: api.limits.requests, api.log_requests"), "\(taken.output)")
            #expect(taken.output.contains("after a restart: catalog"), "\(taken.output)")
            #expect(try await requests() == .integer(3000))
            try program.configure(api: "limits: {requests: 4000, strict_requests: 9000}")
            program.signal(SIGHUP)
            try await eventually("it counts", within: 30) { try await requests() == .integer(4000) }
            try await eventually("the audit log tells it", within: 30) {
                try await program.call("GET", "/audit/logs?kind=system").text.contains("changed: api.limits.requests")
            }
        }
    }

    @Test func `two programs on one Redis share limits and write one chain, which shows what is tampered with`() async throws {
        let redis = try await OwnRedis()
        let first = try RunningProgram(redis: redis.socket)
        let both = [first, try RunningProgram(redis: redis.socket, partner: first)]
        try await RunningProgram.with(both) {
            // What one lets in, the other knows.
            func used(_ program: RunningProgram) async throws -> Int {
                guard case .object(let use)? = try await program.field("standard", of: "/admin/ratelimit/stats/192.0.2.1"),
                    case .integer(let number)? = use["used"]
                else { return -1 }
                return number
            }
            for program in both {
                try program.configure(api: "trusted_proxies: [127.0.0.1], limits: {requests: 9000, strict_requests: 9000}")
            }
            for program in both { #expect(try await program.call("POST", "/admin/reload").status == 200) }
            for _ in 0..<10 { for program in both { try await program.visit(from: "192.0.2.1") } }
            try await eventually("each knows of both", within: 30) {
                // Asked for again, or it has nothing to hear.
                let counts = (try await used(both[0]), try await used(both[1]))
                if counts.0 >= 20, counts.1 >= 20 { return true }
                for program in both { try await program.visit(from: "192.0.2.1") }
                return false
            }

            // Both change things at the same time: one chain, with every entry in it.
            try await withThrowingTaskGroup(of: Int.self) { group in
                for program in both {
                    for number in 0..<15 {
                        group.addTask { try await program.call("PATCH", "/api/settings", #"{"failed_keys":\#(100 + number)}"#).status }
                    }
                }
                for try await status in group { #expect(status == 200) }
            }
            let whole = try await both[1].ask("audit", "verify")
            #expect(whole.status == 0 && whole.output.hasPrefix("intact: "), "\(whole.output)")
            let entries = try await both[0].call("GET", "/audit/logs?action=PATCH%20/api/settings&limit=1000").text
            #expect(entries.split(separator: #""action":"#).count - 1 == 30)
            try await tamper(redis, both)
        }
        try await redis.stop()
    }

    /// What somebody with access to Redis could do, and what `sallyport audit verify` says then.
    private func tamper(_ redis: OwnRedis, _ both: [RunningProgram]) async throws {
        let connection = RedisConnection(address: .unix(path: redis.socket))
        let store = APIStore(connection: connection, prefix: "sallyport")
        let lines = try await store.auditLines(after: 0, limit: 10_000)
        try #require(lines.count > 30)
        func put(_ changed: [APIStore.AuditText]) async throws {
            // At once: an empty log is one more thing to tell of.
            try await connection.transaction(
                [["DEL", "sallyport:audit"]]
                    + changed.map { line in
                        ["XADD", "sallyport:audit", "\(line.seq)-0", "entry", line.text, "hash", line.hash, "mac", line.mac ?? ""]
                    })
        }
        for (name, wanted) in [("altered", "was altered"), ("removed", "are missing"), ("reordered", "is stored in place of")] {
            var changed = lines
            switch name {
            case "altered": changed[12].text = changed[12].text.replacing(#""status":200"#, with: #""status":403"#)
            case "removed": changed.remove(at: 12)
            default:
                (changed[12].text, changed[13].text) = (changed[13].text, changed[12].text)
                (changed[12].hash, changed[13].hash) = (changed[13].hash, changed[12].hash)
            }
            try await put(changed)
            let found = try await both[0].ask("audit", "verify")
            #expect(found.status == 1 && found.output.contains(wanted) && found.output.contains("not intact"), "\(name): \(found.output)")
        }
        try await put(lines)
        // It stays told, although it was put right, until somebody has seen it.
        let mended = try await both[1].ask("audit", "verify")
        #expect(mended.status == 1, "\(mended.output)")
        try await eventually("no alarm is left", within: 30) {
            for program in both { #expect(try await program.ask("audit", "acknowledge").status == 0) }
            for program in both {
                if try await program.call("GET", "/api/alerts").text.contains(#""id":"audit""#) { return false }
            }
            return true
        }
        await connection.close()
    }

    @Test func `while Redis is away limits count on, and no entry of the audit log is lost`() async throws {
        let redis = try await OwnRedis()
        let program = try RunningProgram(redis: redis.socket)
        try await RunningProgram.with([program]) {
            try program.configure(api: "trusted_proxies: [127.0.0.1], limits: {requests: 20, strict_requests: 9000, window_seconds: 3600}")
            #expect(try await program.call("POST", "/admin/reload").status == 200)
            try await redis.stop()
            var statuses: [Int] = []
            for _ in 0..<25 { statuses.append(try await program.visit(from: "192.0.2.2")) }
            #expect(statuses.prefix(20).allSatisfy { $0 == 404 } && statuses.suffix(5).allSatisfy { $0 == 429 }, "\(statuses)")
            // A refused try is written down; it waits for the store.
            #expect(try await program.visit("/api/exits", from: "192.0.2.3") == 401)
            try await eventually("it is noticed", within: 60) { program.log.contains("rate limits count only in this process") }
            try await redis.start()
            try await eventually("limits are shared again", within: 60) { program.log.contains("rate limits are shared again") }
            try await eventually("the entry is written", within: 60) {
                try await program.call("GET", "/audit/logs?kind=refused&limit=100").text.contains("192.0.2.3")
            }
            // What was let in meanwhile is known to all, and still counts.
            #expect(try await program.visit(from: "192.0.2.2") == 429)
            let counter = try await Programs.run(
                "redis-cli", ["-s", redis.socket, "--scan", "--pattern", "*limit:standard:address:192.0.2.2*"])
            #expect(counter.output.contains("192.0.2.2"))
            let whole = try await program.ask("audit", "verify")
            #expect(whole.status == 0, "\(whole.output)")
        }
        try await redis.stop()
    }
}

extension RunningProgram {
    /// One request without a key, as through a proxy from an address.
    @discardableResult
    func visit(_ path: String = "/nowhere", from address: String) async throws -> Int {
        let raw = try await Blocking.run { [port] in try Raw(port: port, seconds: 30) }
        let answer = try await Blocking.run {
            raw.send("GET \(path) HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: \(address)\r\nConnection: close\r\n\r\n")
            return String(decoding: raw.receive(milliseconds: 30_000) ?? [], as: UTF8.self)
        }
        return answer.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    }
}
