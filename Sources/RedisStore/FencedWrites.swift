/// Writes that only the controller may make that holds the lease.
struct FencedWrites: Sendable {
    /// Commands that are carried out all or not at all.
    typealias Group = [[String]]

    let connection: RedisConnection
    /// `<prefix>:fence` and `<prefix>:version` are the lease's (`LeaseRecord`).
    let prefix: String
    /// The fencing number under which we write; nil where there is no lease.
    let fence: (@Sendable () -> Int)?

    /// Words in one script, but for a group that has more by itself: Redis takes about a million, and does nothing else meanwhile.
    private static let wordLimit = 20_000
    /// Names in one command: Lua's `unpack` gives up at 8,000 words.
    private static let nameLimit = 500

    /// One command for many names, as often as it takes: `HDEL key` for fields, `DEL` for keys.
    static func commands(_ beginning: [String], for names: some Sequence<String>) -> [[String]] {
        let names = Array(names)
        return stride(from: 0, to: names.count, by: nameLimit).map { beginning + names[$0..<min($0 + nameLimit, names.count)] }
    }

    /// Carries groups out in their order, unless another controller has held the lease since we did. Where it breaks off, some
    /// groups at the beginning are done and the others are not.
    /// - Parameter isChange: it changes what other controllers show: pools, exits, users.
    /// - Throws: `RedisError` with `fenced`
    func send(_ groups: [Group], isChange: Bool) async throws {
        for part in Self.parts(groups) {
            guard let fence else {
                try await connection.transaction(part)
                continue
            }
            try await connection.command(
                ["EVAL", Self.script, "2", "\(prefix):fence", "\(prefix):version", String(fence()), isChange ? "1" : "0"]
                    + CommandScript.words(part))
        }
    }

    /// The groups put together, each part small enough for one script.
    private static func parts(_ groups: [Group]) -> [Group] {
        var (parts, words): ([Group], Int) = ([], 0)
        for group in groups where !group.isEmpty {
            let count = group.reduce(0) { $0 + $1.count + 1 }
            if parts.isEmpty || words + count > wordLimit {
                parts.append([])
                words = 0
            }
            parts[parts.count - 1] += group
            words += count
        }
        return parts
    }

    private static let script = """
        if redis.call('GET', KEYS[1]) ~= ARGV[1] then return redis.error_reply('FENCED another controller leads') end
        \(CommandScript.carryingOut(from: 3))
        if ARGV[2] == '1' then redis.call('INCR', KEYS[2]) end
        return 'OK'
        """
}
