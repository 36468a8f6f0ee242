import Model
import Planning

/// What handshakes with servers have shown, sent by this machine or by exits: which servers answer, and whether a provider's key is at fault. A
/// value; time is an input.
struct HandshakeEvidence {
    private struct Failure {
        var server: Server
        var at: Timestamp
    }

    /// Seconds for which a server's silence counts against the key.
    private static let failureSeconds = 120.0
    private static let mostFailures = 20
    /// Seconds between two examinations of a key that nobody else tries.
    private static let examinedSeconds = 10.0

    var knowledge = HandshakeKnowledge()
    /// Pools whose servers are being asked.
    private(set) var asking: Set<CountryCode> = []
    /// Accounts whose key is being examined, and when each last was.
    private var examining: Set<ProviderAccount> = []
    private var examinedAt: [ProviderAccount: Timestamp] = [:]
    private var failures: [ProviderAccount: [Failure]] = [:]

    /// False where the pool's servers are being asked already.
    mutating func beginAsking(_ country: CountryCode) -> Bool { asking.insert(country).inserted }
    mutating func endAsking(_ country: CountryCode) { asking.remove(country) }

    /// False where the account's key is being examined already.
    mutating func beginExamining(_ account: ProviderAccount) -> Bool { examining.insert(account).inserted }
    mutating func endExamining(_ account: ProviderAccount) { examining.remove(account) }

    /// True where a key whose pause is over was not examined a moment ago.
    mutating func mayExamineAgain(_ account: ProviderAccount, _ now: Timestamp) -> Bool {
        guard examinedAt[account].map({ now - $0 >= Self.examinedSeconds }) ?? true else { return false }
        examinedAt[account] = now
        return true
    }

    mutating func keyWasAccepted(by account: ProviderAccount) { failures[account] = nil }

    /// Servers that were asked with one account's key, that took it before, or were meant to, and don't answer now.
    /// - Returns: how many servers have been silent lately.
    mutating func wereSilent(_ servers: [Server], of account: ProviderAccount, now: Timestamp) -> Int {
        let names = Set(servers.map(\.hostname))
        let recent = (failures[account] ?? []).filter { now - $0.at < Self.failureSeconds && !names.contains($0.server.hostname) }
        let all = (recent + servers.map { Failure(server: $0, at: now) }).suffix(Self.mostFailures)
        failures[account] = Array(all)
        return all.count
    }

    func silentServers(of account: ProviderAccount) -> [Server] { (failures[account] ?? []).map(\.server) }

    /// The wall clock was set by so many seconds.
    mutating func shift(by seconds: Double) {
        failures = failures.mapValues { $0.map { Failure(server: $0.server, at: $0.at + seconds) } }
        examinedAt = examinedAt.mapValues { $0 + seconds }
        knowledge.shift(by: seconds)
    }
}
