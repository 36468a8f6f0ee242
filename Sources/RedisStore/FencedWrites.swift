/// Writes that only the controller may make that holds the lease, all or nothing.
struct FencedWrites: Sendable {
    let connection: RedisConnection
    /// `<prefix>:fence` and `<prefix>:version` are the lease's (`LeaseRecord`).
    let prefix: String
    /// The fencing number under which we write; nil where there is no lease.
    let fence: (@Sendable () -> Int)?

    /// Carries commands out, unless another controller has held the lease since we did.
    /// - Parameter isChange: it changes what other controllers show: pools, exits, users.
    /// - Throws: `RedisError` with `fenced`
    func send(_ commands: [[String]], isChange: Bool) async throws {
        guard let fence else {
            try await connection.transaction(commands)
            return
        }
        let words = commands.flatMap { [String($0.count)] + $0 }
        try await connection.command(
            ["EVAL", Self.script, "2", "\(prefix):fence", "\(prefix):version", String(fence()), isChange ? "1" : "0"] + words)
    }

    private static let script = """
        if redis.call('GET', KEYS[1]) ~= ARGV[1] then return redis.error_reply('FENCED another controller leads') end
        local at = 3
        while at <= #ARGV do
            local count = tonumber(ARGV[at])
            redis.call(unpack(ARGV, at + 1, at + count))
            at = at + count + 1
        end
        if ARGV[2] == '1' then redis.call('INCR', KEYS[2]) end
        return 'OK'
        """
}
