package import Model

/// The lease of the one controller that may act, in Redis: who holds it, with which fencing number, until when.
///
/// | key | type | holds |
/// | --- | --- | --- |
/// | `<prefix>:lease` | hash that expires | the holder's instance, token and fencing number |
/// | `<prefix>:fence` | string | the fencing number of the last holder; it only grows |
/// | `<prefix>:version` | string | counts the changes of pools, exits and users |
///
/// It needs a connection of its own: a claim must not wait behind other commands.
package struct LeaseRecord: Sendable {
    private let connection: RedisConnection
    private let prefix: String

    package init(connection: RedisConnection, prefix: String) {
        self.connection = connection
        self.prefix = prefix
    }

    /// Takes the lease where it is free, keeps it where it is the claimant's, and tells who holds it where it is another's.
    ///
    /// Everything is compared and set in one script. A lease that ran out and that nobody took meanwhile goes on under its
    /// number. A store that has lost its memory learns the highest number that the claimant knows.
    package func claim(_ claim: LeaseClaim) async throws -> LeaseAnswer {
        let reply = try await connection.command(
            ["EVAL", Self.claimScript, "4", "\(prefix):lease", "\(prefix):fence", "\(prefix):version", StoreFormat.key(prefix)]
                + [claim.token, claim.instance, String(claim.milliseconds), String(claim.fence), String(claim.highest)]
                + [claim.mayInherit ? "1" : "0", String(StoreFormat.current)])
        guard let items = reply.list, items.count == 5, let isOurs = items[0].integer, let fence = items[1].integer,
            let holder = items[2].text, let version = items[3].integer, let hasForgotten = items[4].integer
        else { throw RedisError(code: .unreadable, message: "the claim of the lease was answered with something else") }
        return LeaseAnswer(isOurs: isOurs == 1, fence: fence, holder: holder, version: version, hasForgotten: hasForgotten == 1)
    }

    /// Gives the lease up, so that another controller need not wait for its end. One that is another's stays.
    package func resign(token: String) async throws {
        let script = "if redis.call('HGET', KEYS[1], 'token') == ARGV[1] then redis.call('DEL', KEYS[1]) end"
        try await connection.command(["EVAL", script, "1", "\(prefix):lease", token])
    }

    /// The instance that holds the lease; nil where nobody does.
    package func holder() async throws -> String? { try await connection.command(["HGET", "\(prefix):lease", "instance"]).text }

    private static let claimScript = """
        local format = redis.call('GET', KEYS[4])
        if format and (tonumber(format) or 1e9) > tonumber(ARGV[7]) then return redis.error_reply('NEWER ' .. format) end
        local token, instance, mine, highest = ARGV[1], ARGV[2], tonumber(ARGV[4]), tonumber(ARGV[5])
        local holder = redis.call('HMGET', KEYS[1], 'token', 'instance', 'fence')
        local last = tonumber(redis.call('GET', KEYS[2]) or '0')
        local version = tonumber(redis.call('GET', KEYS[3]) or '0')
        if holder[1] and holder[1] ~= token and not (ARGV[6] == '1' and holder[2] == instance) then
            return {0, tonumber(holder[3]), holder[2], version, 0}
        end
        local forgotten = mine > last and 1 or 0
        if holder[1] == token then mine = math.max(mine, tonumber(holder[3])) end
        local fence = mine
        if mine == 0 or last > mine or highest > mine then fence = math.max(last, highest) + 1 end
        if fence ~= last then redis.call('SET', KEYS[2], fence) end
        if fence ~= last or holder[1] ~= token then
            redis.call('HSET', KEYS[1], 'token', token, 'instance', instance, 'fence', fence)
        end
        redis.call('PEXPIRE', KEYS[1], ARGV[3])
        return {1, fence, instance, version, forgotten}
        """
}
