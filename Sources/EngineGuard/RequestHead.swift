/// The head of a request, read as strictly as it can be meant: nothing in it has two meanings, and nothing of it is passed on.
struct RequestHead: Hashable {
    /// Bytes up to and with the empty line.
    static let limit = 8 << 10
    static let fieldLimit = 32

    var method: String
    /// Without the query; no escape in it is read.
    var path: String
    /// Decoded, in order.
    var query: [QueryItem] = []
    /// Bytes of the body; nil where the head says none.
    var length: Int?
    /// The client waits for a word before it sends the body.
    var waitsForContinue = false

    struct QueryItem: Hashable {
        var name: String
        var value: String
    }

    /// - Parameter bytes: up to and with the empty line.
    init(_ bytes: [UInt8]) throws(Refusal) {
        guard bytes.allSatisfy({ (0x20..<0x7F).contains($0) || $0 == 0x09 || $0 == 0x0D || $0 == 0x0A }) else {
            throw .malformed("the head has control or non-ASCII characters")
        }
        var lines = try Self.lines(bytes)
        guard let first = lines.popFirst() else { throw .malformed("a request line is missing") }
        let words = first.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, words[2] == "HTTP/1.1", Self.isToken(words[0]) else {
            throw .malformed("the first line is not an HTTP/1.1 request")
        }
        method = String(words[0])
        (path, query) = try Self.target(words[1])
        try read(lines)
    }

    /// The lines between CR LF, the last of which is empty.
    private static func lines(_ bytes: [UInt8]) throws(Refusal) -> ArraySlice<Substring> {
        let text = String(decoding: bytes, as: UTF8.self)
        let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map(Substring.init)
        // The text ends with CR LF CR LF: behind the last line feed there is nothing.
        guard lines.count >= 3, lines.last == "" else { throw .malformed("the head has no end") }
        var read: [Substring] = []
        for line in lines.dropLast() {
            let scalars = line.unicodeScalars
            guard scalars.last == "\r", !scalars.dropLast().contains("\r") else { throw .malformed("a line does not end with CR LF") }
            read.append(Substring(scalars.dropLast()))
        }
        guard read.removeLast() == "", !read.contains("") else { throw .malformed("the head has an empty line") }
        return read[...]
    }

    private static func isToken(_ text: Substring) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
                default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
                }
            }
    }
}

// MARK: - The target

extension RequestHead {
    private static func target(_ text: Substring) throws(Refusal) -> (path: String, query: [QueryItem]) {
        let parts = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard let path = parts.first, path.hasPrefix("/"), path.utf8.count <= 300 else {
            throw .malformed("the target is not a path of at most 300 bytes")
        }
        guard path.utf8.allSatisfy(isOfPath) else { throw .forbidden("the path has characters that are not allowed") }
        let segments = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        guard !segments.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }) else {
            throw .forbidden("the path has an empty segment or one of dots")
        }
        return (String(path), parts.count == 2 ? try items(of: parts[1]) : [])
    }

    private static func isOfPath(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "/-._%".utf8.contains(byte)
        }
    }

    private static func items(of query: Substring) throws(Refusal) -> [QueryItem] {
        var items: [QueryItem] = []
        for part in query.split(separator: "&", omittingEmptySubsequences: false) {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2, let name = pair.first, !name.isEmpty, name.utf8.allSatisfy({ isLetter($0) }) else {
                throw .forbidden("the query has a part that is not name=value")
            }
            guard !items.contains(where: { $0.name == name }) else { throw .forbidden("the query has \(shown(name)) twice") }
            guard let value = decoded(pair[1]) else {
                throw .forbidden("the value of \(shown(name)) in the query has an unexpected encoding")
            }
            items.append(QueryItem(name: String(name), value: value))
        }
        return items
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (0x41...0x5A).contains(byte & 0xDF) }

    /// Percent-decoding (RFC 3986) to UTF-8; nil for anything that could be read in another way, like a plus.
    private static func decoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "%"):
                let digits = String(decoding: rest.prefix(2), as: UTF8.self)
                guard digits.utf8.count == 2, digits.utf8.first != UInt8(ascii: "+"), digits.utf8.first != UInt8(ascii: "-"),
                    let value = UInt8(digits, radix: 16)
                else { return nil }
                bytes.append(value)
                rest = rest.dropFirst(2)
            case UInt8(ascii: "+"), UInt8(ascii: ";"), UInt8(ascii: "#"), UInt8(ascii: "&"): return nil
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }
}

// MARK: - The fields

extension RequestHead {
    private mutating func read(_ lines: ArraySlice<Substring>) throws(Refusal) {
        guard lines.count <= Self.fieldLimit else { throw .malformed("over \(Self.fieldLimit) header fields") }
        var seen: Set<String> = []
        for line in lines {
            guard let colon = line.firstIndex(of: ":"), Self.isToken(line[..<colon]) else {
                throw .malformed("a header line has no name and colon")
            }
            let name = line[..<colon].lowercased()
            guard seen.insert(name).inserted else { throw .malformed("the header field \(shown(name)) is there twice") }
            try take(name, line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" })
        }
        guard seen.contains("host") else { throw .malformed("the header field host is missing") }
    }

    /// What changes how a request is read is known here, or refused. All other fields are for nobody.
    private mutating func take(_ name: String, _ value: Substring) throws(Refusal) {
        switch name {
        case "content-length":
            guard !value.isEmpty, value.utf8.count <= 10, value.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(value)
            else {
                throw .malformed("the header field content-length is not a number")
            }
            length = number
        case "transfer-encoding", "trailer", "content-encoding", "upgrade", "http2-settings":
            throw .malformed("the header field \(name) is not taken here, expected a plain body with content-length")
        case "connection":
            let words = value.lowercased().split(separator: ",").map { $0.filter { $0 != " " && $0 != "\t" } }
            guard words.allSatisfy({ $0 == "close" || $0 == "keep-alive" }) else {
                throw .malformed("the header field connection may only be close or keep-alive")
            }
        case "expect":
            guard value.lowercased() == "100-continue" else { throw .malformed("the header field expect may only be 100-continue") }
            waitsForContinue = true
        default: return
        }
    }
}
