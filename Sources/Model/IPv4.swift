/// An IPv4 address as a number, so that ranges of them can be gone through.
package struct IPv4Address: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var number: UInt32

    package init(_ number: UInt32) { self.number = number }

    /// Reads four decimal numbers without leading zeros; nil for anything else.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        number = 0
        for part in parts {
            guard let octet = UInt8(part), String(octet) == part else { return nil }
            number = number << 8 | UInt32(octet)
        }
    }

    package var description: String { "\(number >> 24).\(number >> 16 & 255).\(number >> 8 & 255).\(number & 255)" }
    package static func < (left: IPv4Address, right: IPv4Address) -> Bool { left.number < right.number }
}

/// An IPv4 network; bits behind its prefix are dropped.
package struct IPv4Network: Hashable, Sendable, CustomStringConvertible {
    package let first: IPv4Address
    /// 0 to 32.
    package let prefix: Int

    package init(_ address: IPv4Address, prefix: Int) {
        first = IPv4Address(address.number & ~(UInt32.max >> prefix))
        self.prefix = prefix
    }

    /// Reads an address, or a network in CIDR form; nil for anything else.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPv4Address(parts[0]) else { return nil }
        guard parts.count == 2 else {
            self.init(address, prefix: 32)
            return
        }
        guard let prefix = Int(parts[1]), (0...32).contains(prefix), String(prefix) == parts[1] else { return nil }
        self.init(address, prefix: prefix)
    }

    package var last: IPv4Address { IPv4Address(first.number | UInt32.max >> prefix) }
    package func contains(_ address: IPv4Address) -> Bool { (first...last).contains(address) }

    /// `10.0.0.0/8`; a single address without a prefix.
    package var description: String { prefix == 32 ? "\(first)" : "\(first)/\(prefix)" }
}
