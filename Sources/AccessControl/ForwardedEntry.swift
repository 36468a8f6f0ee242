import Platform

/// One entry of X-Forwarded-For, in the forms that proxies write: `203.0.113.7`, `203.0.113.7:51234`, `2001:db8::1`, `[2001:db8::1]:443`,
/// and as an element of `Forwarded` (RFC 7239, section 4): `for="[2001:db8::1]:443";proto=https`.
enum ForwardedEntry {
    /// Nil where it names no address: `unknown`, `_hidden`, a host name, anything else.
    static func address(_ entry: Substring.UTF8View) -> IPNetwork? {
        guard let node = node(Substring(entry)) else { return nil }
        var text = node
        if node.hasPrefix("[") {
            guard let end = node.firstIndex(of: "]"), isPort(node[node.index(after: end)...]) else { return nil }
            text = node[node.index(after: node.startIndex)..<end]
            guard text.contains(":") else { return nil }
        } else if let colon = node.firstIndex(of: ":"), node.lastIndex(of: ":") == colon {
            guard isPort(node[colon...]) else { return nil }
            text = node[..<colon]
        }
        if let zone = text.firstIndex(of: "%") {
            guard text.contains(":"), isName(text[text.index(after: zone)...]) else { return nil }
            text = text[..<zone]
        }
        guard !text.contains("/"), let address = IPNetwork(String(text)) else { return nil }
        // Nobody comes from the address that stands for none.
        return nobody.contains(address) ? nil : address
    }

    static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    private static let nobody = ["0.0.0.0", "::"].compactMap(IPNetwork.init)

    /// What stands behind `for=`, or all of it; without quotes.
    private static func node(_ entry: Substring) -> Substring? {
        var text = trimmed(entry)
        if text.contains("=") {
            let pairs = text.split(separator: ";").map(trimmed).filter { $0.prefix(4).lowercased() == "for=" }
            guard let only = pairs.first, pairs.count == 1 else { return nil }
            text = only.dropFirst(4)
        }
        guard text.hasPrefix("\"") else { return text }
        guard text.utf8.count > 2, text.hasSuffix("\"") else { return nil }
        return text.dropFirst().dropLast()
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var bytes = text.utf8
        while let first = bytes.first, isBlank(first) { bytes.removeFirst() }
        while let last = bytes.last, isBlank(last) { bytes.removeLast() }
        return Substring(bytes)
    }

    /// True for nothing, a colon with a port, and a colon with a name that hides one.
    private static func isPort(_ text: Substring) -> Bool {
        guard let colon = text.first else { return true }
        let port = text.dropFirst()
        guard colon == ":" else { return false }
        if port.hasPrefix("_") { return isName(port) }
        return (1...5).contains(port.utf8.count) && port.utf8.allSatisfy { (0x30...0x39).contains($0) } && UInt16(port) != nil
    }

    private static func isName(_ text: Substring) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x61...0x7A).contains($0 | 0x20) || [0x2D, 0x2E, 0x5F].contains($0)
            }
    }
}
