package import Model

/// What servers have answered to handshakes of this machine, sent without an exit. A value: time is an input.
///
/// An answer proves that a server is there and takes our key, in one round trip and before a container is spent on it. Silence proves
/// something only where another server of that provider has answered here: a controller may stand where no handshake gets through.
package struct HandshakeKnowledge: Sendable, Equatable {
    package enum Answer: Sendable { case accepted, silent }

    private struct Reply: Sendable, Equatable {
        var at: Timestamp
        var answer: Answer
        var country: CountryCode
    }

    /// Seconds for which an acceptance, and a silence, counts.
    private static let acceptedSeconds = 3.0
    private static let silentSeconds = 30.0
    /// Seconds for which a provider is not asked after an exit has come up on a server that was silent.
    private static let uselessSeconds = 600.0

    /// By provider, account and host name.
    private var replies: [String: Reply] = [:]
    /// When a server last took our key, from here or from an exit.
    private var acceptedKeyAt: [String: Timestamp] = [:]
    private var acceptedAt: [ProviderName: Timestamp] = [:]
    private var uselessUntil: [ProviderName: Timestamp] = [:]
    /// When servers of a pool were last asked, and since when none of them has answered.
    private var askedAt: [CountryCode: Timestamp] = [:]
    private var silentSince: [CountryCode: Timestamp] = [:]

    package init() {}

    /// When a plan was last made of this. An answer that has come since is news, however long the pass in between has taken: where a part
    /// hangs, every answer would be too old otherwise.
    private var consideredAt: Timestamp?

    package mutating func considered(_ now: Timestamp) { consideredAt = now }

    private static func name(_ server: Server) -> String { "\(server.provider)/\(server.account ?? "")/\(server.hostname)" }

    // MARK: - What was seen

    /// The servers of a pool have been asked.
    package mutating func received(_ accepted: Set<String>, of servers: [Server], for country: CountryCode, _ now: Timestamp) {
        askedAt[country] = now
        let before = silentSince[country]
        silentSince[country] = before ?? now
        for server in servers {
            let isAccepted = accepted.contains(server.hostname)
            replies[Self.name(server)] = Reply(at: now, answer: isAccepted ? .accepted : .silent, country: country)
            guard isAccepted else { continue }
            acceptedKeyAt[Self.name(server)] = now
            acceptedAt[server.provider] = now
            uselessUntil[server.provider] = nil
            silentSince[country] = nil
        }
        replies = replies.filter { now - $0.value.at < Self.silentSeconds }
    }

    /// No handshake could be sent.
    package mutating func handshakesFailed(_ providers: Set<ProviderName>, for country: CountryCode, _ now: Timestamp) {
        askedAt[country] = now
        for provider in providers { uselessUntil[provider] = now + Self.silentSeconds }
    }

    /// An exit has come up on a server.
    package mutating func proved(_ server: Server, _ country: CountryCode, _ now: Timestamp) {
        // Who was silent to us takes the exit's handshake: from here, silence means nothing.
        if acceptedAt[server.provider] == nil, answer(of: server, now) == .silent {
            uselessUntil[server.provider] = now + Self.uselessSeconds
        }
        acceptedKeyAt[Self.name(server)] = now
        silentSince[country] = nil
    }

    /// The clock was set by so many seconds.
    package mutating func shift(by seconds: Double) {
        replies = replies.mapValues { Reply(at: $0.at + seconds, answer: $0.answer, country: $0.country) }
        acceptedKeyAt = acceptedKeyAt.mapValues { $0 + seconds }
        acceptedAt = acceptedAt.mapValues { $0 + seconds }
        uselessUntil = uselessUntil.mapValues { $0 + seconds }
        askedAt = askedAt.mapValues { $0 + seconds }
        silentSince = silentSince.mapValues { $0 + seconds }
        consideredAt = consideredAt.map { $0 + seconds }
    }

    // MARK: - What follows

    /// Nil where it was not asked lately.
    package func answer(of server: Server, _ now: Timestamp) -> Answer? {
        guard let reply = replies[Self.name(server)] else { return nil }
        let isNews = consideredAt.map { reply.at >= $0 } ?? false
        let limit = reply.answer == .accepted && !isNews ? Self.acceptedSeconds : Self.silentSeconds
        return now - reply.at < limit ? reply.answer : nil
    }

    /// True where a server has taken our key before, in an exit or by a handshake.
    package func acceptedKey(_ server: Server) -> Bool { acceptedKeyAt[Self.name(server)] != nil }

    /// False where asking a provider's servers says nothing.
    package func canAsk(_ provider: ProviderName, _ now: Timestamp) -> Bool { uselessUntil[provider].map { $0 <= now } ?? true }

    /// True where silence means that a server is not to be had.
    package func isTrusted(_ provider: ProviderName) -> Bool { acceptedAt[provider] != nil }

    /// Seconds since servers of a pool were last asked.
    package func age(_ country: CountryCode, _ now: Timestamp) -> Double { askedAt[country].map { now - $0 } ?? .infinity }

    /// Seconds for which none of a pool's servers has answered; nil where one has, or none was asked.
    package func silence(_ country: CountryCode, _ now: Timestamp) -> Double? { silentSince[country].map { now - $0 } }

    /// How many of a pool's servers were silent lately.
    package func silent(_ country: CountryCode, _ now: Timestamp) -> Int {
        replies.values.count { $0.country == country && $0.answer == .silent && now - $0.at < Self.silentSeconds }
    }

    /// Seconds between two questions while nobody answers, short at first, for what was away comes back; 0 where somebody does.
    package func pause(_ country: CountryCode, _ now: Timestamp) -> Double { silence(country, now).map { min(10, max(1, $0 / 20)) } ?? 0 }
}
