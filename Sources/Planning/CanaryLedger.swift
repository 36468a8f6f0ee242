package import Model

/// What canaries have said at each exit, and what that adds up to. Pure: time is an input.
///
/// A canary that is refused at one exit while another one gets its answer is blocked there. One that no exit gets an answer from says nothing
/// about exits: it is the canary's own fault.
package struct CanaryLedger: Sendable {
    private struct Record {
        var result: CanaryResult
        /// Bad answers in a row.
        var failures: Int
        var server: String?
    }

    /// Bad answers in a row after which one is believed.
    private static let failuresUntilBlocked = 2
    /// Seconds for which a server is not chosen where a canary was blocked behind it.
    private static let serverSeconds = 86_400.0
    /// Seconds between two replacements of a pool for canaries, and longer each time while the new exits are blocked too.
    private static let pauses = BackOff(first: 600, longest: 6 * 3_600)

    private var records: [ExitID: [String: Record]] = [:]
    private var moves: [CountryCode: (count: Int, at: Timestamp)] = [:]
    private var servers: [String: Timestamp] = [:]
    /// Canaries that are blocked at an exit, by name.
    package private(set) var blocked: [ExitID: [String]] = [:]
    /// Since when a canary has been bad at each exit that has asked it.
    package private(set) var faulty: [String: Timestamp] = [:]

    package init() {}

    // MARK: - What was seen

    /// - Parameters:
    ///   - detail: nil for a good answer.
    ///   - server: the host name of the exit's server.
    package mutating func note(_ canary: String, at exit: ExitID, detail: String?, server: String?, _ now: Timestamp) {
        let failures = detail == nil ? 0 : (records[exit]?[canary]?.failures ?? 0) + 1
        let result = CanaryResult(name: canary, passed: detail == nil, detail: detail, checkedAt: now)
        records[exit, default: [:]][canary] = Record(result: result, failures: failures, server: server)
        judge(now)
    }

    /// An exit that is probed no more, or has another container.
    package mutating func forget(_ exit: ExitID, _ now: Timestamp) {
        guard records.removeValue(forKey: exit) != nil else { return }
        judge(now)
    }

    private mutating func judge(_ now: Timestamp) {
        var verdicts: [String: (isGood: Bool, isBad: Bool)] = [:]
        for record in records.values.flatMap(\.values) {
            verdicts[record.result.name, default: (false, true)].isGood =
                verdicts[record.result.name]?.isGood ?? false || record.result.passed
            if record.failures < Self.failuresUntilBlocked { verdicts[record.result.name]?.isBad = false }
        }
        let bad = verdicts.filter { !$0.value.isGood && $0.value.isBad }.keys
        faulty = bad.reduce(into: [:]) { $0[$1] = faulty[$1] ?? now }
        blocked = [:]
        for (exit, own) in records {
            let names = own.values.filter { $0.failures >= Self.failuresUntilBlocked && verdicts[$0.result.name]?.isGood ?? false }
            guard !names.isEmpty else { continue }
            blocked[exit] = names.map(\.result.name).sorted()
            if let server = names.first?.server { servers[server] = now + Self.serverSeconds }
        }
    }

    package func results(at exit: ExitID) -> [CanaryResult] { (records[exit] ?? [:]).values.map(\.result).sorted { $0.name < $1.name } }

    /// True where a bad answer is to be confirmed soon.
    package func isSuspect(_ exit: ExitID) -> Bool {
        records[exit]?.values.contains { (1..<Self.failuresUntilBlocked).contains($0.failures) } ?? false
    }

    /// The exits at which a canary is blocked, with what one of them was answered.
    package func blocked(_ canary: String) -> (exits: [ExitID], detail: String?) {
        let exits = blocked.filter { $0.value.contains(canary) }.keys.sorted()
        return (exits, (exits.first ?? records.keys.min()).flatMap { records[$0]?[canary]?.result.detail })
    }

    // MARK: - Replacements

    /// Host names of servers behind which a canary was blocked in the last day.
    package func avoided(_ now: Timestamp) -> Set<String> { Set(servers.filter { $0.value > now }.keys) }

    /// A pool has replaced an exit for a canary.
    package mutating func moved(_ country: CountryCode, _ now: Timestamp) {
        servers = servers.filter { $0.value > now }
        moves[country] = ((moves[country]?.count ?? 0) + 1, now)
    }

    /// Pools that may replace an exit for a canary now.
    package mutating func movable(_ now: Timestamp) -> Set<CountryCode> {
        let countries = Set(blocked.keys.map(\.country))
        // A pool that has had no blocked exit for as long as its pause begins anew.
        moves = moves.filter { countries.contains($0.key) || now - $0.value.at < Self.pause($0.key, $0.value.count) }
        return countries.filter { country in moves[country].map { now - $0.at >= Self.pause(country, $0.count) } ?? true }
    }

    private static func pause(_ country: CountryCode, _ count: Int) -> Double {
        pauses.pause(attempts: count, salt: UInt64(country.rawValue.utf8.first ?? 0))
    }

    /// The clock was set by so many seconds.
    package mutating func shift(by seconds: Double) {
        moves = moves.mapValues { ($0.count, $0.at + seconds) }
        servers = servers.mapValues { $0 + seconds }
        faulty = faulty.mapValues { $0 + seconds }
        for (exit, own) in records { records[exit] = own.mapValues { Self.shifted($0, by: seconds) } }
    }

    private static func shifted(_ record: Record, by seconds: Double) -> Record {
        var record = record
        record.result.checkedAt = record.result.checkedAt + seconds
        return record
    }
}
