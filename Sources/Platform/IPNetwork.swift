import Glibc

/// An IPv4 or IPv6 address, or a network of them: `10.0.0.0/8`, `::1`.
package struct IPNetwork: Hashable, Sendable, CustomStringConvertible {
    /// Four or sixteen bytes; an IPv4 address inside IPv6 (`::ffff:10.0.0.1`) is an IPv4 address.
    let bytes: [UInt8]
    let prefix: Int

    /// Reads an address or a network in CIDR form; nil for anything else, host names among it. `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let bytes = Self.address(first) else { return nil }
        var number = bytes.count * 8
        if parts.count == 2 {
            guard let given = Int(parts[1]), (0...number).contains(given), String(given) == parts[1] else { return nil }
            number = given
        }
        let isMapped = bytes.count == 16 && number >= 96 && bytes.starts(with: Self.mapped)
        (self.bytes, prefix) = isMapped ? (Array(bytes.suffix(4)), number - 96) : (bytes, number)
    }

    /// How an IPv6 address begins that stands for one of IPv4 (RFC 4291, section 2.5.5.2).
    private static let mapped = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF]

    private static func address(_ text: Substring) -> [UInt8]? {
        // A C string ends at its first NUL: "10.0.0.1" is not all that "10.0.0.1\0junk" says.
        guard !text.utf8.contains(0) else { return nil }
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, String(text), &bytes) == 1 { return Array(bytes.prefix(4)) }
        return inet_pton(AF_INET6, String(text), &bytes) == 1 ? bytes : nil
    }

    package func contains(_ other: IPNetwork) -> Bool {
        guard bytes.count == other.bytes.count, other.prefix >= prefix else { return false }
        for bit in stride(from: 0, to: prefix, by: 8) {
            let mask = prefix - bit >= 8 ? 0xFF : UInt8(truncatingIfNeeded: 0xFF00 >> (prefix - bit))
            if bytes[bit / 8] & mask != other.bytes[bit / 8] & mask { return false }
        }
        return true
    }

    package var isIPv6: Bool { bytes.count == 16 }

    /// The same network without bits behind its prefix.
    package var first: IPNetwork {
        let bits = bytes.enumerated().map { index, byte in
            let kept = min(8, max(0, prefix - 8 * index))
            return byte & UInt8(truncatingIfNeeded: 0xFF00 >> kept)
        }
        return IPNetwork(bytes: bits, prefix: prefix)
    }

    /// What one who gets addresses is given at least: an IPv4 address, or a network of 64 bits of IPv6, of whose addresses anybody may
    /// use as many as they like (RFC 7421).
    package var ofOneHolder: IPNetwork {
        guard isIPv6, prefix > 64 else { return self }
        return IPNetwork(bytes: bytes.prefix(8) + [UInt8](repeating: 0, count: 8), prefix: 64)
    }

    /// What an address counts as where each holder has a share: itself, or for IPv6 its network of 64 bits.
    package static func holder(of address: String) -> String {
        guard address.utf8.contains(UInt8(ascii: ":")), let known = IPNetwork(address) else { return address }
        return known.ofOneHolder.description
    }

    package var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, bytes, &text, socklen_t(text.count))
        let address = text.withUnsafeBufferPointer { buffer in buffer.baseAddress.map { String(cString: $0) } ?? "" }
        return prefix == bytes.count * 8 ? address : "\(address)/\(prefix)"
    }

    /// The IPv4 address that one of IPv6 leads to: translated by NAT64 (RFC 6052), or tunnelled to by 6to4 (RFC 3056) and ISATAP
    /// (RFC 5214).
    var carried: IPNetwork? {
        guard isIPv6 else { return nil }
        for (network, start) in PrivateNetworks.carriers where network.contains(self) {
            return IPNetwork(bytes: Array(bytes[start..<start + 4]))
        }
        let isISATAP = [0x00, 0x02].contains(bytes[8]) && Array(bytes[9..<12]) == [0x00, 0x5E, 0xFE]
        return isISATAP ? IPNetwork(bytes: Array(bytes.suffix(4))) : nil
    }

    /// True for addresses that are not of the public internet: this machine, private and link-local networks, multicast, and what
    /// is reserved; also where IPv6 leads to such an IPv4 address.
    package var isPrivate: Bool {
        if let carried, carried.isPrivate { return true }
        // What is translated lies outside of what IANA gives out, and leads into it.
        if PrivateNetworks.translated?.contains(self) == true { return false }
        return PrivateNetworks.all.contains { $0.contains(self) }
    }

    private init(bytes: [UInt8]) { self.init(bytes: bytes, prefix: bytes.count * 8) }
    private init(bytes: [UInt8], prefix: Int) { (self.bytes, self.prefix) = (bytes, prefix) }
}
