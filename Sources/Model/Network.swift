/// An IPv4 or IPv6 network, or one address, in the text form that HAProxy and our Lua code read alike.
package struct Network: Hashable, Sendable {
    /// `10.0.0.0/8`, or without a prefix.
    package let text: String
    package let isIPv6: Bool
    /// Its addresses as numbers of 128 bits. An IPv4 address `a.b.c.d` is `::ffff:a.b.c.d` (RFC 4291, section 2.5.5.2).
    package let range: ClosedRange<UInt128>

    /// The addresses of IPv4 among those of IPv6.
    static let ipv4 = UInt128(0xFFFF) << 32...(UInt128(0xFFFF) << 32 | 0xFFFF_FFFF)

    /// Nil where the text is neither.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = parts.first, text.utf8.count <= 50 else { return nil }
        let isIPv6 = address.contains(":")
        guard let number = isIPv6 ? Self.ipv6(address) : Self.ipv4(address) else { return nil }
        var free = 0
        if parts.count == 2 {
            let bits = isIPv6 ? 128 : 32
            guard let prefix = Int(parts[1]), String(prefix) == parts[1], (0...bits).contains(prefix) else { return nil }
            free = bits - prefix
        }
        // A shift by the whole width gives 0.
        let hosts = (UInt128(1) << UInt128(free)) &- 1
        self.text = text.lowercased()
        self.isIPv6 = isIPv6
        range = number & ~hosts...number | hosts
    }

    static func isIPv4(_ text: Substring) -> Bool { ipv4(text) != nil }

    private static func ipv4(_ text: Substring) -> UInt128? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        return parts.reduce(0xFFFF) { number, part in
            guard let number, let byte = UInt8(part), String(byte) == part else { return nil }
            return number << 8 | UInt128(byte)
        }
    }

    private static func ipv6(_ text: Substring) -> UInt128? {
        var halves: [[UInt128]] = []
        for half in text.split(separator: "::", omittingEmptySubsequences: false) {
            var groups: [UInt128] = []
            for group in half.isEmpty ? [] : half.split(separator: ":", omittingEmptySubsequences: false) {
                guard (1...4).contains(group.utf8.count), group.allSatisfy({ $0.isHexDigit && $0.isASCII }),
                    let number = UInt128(group, radix: 16)
                else { return nil }
                groups.append(number)
            }
            halves.append(groups)
        }
        guard halves.count <= 2, let first = halves.first, let last = halves.last else { return nil }
        let count = halves.reduce(0) { $0 + $1.count }
        guard halves.count == 2 ? count <= 7 : count == 8 else { return nil }
        let groups = halves.count == 1 ? first : first + Array(repeating: 0, count: 8 - count) + last
        return groups.reduce(0) { $0 << 16 | $1 }
    }
}
