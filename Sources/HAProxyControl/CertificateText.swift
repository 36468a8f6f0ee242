import Model

/// What a certificate file of HAProxy's needs, written anew from what an operator, certbot or acme.sh has written: the certificates
/// in their order, then the key, and nothing else. Lines end with a line feed, and none is empty.
///
/// Source: RFC 7468 (textual encodings), RFC 1421 (encapsulated headers).
struct CertificateText: Sendable, Equatable {
    /// Why a text is of no use, with what would be right.
    struct Problem: Error, CustomStringConvertible {
        var description: String
    }

    let pem: String

    /// - Parameters:
    ///   - certificate: certificate and chain, and the key where it is in the same file.
    ///   - key: the file of the key; nil where there is none.
    init(certificate: String, key: String?) throws(Problem) {
        let blocks = try Self.blocks(of: certificate) + (key.map(Self.blocks) ?? [])
        let certificates = blocks.filter { $0.label.hasSuffix("CERTIFICATE") }
        let keys = blocks.filter { $0.label.hasSuffix("PRIVATE KEY") }
        if certificates.isEmpty { throw Problem(description: "it holds no certificate, expected the certificate, its chain and its key") }
        if keys.contains(where: \.isEncrypted) { throw Problem(description: "its key is encrypted, expected one without a passphrase") }
        guard let first = keys.first else {
            throw Problem(description: "it has no private key, expected it in the same file, or beside it in a file .pem.key or .key")
        }
        if keys.contains(where: { $0 != first }) { throw Problem(description: "it has more than one private key, expected one") }
        let parameters = blocks.filter { $0.label == "DH PARAMETERS" }.prefix(1)
        pem = (certificates + [first] + parameters).map(\.text).joined()
    }

    private struct Block: Equatable {
        var label: String
        var lines: [String]
        var isEncrypted: Bool {
            label == "ENCRYPTED PRIVATE KEY" || lines.contains { $0.hasPrefix("Proc-Type:") && $0.hasSuffix("ENCRYPTED") }
        }
        var text: String { "-----BEGIN \(label)-----\n\(lines.map { $0 + "\n" }.joined())-----END \(label)-----\n" }
    }

    /// The blocks of a text. Words between them, a byte order mark, blanks around lines and empty lines are left out.
    private static func blocks(of text: String) throws(Problem) -> [Block] {
        var blocks: [Block] = []
        var open: Block?
        // By bytes: to Swift a carriage return with a line feed is one character, and no line feed.
        for bytes in text.utf8.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }) {
            let line = String(decoding: bytes, as: UTF8.self).filter { $0 != "\u{FEFF}" }.trimmingBlanks
            if let label = label(of: line, "BEGIN") {
                if let open { throw Problem(description: "its \(open.label) has no end, expected whole PEM blocks") }
                open = Block(label: label, lines: [])
            } else if let label = label(of: line, "END") {
                guard let block = open, block.label == label else {
                    throw Problem(description: "it has the end of a block that does not begin, expected whole PEM blocks")
                }
                blocks.append(block)
                open = nil
            } else if !line.isEmpty {
                open?.lines.append(line)
            }
        }
        if let open { throw Problem(description: "its \(open.label) has no end, expected whole PEM blocks") }
        return blocks
    }

    private static func label(of line: String, _ word: String) -> String? {
        guard line.hasPrefix("-----\(word) "), line.hasSuffix("-----"), line.utf8.count > word.utf8.count + 11 else { return nil }
        return String(line.dropFirst(word.utf8.count + 6).dropLast(5))
    }
}

extension String {
    fileprivate var trimmingBlanks: String {
        let isBlank = { (character: Character) in character == " " || character == "\t" }
        guard let start = firstIndex(where: { !isBlank($0) }), let end = lastIndex(where: { !isBlank($0) }) else { return "" }
        return String(self[start...end])
    }
}
