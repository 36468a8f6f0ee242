internal import CLinux

/// An IPv4 address.
package struct IPv4: Hashable, Sendable {
    /// In the host's order of bytes.
    package let number: UInt32

    package init(number: UInt32) { self.number = number }

    /// Four decimal numbers with dots, without leading zeros.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var number: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.utf8.count), part.utf8.allSatisfy({ (48...57).contains($0) }), part == "0" || part.utf8.first != 48,
                let octet = UInt8(part)
            else { return nil }
            number = number << 8 | UInt32(octet)
        }
        self.number = number
    }

    var octets: [UInt8] { [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) } }

    func withSocketAddress<Result>(port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = number.bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }
}

/// Addresses whose first bits are the same.
package struct IPv4Network: Sendable {
    private let number: UInt32
    private let mask: UInt32

    /// An address, or an address with a prefix of 0 to 32 bits behind which no bit is set.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = IPv4(first), let prefix = parts.count == 1 ? 32 : UInt32(parts[1]), prefix <= 32 else {
            return nil
        }
        mask = prefix == 0 ? 0 : UInt32.max << (32 - prefix)
        number = address.number
        guard number & ~mask == 0 else { return nil }
    }

    package func contains(_ address: IPv4) -> Bool { address.number & mask == number }
}
