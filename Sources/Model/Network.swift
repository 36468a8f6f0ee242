/// An IPv4 or IPv6 network, or one address, in the text form that HAProxy and our Lua code read alike.
package struct Network: Hashable, Sendable {
    /// `10.0.0.0/8`, or without a prefix.
    package let text: String
    package let isIPv6: Bool

    /// Nil where the text is neither.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = parts.first, text.utf8.count <= 50 else { return nil }
        let isIPv6 = address.contains(":")
        guard isIPv6 ? Self.isIPv6(address) : Self.isIPv4(address) else { return nil }
        if parts.count == 2 {
            guard let prefix = Int(parts[1]), String(prefix) == parts[1], (0...(isIPv6 ? 128 : 32)).contains(prefix) else { return nil }
        }
        self.text = text.lowercased()
        self.isIPv6 = isIPv6
    }

    static func isIPv4(_ text: Substring) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { Int($0).map { (0...255).contains($0) } ?? false && String(Int($0) ?? -1) == $0 }
    }

    private static func isIPv6(_ text: Substring) -> Bool {
        let halves = text.split(separator: "::", omittingEmptySubsequences: false)
        guard halves.count <= 2 else { return false }
        let groups = halves.flatMap { $0.isEmpty ? [] : $0.split(separator: ":", omittingEmptySubsequences: false) }
        guard groups.allSatisfy({ (1...4).contains($0.utf8.count) && $0.allSatisfy(\.isHexDigit) && $0.allSatisfy(\.isASCII) }) else {
            return false
        }
        return halves.count == 2 ? groups.count <= 7 : groups.count == 8
    }
}
