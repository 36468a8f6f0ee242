/// The raw target of a request line, taken apart: `/api/exits?country=us`.
package enum RequestTarget {
    /// Nil where it is not an origin-form target (RFC 9112, section 3.2.1), has a raw space or control character, or its percent-encoding is broken.
    package static func parse(_ target: String) -> (path: [String], query: [(name: String, value: String)])? {
        // libmicrohttpd takes what is between the first space and the last for the target.
        guard target.hasPrefix("/"), target.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else { return nil }
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var path: [String] = []
        for segment in parts[0].dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            guard let text = decoded(segment) else { return nil }
            path.append(text)
        }
        // One slash at the end is as good as none.
        if path.last == "" { path.removeLast() }
        var query: [(name: String, value: String)] = []
        if parts.count == 2 {
            for item in parts[1].split(separator: "&") {
                let pair = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                guard let name = decoded(pair[0], plusIsSpace: true), let value = decoded(pair.count == 2 ? pair[1] : "", plusIsSpace: true)
                else { return nil }
                query.append((name, value))
            }
        }
        return (path, query)
    }

    /// Percent-decoding (RFC 3986, section 2.1); nil for a broken escape, a NUL or bytes that are not UTF-8.
    static func decoded(_ text: Substring, plusIsSpace: Bool = false) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            if byte == 0x25 {
                guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else { return nil }
                bytes.append(high << 4 | low)
            } else {
                bytes.append(plusIsSpace && byte == 0x2B ? 0x20 : byte)
            }
        }
        guard !bytes.contains(0) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }
}
