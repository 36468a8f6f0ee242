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
        return TunnelReading(at: now, handshakeAt: handshake, received: received, sent: sent, leaks: leaks(Array(all.dropFirst(2))))
    }

    /// Reads the table of the leak counter as nft(8) lists it, or nft's error.
    private static func leaks(_ lines: [Substring]) -> LeakCount {
        guard !lines.isEmpty else { return .notCounted }
        if lines.contains(where: { $0.contains("No such file or directory") }) { return .removed }
        // Anything else than the whole table is an error of nft's own: no memory, no process.
        guard lines[0].hasPrefix("table inet sallyport_leaks "), lines.last == "}" else { return .unread }
        let words = lines.map { $0.split(whereSeparator: \.isWhitespace) }
        // A counter without the rule that counts into it, at the place where packets leave, stands still.
        let counts =
            words.contains(["counter", "name", "\"leaked\""])
            && words.contains { $0.starts(with: ["type", "filter", "hook", "postrouting"]) }
        return counts ? words.lazy.compactMap(figures).first ?? .removed : .removed
    }

    /// Of a line like `packets 0 bytes 0`.
    private static func figures(_ words: [Substring]) -> LeakCount? {
        guard words.count == 4, words[0] == "packets", words[2] == "bytes", let packets = Int(words[1]), let bytes = Int(words[3]) else {
            return nil
        }
        return .counted(packets: packets, bytes: bytes)
    }
}
