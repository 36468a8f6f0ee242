/// What an exit's own firewall has counted of packets that left by another way than the tunnel, since the container's start.
package enum LeakCount: Hashable, Sendable {
    /// The container is of a version that doesn't count.
    case notCounted
    /// The counter could not be read this time, which says nothing.
    case unread
    /// Bytes are those of whole IP packets.
    case counted(packets: Int, bytes: Int)
    /// The exit has counted, and its counter, or the rule that counts, is gone.
    case removed

    /// Why this is a leak, as a sentence; nil where it is none.
    package var leak: String? {
        switch self {
        case .counted(let packets, let bytes) where packets > 0:
            "\(packets) \(packets == 1 ? "packet" : "packets") (\(bytes) bytes) left beside its tunnel, as its own firewall counted"
        case .removed: "its firewall no longer counts packets beside its tunnel: somebody has changed its rules"
        case .counted, .notCounted, .unread: nil
        }
    }
}

extension LeakCount {
    /// Reads the table of the leak counter as nft(8) lists it, or nft's error.
    /// - Parameter lines: those that are not empty; none of an exit that does not count.
    package init(listing lines: ArraySlice<Substring>) {
        guard let first = lines.first else {
            self = .notCounted
            return
        }
        guard !lines.contains(where: { $0.contains("No such file or directory") }) else {
            self = .removed
            return
        }
        // Anything else than the whole table is an error of nft's own: no memory, no process.
        guard first.hasPrefix("table inet sallyport_leaks "), lines.last == "}" else {
            self = .unread
            return
        }
        let words = lines.map { $0.split(whereSeparator: \.isWhitespace) }
        // A counter without the rule that counts into it, at the place where packets leave, stands still.
        let counts =
            words.contains(["counter", "name", "\"leaked\""])
            && words.contains { $0.starts(with: ["type", "filter", "hook", "postrouting"]) }
        self = counts ? words.lazy.compactMap(Self.figures).first ?? .removed : .removed
    }

    /// Of a line like `packets 0 bytes 0`.
    private static func figures(_ words: [Substring]) -> LeakCount? {
        guard words.count == 4, words[0] == "packets", words[2] == "bytes", let packets = Int(words[1]), let bytes = Int(words[3]) else {
            return nil
        }
        return .counted(packets: packets, bytes: bytes)
    }
}
