package import Model
import Platform

/// What runs inside an exit's container to read it.
extension ExitContainers {
    /// What an exit's tunnel says of itself: its last handshake and its counters; and what its firewall counted beside the tunnel.
    package func tunnel(of container: String) async throws -> TunnelReading {
        let answer = try await engine.execute(.tunnel, in: container, deadline: 2)
        guard answer.status == 0, let reading = Self.reading(answer.output, at: SystemClock.now()) else {
            throw EngineError(
                code: .unreadable, action: "reading the tunnel of \(container)", message: "wg ended with status \(answer.status)")
        }
        return reading
    }

    /// Reads two lines, the peer's key in front of each: seconds since 1970, then bytes received and sent. The rest is about leaks.
    static func reading(_ output: String, at now: Timestamp) -> TunnelReading? {
        let all = output.split(whereSeparator: \.isNewline)
        let lines = all.prefix(2).map { $0.split(whereSeparator: \.isWhitespace) }
        guard lines.count == 2, lines[0].count == 2, lines[1].count == 3, let seconds = Int32(lines[0][1]), let received = Int(lines[1][1]),
            let sent = Int(lines[1][2])
        else { return nil }
        // wg says 0 where there has been none.
        let handshake = seconds > 0 ? Timestamp(milliseconds: Int64(seconds) * 1000) : nil
        return TunnelReading(at: now, handshakeAt: handshake, received: received, sent: sent, leaks: LeakCount(listing: all.dropFirst(2)))
    }
}
