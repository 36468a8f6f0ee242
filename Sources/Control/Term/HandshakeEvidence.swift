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

    var knowledge = HandshakeKnowledge()
    /// Pools whose servers are being asked.
    private(set) var asking: Set<CountryCode> = []
    /// Providers whose key is being examined.
    private var examining: Set<ProviderName> = []
    private var failures: [ProviderName: [Failure]] = [:]

    /// False where the pool's servers are being asked already.
    mutating func beginAsking(_ country: CountryCode) -> Bool { asking.insert(country).inserted }
    mutating func endAsking(_ country: CountryCode) { asking.remove(country) }

    /// False where the provider's key is being examined already.
    mutating func beginExamining(_ provider: ProviderName) -> Bool { examining.insert(provider).inserted }
    mutating func endExamining(_ provider: ProviderName) { examining.remove(provider) }

    mutating func keyWasAccepted(by provider: ProviderName) { failures[provider] = nil }

    /// Servers of one provider that took our key before, or were meant to, don't answer now.
    /// - Returns: how many servers have been silent lately.
    mutating func wereSilent(_ servers: [Server], of provider: ProviderName, now: Timestamp) -> Int {
        let names = Set(servers.map(\.hostname))
        let recent = (failures[provider] ?? []).filter { now - $0.at < Self.failureSeconds && !names.contains($0.server.hostname) }
        let all = (recent + servers.map { Failure(server: $0, at: now) }).suffix(Self.mostFailures)
        failures[provider] = Array(all)
        return all.count
    }

    func silentServers(of provider: ProviderName) -> [Server] { (failures[provider] ?? []).map(\.server) }

    /// The wall clock was set by so many seconds.
    mutating func shift(by seconds: Double) {
        failures = failures.mapValues { $0.map { Failure(server: $0.server, at: $0.at + seconds) } }
        knowledge.shift(by: seconds)
    }
}
