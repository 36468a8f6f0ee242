import Model
import Platform

/// The audit log in Redis: a stream, and the number and hash of its last entry beside it.
extension APIStore {
    package typealias AuditText = (seq: Int, text: String, hash: String, mac: String?)

    private var auditKeys: [String] { ["\(prefix):audit", "\(prefix):audit:head"] }

    /// Where the log ends: what is noted of the head, the first and last number that are there, how many, and the highest ever given.
    package func auditEnd() async throws -> (head: String?, first: Int, last: Int, count: Int, highest: Int) {
        let reply = try await connection.command(["EVAL", Self.endScript, "2"] + auditKeys)
        guard let items = reply.list, items.count == 5, let count = items[3].integer else {
            throw RedisError(code: .unreadable, message: "the end of the audit log was answered with something else")
        }
        func number(_ reply: RedisReply) -> Int {
            reply.text?.split(separator: "-").first.flatMap { UInt64($0) }.map(Int.init(clamping:)) ?? 0
        }
        return (items[0].text, number(items[1]), number(items[2]), count, number(items[4]))
    }

    private static let endScript = """
        local head = redis.call('GET', KEYS[2])
        if redis.call('EXISTS', KEYS[1]) == 0 then return {head, '0-0', '0-0', 0, '0-0'} end
        local info = redis.call('XINFO', 'STREAM', KEYS[1])
        local highest = '0-0'
        for i = 1, #info, 2 do if info[i] == 'last-generated-id' then highest = info[i + 1] end end
        local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
        local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
        return {head, first and first[1] or '0-0', last and last[1] or '0-0', redis.call('XLEN', KEYS[1]), highest}
        """

    /// Adds lines if the noted head still is the expected one (nil: none): 0 then, 1 where the first of them is there already, else 2.
    package func appendAudit(_ lines: [AuditText], expected: String?, head: String) async throws -> Int {
        let words = ["EVAL", Self.appendScript, "2"] + auditKeys + [expected ?? "", head]
        let reply = try await connection.command(words + lines.flatMap { [String($0.seq), $0.text, $0.hash, $0.mac ?? ""] })
        guard let result = reply.integer else {
            throw RedisError(code: .unreadable, message: "adding to the audit log was answered with something else")
        }
        return result
    }

    private static let appendScript = """
        local there = redis.call('XRANGE', KEYS[1], ARGV[3] .. '-0', ARGV[3] .. '-0')[1]
        if there then
            for i = 1, #there[2], 2 do if there[2][i] == 'hash' and there[2][i + 1] == ARGV[5] then return 1 end end
        end
        if (redis.call('GET', KEYS[2]) or '') ~= ARGV[1] then return 2 end
        for i = 3, #ARGV, 4 do
            if ARGV[i + 3] == '' then
                redis.call('XADD', KEYS[1], ARGV[i] .. '-0', 'entry', ARGV[i + 1], 'hash', ARGV[i + 2])
            else
                redis.call('XADD', KEYS[1], ARGV[i] .. '-0', 'entry', ARGV[i + 1], 'hash', ARGV[i + 2], 'mac', ARGV[i + 3])
            end
        end
        redis.call('SET', KEYS[2], ARGV[2])
        return 0
        """

    package func auditLines(after seq: Int, limit: Int) async throws -> [AuditText] {
        Self.lines(try await connection.command(["XRANGE", auditKeys[0], String(seq + 1), "+", "COUNT", String(limit)]))
    }

    package func auditLines(before seq: Int, limit: Int) async throws -> [AuditText] {
        guard seq > 1 else { return [] }
        return Self.lines(try await connection.command(["XREVRANGE", auditKeys[0], String(seq - 1), "-", "COUNT", String(limit)]))
    }

    package func removeAudit(upTo seq: Int) async throws {
        try await connection.command(["XTRIM", auditKeys[0], "MINID", String(seq + 1)])
    }

    /// Renames a stream to which nothing can be added any more.
    package func setAuditAside() async throws {
        let name = "\(auditKeys[0]):aside:\(SystemClock.now().milliseconds)"
        try await connection.command(["RENAMENX", auditKeys[0], name])
    }

    private static func lines(_ reply: RedisReply) -> [AuditText] {
        (reply.list ?? []).compactMap { entry in
            guard let parts = entry.list, parts.count == 2, let id = parts[0].text, let fields = parts[1].list,
                let seq = id.split(separator: "-").first.flatMap({ Int($0) })
            else { return nil }
            var values: [String: String] = [:]
            for index in stride(from: 0, to: fields.count - 1, by: 2) { values[fields[index].text ?? ""] = fields[index + 1].text }
            return (seq, values["entry"] ?? "", values["hash"] ?? "", values["mac"])
        }
    }
}
