/// The raw target of a request line, taken apart: `/api/exits?country=us`.
package enum RequestTarget {
    /// Nil where it is not an origin-form target (RFC 9112, section 3.2.1), has a raw space or control character, or its percent-encoding is broken.
    package static func parse(_ target: String) -> (path: [String], query: [(name: String, value: String)])? {
        var target = target
        return target.withUTF8 { bytes in
            // libmicrohttpd takes what is between the first space and the last for the target.
            guard bytes.first == 0x2F, bytes.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else { return nil }
            let mark = bytes.firstIndex(of: 0x3F) ?? bytes.endIndex
            var path: [String] = []
            path.reserveCapacity(6)
            var rest = bytes[1..<mark]
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
