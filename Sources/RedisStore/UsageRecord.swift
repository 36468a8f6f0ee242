package import Model
import Synchronization

/// What users and exits have used, in Redis.
///
/// | key | type | holds | kept |
/// | --- | --- | --- | --- |
/// | `<prefix>:usage:counters` | hash | the last reading of each counter of the gateway | while it counts |
/// | `<prefix>:usage:total:<subject>` | hash | `us.in`, `us.out`, `us.connections`, `us.errors` | for good |
/// | `<prefix>:usage:month:<subject>:2026-11` | hash | the same | 400 days |
/// | `<prefix>:usage:day:<subject>:2026-11-21` | hash | the same | 100 days |
/// | `<prefix>:usage:hour:<subject>:2026-11-21T13` | hash | the same | 8 days |
/// | `<prefix>:usage:now` | string | bytes a second and open connections of exits and users, as JSON | 15 s |
/// | `<prefix>:usage:accounts` | set | the accounts that have a total | while their users exist |
///
/// A subject is `user:<account>` or `exit:us-1`; an account is a user's name and creation (`ProxyUser.account`), so that a
/// later user of that name inherits nothing. A reading of a counter and the sums that it adds to are written in one transaction,
/// under the fencing number of the lease: what was read is added once, whoever dies in between.
package final class UsageRecord: Sendable {
    let connection: RedisConnection
    let prefix: String
    let writes: FencedWrites
    /// The traffic that was written last.
    let saved = Mutex<(traffic: [String: CurrentTraffic], at: ContinuousClock.Instant)?>(nil)

    /// - Parameter fence: asked before each write, as in `Store`.
    package init(connection: RedisConnection, prefix: String, fence: (@Sendable () -> Int)? = nil) {
        self.connection = connection
        self.prefix = "\(prefix):usage"
        writes = FencedWrites(connection: connection, prefix: prefix, fence: fence)
    }

    // MARK: - Adding up

    /// Adds what was counted since the last reading.
    /// - Parameter isWhole: every counter that exists is in the reading, so that others can be forgotten.
    package func add(_ reading: UsageReading, isWhole: Bool, now: Timestamp) async throws {
        let last = try await counters()
        var groups: [FencedWrites.Group] = []
        var accounts: Set<UserAccount> = []
        for (name, entry) in reading.counters where last[name] != entry.usage {
            var group = [["HSET", "\(prefix):counters", name, Self.text(entry.usage)]]
            let fresh = entry.usage.since(last[name] ?? Usage())
            if !fresh.isEmpty, let counted = entry.subject {
                let (subject, country) = Self.parts(counted)
                for key in keys(subject, now) { group += Self.additions(of: fresh, country: country, to: key) }
                if case .user(let account, _) = counted { accounts.insert(account) }
            }
            groups.append(group)
        }
        // An account without a total does no harm, a total that no account leads to would stay for good.
        let known = FencedWrites.commands(["SADD", "\(prefix):accounts"], for: accounts.map(\.description).sorted()).map { [$0] }
        let gone = isWhole ? last.keys.filter { reading.counters[$0] == nil } : []
        let forgotten = FencedWrites.commands(["HDEL", "\(prefix):counters"], for: gone).map { [$0] }
        try await writes.send(known + groups + forgotten, isChange: false)
    }

    private func counters() async throws -> [String: Usage] {
        let items = try await connection.command(["HGETALL", "\(prefix):counters"]).list ?? []
        var counters: [String: Usage] = [:]
        for index in stride(from: 0, to: items.count - 1, by: 2) {
            let numbers = (items[index + 1].text ?? "").split(separator: " ").compactMap { Int($0) }
            guard let name = items[index].text, numbers.count == 4 else { continue }
            counters[name] = Usage(bytesIn: numbers[0], bytesOut: numbers[1], connections: numbers[2], errors: numbers[3])
        }
        return counters
    }

    private static func text(_ usage: Usage) -> String { "\(usage.bytesIn) \(usage.bytesOut) \(usage.connections) \(usage.errors)" }

    private static func parts(_ subject: UsageSubject) -> (name: String, country: String) {
        switch subject {
        case .user(let account, let country): ("user:\(account)", country.lowercased)
        case .exit(let id): ("exit:\(id)", id.country.lowercased)
        }
    }

    /// Where something that happens now is added, with the seconds that it is kept.
    private func keys(_ subject: String, _ now: Timestamp) -> [(key: String, seconds: Int?)] {
        let day = 86_400
        return [
            ("\(prefix):total:\(subject)", nil), ("\(prefix):month:\(subject):\(now.month)", 400 * day),
            ("\(prefix):day:\(subject):\(now.day)", 100 * day), ("\(prefix):hour:\(subject):\(now.hour)", 8 * day),
        ]
    }

    private static func additions(of usage: Usage, country: String, to key: (key: String, seconds: Int?)) -> [[String]] {
        let numbers = [("in", usage.bytesIn), ("out", usage.bytesOut), ("connections", usage.connections), ("errors", usage.errors)]
        var commands = numbers.filter { $0.1 != 0 }.map { ["HINCRBY", key.key, "\(country).\($0.0)", String($0.1)] }
        if let seconds = key.seconds { commands.append(["EXPIRE", key.key, String(seconds)]) }
        return commands
    }

    // MARK: - Telling

    /// What these users have used today, this month and ever.
    package func sums(of users: [ProxyUser], now: Timestamp) async throws -> [String: (day: Usage, month: Usage, total: Usage)] {
        guard !users.isEmpty else { return [:] }
        let wanted = users.flatMap { user in
            let subject = "user:\(user.account)"
            return ["day:\(subject):\(now.day)", "month:\(subject):\(now.month)", "total:\(subject)"]
        }
        let replies = try await self.sums(wanted)
        var sums: [String: (day: Usage, month: Usage, total: Usage)] = [:]
        for (index, user) in users.enumerated() { sums[user.name] = (replies[index * 3], replies[index * 3 + 1], replies[index * 3 + 2]) }
        return sums
    }

    /// What the hashes of these names add up to, in their order.
    func sums(_ names: [String]) async throws -> [Usage] {
        var sums: [Usage] = []
        // In pieces, so that others get their turn on this connection.
        for start in stride(from: 0, to: names.count, by: 3_000) {
            let piece = names[start..<min(start + 3_000, names.count)].map { ["HGETALL", "\(prefix):\($0)"] }
            sums += try await connection.transaction(piece, isAtomic: false).map { Self.period("", $0).sum }
        }
        return sums
    }

    package func report(of user: ProxyUser, now: Timestamp, hours: Int, days: Int) async throws -> UsageReport {
        try await report(of: "user:\(user.account)", now, hours, days)
    }

    /// By the exit's name: a later one of that name goes on where it ended.
    package func report(of exit: ExitID, now: Timestamp, hours: Int, days: Int) async throws -> UsageReport {
        try await report(of: "exit:\(exit)", now, hours, days)
    }

    private func report(of subject: String, _ now: Timestamp, _ hours: Int, _ days: Int) async throws -> UsageReport {
        let hourNames = (0..<hours).map { (now + Double(-3600 * $0)).hour }
        let dayNames = (0..<days).map { (now + Double(-86_400 * $0)).day }
        var wanted: [(String, String)] = [
            ("", "total:\(subject)"), (now.day, "day:\(subject):\(now.day)"), (now.month, "month:\(subject):\(now.month)"),
        ]
        for name in dayNames { wanted.append((name, "day:\(subject):\(name)")) }
        for name in hourNames { wanted.append((name, "hour:\(subject):\(name)")) }
        let replies = try await connection.transaction(wanted.map { ["HGETALL", "\(prefix):\($0.1)"] }, isAtomic: false)
        let periods = zip(wanted, replies).map { Self.period($0.0.0, $0.1) }
        return UsageReport(
            total: periods[0], today: periods[1], month: periods[2], days: Array(periods[3..<3 + days]),
            hours: Array(periods[(3 + days)...]))
    }

    private static func period(_ from: String, _ reply: RedisReply) -> UsagePeriod {
        let items = reply.list ?? []
        var countries: [String: Usage] = [:]
        for index in stride(from: 0, to: items.count - 1, by: 2) {
            let words = (items[index].text ?? "").split(separator: ".")
            guard words.count == 2, let number = Int(items[index + 1].text ?? "") else { continue }
            let country = String(words[0])
            switch words[1] {
            case "in": countries[country, default: Usage()].bytesIn = number
            case "out": countries[country, default: Usage()].bytesOut = number
            case "connections": countries[country, default: Usage()].connections = number
            case "errors": countries[country, default: Usage()].errors = number
            default: continue
            }
        }
        return UsagePeriod(from: from, sum: countries.values.reduce(Usage(), +), countries: countries)
    }

    /// Forgets the totals of users who are not among these any more; days and months run out by themselves.
    package func forget(allBut users: [ProxyUser]) async throws {
        let known = (try await connection.command(["SMEMBERS", "\(prefix):accounts"]).list ?? []).compactMap(\.text)
        let gone = Set(known).subtracting(users.map(\.account.description)).sorted()
        try await writes.send(
            gone.map { [["DEL", "\(prefix):total:user:\($0)"], ["SREM", "\(prefix):accounts", $0]] }, isChange: false)
    }
}

extension Timestamp {
    fileprivate var month: String { String(description.prefix(7)) }
    var day: String { String(description.prefix(10)) }
    fileprivate var hour: String { String(description.prefix(13)) }
}
