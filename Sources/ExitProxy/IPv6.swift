internal import CLinux

/// An IPv6 address.
package struct IPv6: Hashable, Sendable {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) { (self.high, self.low) = (high, low) }

    /// Sixteen bytes.
    init(_ octets: some Collection<UInt8>) {
        high = octets.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        low = octets.dropFirst(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// RFC 4291, section 2.2, without a zone.
    package init?(_ text: some StringProtocol) {
        var address = in6_addr()
        guard text.utf8.count <= 45, !text.utf8.contains(0), inet_pton(AF_INET6, String(text), &address) == 1 else { return nil }
        self.init(withUnsafeBytes(of: address) { Array($0) })
    }

    var octets: [UInt8] { [high, low].flatMap { half in (0..<8).map { UInt8(truncatingIfNeeded: half >> (56 - 8 * $0)) } } }

    /// The IPv4 address that this one leads to: mapped (RFC 4291), translated by NAT64 (RFC 6052), of 6to4 (RFC 3056) or ISATAP
    /// (RFC 5214); nil for others.
    package var carried: IPv4? {
        let last = IPv4(number: UInt32(truncatingIfNeeded: low))
        if isMapped || high == 0x0064_FF9B_0000_0000 && low >> 32 == 0 { return last }
        if high >> 48 == 0x2002 { return IPv4(number: UInt32(truncatingIfNeeded: high >> 16)) }
        return low >> 32 & ~0x0200_0000 == 0x5EFE ? last : nil
    }

    /// One that a kernel takes for an IPv4 address: `::ffff:192.0.2.1`.
    var isMapped: Bool { high == 0 && low >> 32 == 0xFFFF }

    func withSocketAddress<Result>(port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        withUnsafeMutableBytes(of: &address.sin6_addr) { $0.copyBytes(from: octets) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in6>.size)) }
        }
    }
}

/// IPv6 addresses whose first bits are the same.
package struct IPv6Network: Sendable {
    private let first: IPv6
    private let mask: IPv6

    /// An address, or an address with a prefix of 0 to 128 bits behind which no bit is set.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let part = parts.first, let address = IPv6(part), let prefix = parts.count == 1 ? 128 : UInt64(parts[1]), prefix <= 128
        else { return nil }
        mask = IPv6(high: Self.mask(min(prefix, 64)), low: Self.mask(prefix - min(prefix, 64)))
        first = address
        guard address.high & ~mask.high == 0, address.low & ~mask.low == 0 else { return nil }
    }

    private static func mask(_ bits: UInt64) -> UInt64 { bits == 0 ? 0 : UInt64.max << (64 - bits) }

    package func contains(_ address: IPv6) -> Bool { address.high & mask.high == first.high && address.low & mask.low == first.low }
}
