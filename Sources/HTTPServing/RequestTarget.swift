/// The raw target of a request line, taken apart: `/api/exits?country=us`, or `http://host/api/exits?country=us`, which means the same.
package enum RequestTarget {
    /// Nil where it has neither origin form nor absolute form (RFC 9112, sections 3.2.1 and 3.2.2), has a raw space or control character,
    /// or its percent-encoding is broken.
    package static func parse(_ target: String) -> (path: [String], query: [(name: String, value: String)])? {
        var target = target
        return target.withUTF8 { bytes in
            // libmicrohttpd takes what is between the first space and the last for the target.
            guard bytes.allSatisfy({ $0 > 0x20 && $0 != 0x7F }), let begin = pathBegin(bytes) else { return nil }
            let mark = bytes[begin...].firstIndex(of: 0x3F) ?? bytes.endIndex
            var path: [String] = []
            path.reserveCapacity(6)
            var rest = bytes[begin..<mark].dropFirst()
            while true {
                let slash = rest.firstIndex(of: 0x2F) ?? rest.endIndex
                guard let text = decoded(rest[..<slash]) else { return nil }
                path.append(text)
                if slash == rest.endIndex { break }
                rest = rest[(slash + 1)...]
            }
            // One slash at the end is as good as none.
            if path.last == "" { path.removeLast() }
            var query: [(name: String, value: String)] = []
            for item in bytes[mark...].dropFirst().split(separator: 0x26) {
                let equals = item.firstIndex(of: 0x3D) ?? item.endIndex
                guard let name = decoded(item[..<equals], plusIsSpace: true),
                    let value = decoded(item[equals...].dropFirst(), plusIsSpace: true)
                else { return nil }
                query.append((name, value))
            }
            return (path, query)
        }
    }

    /// Where the path begins, which is empty in `http://host?query`. Which host is asked for makes no difference to us.
    private static func pathBegin(_ bytes: UnsafeBufferPointer<UInt8>) -> Int? {
        if bytes.first == 0x2F { return 0 }
        for scheme in ["http://", "https://"] where bytes.count > scheme.utf8.count {
            guard zip(bytes, scheme.utf8).allSatisfy({ $0 == $1 || ($0 | 0x20 == $1 && (0x61...0x7A).contains($1)) }) else { continue }
            let end = bytes[scheme.utf8.count...].firstIndex { $0 == 0x2F || $0 == 0x3F } ?? bytes.endIndex
            return end > scheme.utf8.count ? end : nil
        }
        return nil
    }

    /// Percent-decoding (RFC 3986, section 2.1); nil for a broken escape, a NUL or bytes that are not UTF-8.
    private static func decoded(_ text: Slice<UnsafeBufferPointer<UInt8>>, plusIsSpace: Bool = false) -> String? {
        // Most have nothing to be decoded.
        if text.allSatisfy({ $0 != 0x25 && $0 != 0x2B && $0 < 0x80 }) { return String(decoding: text, as: UTF8.self) }
        var bytes: [UInt8] = []
        var rest = text
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
