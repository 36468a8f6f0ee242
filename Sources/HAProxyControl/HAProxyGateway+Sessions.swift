package import Model

/// Users' sessions, which the newest worker remembers in its table `sessions`.
extension HAProxyGateway {
    /// Seconds that the table counts once it was read: it has an entry of every user.
    private static let sessionPause = Duration.seconds(1)
    /// The end of a session that is to move: the Lua code gives it another exit with its next request.
    private static let moving = 1

    /// The sessions of a user that go on, the one that ends first at the beginning.
    package func sessions(of user: String, now: Timestamp) async throws -> [ProxySession] {
        let text: String
        if let (known, at) = sessionTable, ContinuousClock.now - at < Self.sessionPause {
            text = known
        } else {
            text = try await sockets.stats.send("show table sessions")
            sessionTable = (text, .now)
        }
        let sessions = RuntimeAnswers.sessions(text, of: user).filter { $0.endsAt > now }
        return sessions.sorted { ($0.endsAt, $0.key) < ($1.endsAt, $1.key) }
    }

    /// Has each session get another exit with its next request.
    package func move(_ sessions: [ProxySession]) async throws {
        sessionTable = nil
        for session in sessions {
            let answer = try await sockets.stats.send("set table sessions key \(session.key) data.gpt \(Self.moving)")
            guard answer.isEmpty else {
                throw HAProxyError(code: .refused, action: "moving a session", message: String(answer.prefix(300)))
            }
        }
    }
}
