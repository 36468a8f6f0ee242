/// What an exit or a user carries now.
package struct CurrentTraffic: Hashable, Codable, Sendable {
    /// Of both directions, over the last ten seconds: HAProxy counts a long connection about every five.
    package var bytesPerSecond: Int
    /// Requests and tunnels that are open.
    package var connections: Int

    package init(bytesPerSecond: Int = 0, connections: Int = 0) {
        self.bytesPerSecond = bytesPerSecond
        self.connections = connections
    }

    enum CodingKeys: String, CodingKey {
        case bytesPerSecond = "rate"
        case connections = "open"
    }

    package static func key(exit: ExitID) -> String { "exit:\(exit)" }
    package static func key(user: String) -> String { "user:\(user)" }
}

/// What exits and users carry, as a dashboard is told.
package struct TrafficReport: Sendable {
    /// By `exit:ID` and `user:NAME`; one that carries nothing is not in it. Nil where no controller has told it lately.
    package var now: [String: CurrentTraffic]?
    /// Bytes of both directions since midnight in UTC, of every exit and user, by the same keys.
    package var bytesToday: [String: Int]

    package init(now: [String: CurrentTraffic]? = nil, bytesToday: [String: Int] = [:]) {
        self.now = now
        self.bytesToday = bytesToday
    }
}
