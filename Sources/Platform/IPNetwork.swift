import Glibc

/// An IPv4 or IPv6 address, or a network of them: `10.0.0.0/8`, `::1`.
package struct IPNetwork: Hashable, Sendable, CustomStringConvertible {
    /// Four or sixteen bytes; an IPv4 address inside IPv6 (`::ffff:10.0.0.1`) is an IPv4 address.
    let bytes: [UInt8]
    let prefix: Int

    /// Reads an address or a network in CIDR form; nil for anything else, host names among it.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let bytes = Self.address(String(first)) else { return nil }
        let bits = bytes.count * 8
        guard parts.count == 2 else {
            (self.bytes, prefix) = (bytes, bits)
            return
        }
        guard let number = Int(parts[1]), (0...bits).contains(number), String(number) == parts[1] else { return nil }
        (self.bytes, prefix) = (bytes, number)
    }

    private static func address(_ text: String) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, text, &bytes) == 1 { return Array(bytes.prefix(4)) }
        guard inet_pton(AF_INET6, text, &bytes) == 1 else { return nil }
        let isMapped = bytes.prefix(10).allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        return isMapped ? Array(bytes.suffix(4)) : bytes
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

    /// What one who gets addresses is given at least: an IPv4 address, or a network of 64 bits of IPv6, of whose addresses anybody may
    /// use as many as they like (RFC 7421).
    package var ofOneHolder: IPNetwork {
        guard isIPv6, prefix > 64 else { return self }
        return IPNetwork(bytes: bytes.prefix(8) + [UInt8](repeating: 0, count: 8), prefix: 64)
    }

    package var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, bytes, &text, socklen_t(text.count))
        let address = text.withUnsafeBufferPointer { buffer in buffer.baseAddress.map { String(cString: $0) } ?? "" }
        return prefix == bytes.count * 8 ? address : "\(address)/\(prefix)"
    }

    /// True for addresses that are not of the public internet: this machine, private and link-local networks, multicast, and what
    /// is reserved (RFC 6890); also where IPv6 carries such an IPv4 address.
    package var isPrivate: Bool {
        if Self.special.contains(where: { $0.contains(self) }) { return true }
        // NAT64 (RFC 6052) and 6to4 (RFC 3056) end at an IPv4 address.
        if bytes.count == 16, bytes.prefix(4) == [0, 0x64, 0xFF, 0x9B] { return IPNetwork(bytes: Array(bytes.suffix(4))).isPrivate }
        if bytes.count == 16, bytes.prefix(2) == [0x20, 0x02] { return IPNetwork(bytes: Array(bytes[2..<6])).isPrivate }
        return false
    }

    private init(bytes: [UInt8]) { self.init(bytes: bytes, prefix: bytes.count * 8) }
    private init(bytes: [UInt8], prefix: Int) { (self.bytes, self.prefix) = (bytes, prefix) }

    private static let special = [
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
        "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
        // 2001::/23 has Teredo (RFC 4380) in it; 64:ff9b:1::/48 is NAT64 inside of one network (RFC 8215).
        "::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10",
        "fec0::/10", "ff00::/8",
    ].compactMap(IPNetwork.init)
}
