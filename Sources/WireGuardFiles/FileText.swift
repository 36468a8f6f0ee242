/// Pieces of a file that somebody else wrote.
enum FileText {
    /// Bytes of a line, and lines of a file, that are looked at.
    static let lineLimit = 4_096
    static let lineCount = 2_000

    /// The lines, whichever of the three line ends they have. Ends in CRLF count once.
    static func lines(_ text: String) -> [Substring.UnicodeScalarView] {
        var lines: [Substring.UnicodeScalarView] = []
        let scalars = text.unicodeScalars
        var start = scalars.startIndex
        var index = start
        while index < scalars.endIndex {
            let scalar = scalars[index]
            let next = scalars.index(after: index)
            guard scalar == "\n" || scalar == "\r" else {
                index = next
                continue
            }
            lines.append(scalars[start..<index])
            let isPair = scalar == "\r" && next < scalars.endIndex && scalars[next] == "\n"
            start = isPair ? scalars.index(after: next) : next
            index = start
        }
        if start < scalars.endIndex { lines.append(scalars[start...]) }
        return lines
    }

    static func trimmed(_ text: some StringProtocol) -> String {
        let isBlank: (Character) -> Bool = { $0.isWhitespace || $0 == "\u{FEFF}" || $0 == "\u{0}" }
        let rest = text.drop(while: isBlank)
        guard let last = rest.lastIndex(where: { !isBlank($0) }) else { return "" }
        return String(rest[...last])
    }

    /// The items of a list with commas, without blanks around them; empty ones left out.
    static func items(_ value: String) -> [String] { value.split(separator: ",").map(trimmed).filter { !$0.isEmpty } }

    /// A text of the file for a message: short, printable, and never a piece of a key.
    static func quoted(_ text: String) -> String {
        var run = 0
        for byte in text.utf8 where byte > 0x20 {
            run = isOfKeys(byte) ? run + 1 : 0
            if run >= 16 { return "(not shown)" }
        }
        let printable = text.unicodeScalars.map { scalar in
            scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value) || scalar.properties.generalCategory == .format
                ? "?" : Character(scalar)
        }
        let cut = String(printable.prefix(64))
        return cut.isEmpty ? "empty" : cut
    }

    private static func isOfKeys(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2B, 0x2F, 0x3D: true
        default: false
        }
    }

    /// Whose configuration a text is that is none of WireGuard's, for a message; empty where that can't be told.
    static func program(of text: String) -> String {
        let words = Set(lines(String(text.prefix(65_536))).map { trimmed(Substring($0)) })
        func has(_ beginning: String) -> Bool { words.contains { $0.hasPrefix(beginning) } }
        if has("remote ") || words.contains("client") || has("<ca>") { return ", but OpenVPN's" }
        if has("{") || has("[{") { return ", but JSON" }
        if has("<?xml") || has("<!DOCTYPE") || has("<html") { return ", but a page or XML" }
        if has("server {") || has("http {") { return ", but nginx's" }
        return words.allSatisfy(\.isEmpty) ? ": it is empty" : ""
    }
}
