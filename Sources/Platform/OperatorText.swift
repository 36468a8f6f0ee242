/// Texts that a person wrote, whatever their editor or shell has made of them.
package enum OperatorText {
    /// The text of a file's bytes: without a byte order mark, and read as UTF-16 where that is what they are. Other bytes that are no
    /// UTF-8 become replacement characters.
    package static func decode(_ bytes: [UInt8]) -> String {
        if bytes.starts(with: [0xFF, 0xFE]) { return utf16(bytes.dropFirst(2), lowByteFirst: true) }
        if bytes.starts(with: [0xFE, 0xFF]) { return utf16(bytes.dropFirst(2), lowByteFirst: false) }
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { return String(decoding: bytes.dropFirst(3), as: UTF8.self) }
        // Without a mark: of Latin letters one half is zero, always the same one.
        let zeros = bytes.indices.filter { bytes[$0] == 0 }
        if zeros.count * 4 > bytes.count { return utf16(bytes[...], lowByteFirst: zeros.count { $0 % 2 == 1 } * 2 > zeros.count) }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func utf16(_ bytes: ArraySlice<UInt8>, lowByteFirst: Bool) -> String {
        let units = stride(from: bytes.startIndex, to: bytes.endIndex - 1, by: 2).map { index in
            let (first, second) = (UInt16(bytes[index]), UInt16(bytes[index + 1]))
            return lowByteFirst ? first | second << 8 : first << 8 | second
        }
        return String(decoding: units, as: UTF16.self)
    }

    /// A secret as it was meant: without blanks and line ends anywhere, and without one pair of quotes around it.
    package static func bare(_ text: String) -> String {
        let text = text.filter { !$0.isWhitespace && $0 != "\u{FEFF}" && $0 != "\u{200B}" }
        for (opening, closing) in [("\"", "\""), ("'", "'"), ("\u{201C}", "\u{201D}"), ("\u{2018}", "\u{2019}"), ("`", "`")]
        where text.count >= 2 && text.hasPrefix(opening) && text.hasSuffix(closing) {
            return String(text.dropFirst().dropLast())
        }
        return text
    }
}

extension Files {
    /// The text of a file that a person wrote, at most `limit` bytes of it.
    package static func readText(_ path: String, limit: Int = 1 << 20) throws -> String {
        OperatorText.decode(try readBytes(path, limit: limit))
    }
}
