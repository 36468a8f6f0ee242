/// Percent-encoding (RFC 3986).
package enum PercentEncoding {
    /// One query value or path segment: all but unreserved characters.
    package static func encode(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: result.unicodeScalars.append(Unicode.Scalar(byte))
            default: result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return result
    }

    /// The text with each `%` and two hexadecimal digits read as a byte; nil where a `%` has none, or the bytes are no UTF-8.
    package static func decode(_ text: some StringProtocol) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == 0x25 else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let code = hexadecimal(rest.removeFirst(), rest.removeFirst()) else { return nil }
            bytes.append(code)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func hexadecimal(_ first: UInt8, _ second: UInt8) -> UInt8? {
        guard let high = Character(Unicode.Scalar(first)).hexDigitValue, let low = Character(Unicode.Scalar(second)).hexDigitValue else {
            return nil
        }
        return UInt8(high * 16 + low)
    }
}
