/// What an exit's proxy says of itself and of its tunnel.
package struct ExitReport: Hashable, Sendable {
    /// Of the exit's program.
    package var version: String
    /// Clients that are connected now.
    package var connections: Int
    /// Look-ups of targets' names, and connections to targets, since the exit's start.
    package var lookUps: Attempts
    package var connects: Attempts
    package var tunnel: TunnelReading

    package struct Attempts: Hashable, Sendable {
        package var count: Int
        package var failures: Int
        /// Of all of them together.
        package var milliseconds: Int
    }

    /// Reads lines of a name and a figure, and behind them the table of the leak counter.
    /// - Returns: nil where a figure is missing; the handshake's age alone may be, where there has been none.
    package init?(_ text: String, at now: Timestamp) {
        let lines = text.split(whereSeparator: \.isNewline)
        let table = lines.firstIndex { $0.split(separator: " ").count != 2 } ?? lines.endIndex
        var figures: [Substring: Substring] = [:]
        for line in lines[..<table] {
            let words = line.split(separator: " ")
            figures[words[0]] = words[1]
        }
        func number(_ name: Substring) -> Int? { figures[name].flatMap { Int($0) }.flatMap { $0 >= 0 ? $0 : nil } }
        func attempts(_ name: Substring) -> Attempts? {
            guard let count = number(name + "s"), let failures = number(name + "s_failed"), let time = number(name + "_milliseconds") else {
                return nil
            }
            return Attempts(count: count, failures: failures, milliseconds: time)
        }
        guard let version = figures["version"], let connections = number("connections"), let lookUps = attempts("lookup"),
            let connects = attempts("connect"), let received = number("received_bytes"), let sent = number("sent_bytes")
        else { return nil }
        (self.version, self.connections, self.lookUps, self.connects) = (String(version), connections, lookUps, connects)
        let handshake = figures["handshake_age_seconds"].flatMap { Int($0) }.map { now + -Double(max(0, $0)) }
        // An exit with a status counts; where nft has said nothing at all, it could not.
        let leaks = table == lines.endIndex ? .unread : LeakCount(listing: lines[table...])
        tunnel = TunnelReading(at: now, handshakeAt: handshake, received: received, sent: sent, leaks: leaks)
    }
}
