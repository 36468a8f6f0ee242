/// Why a text is not the JSON that we read: where, what is there, and what would be right. It repeats nothing of the text but a name.
package struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
    /// In bytes from the begin.
    package var offset: Int
    package var message: String
    package var description: String { "byte \(offset): \(message)" }
}

extension Document {
    /// Reads one JSON value (RFC 8259) as strictly as it can be meant: UTF-8 without a byte order mark; no name twice in an object,
    /// also not by escapes; nothing behind the value; at most 64 levels. What two readers could take for two things is refused.
    ///
    /// A number without a fraction that an `Int` holds is an `integer`, however it is written.
    /// - Throws: `JSONError`.
    package init(json bytes: some Collection<UInt8>) throws {
        func read(_ bytes: UnsafeBufferPointer<UInt8>) throws -> Document {
            var reader = JSONReader(bytes: bytes)
            return try reader.document()
        }
        if let value = try bytes.withContiguousStorageIfAvailable(read) {
            self = value
        } else {
            self = try Array(bytes).withUnsafeBufferPointer(read)
        }
    }
}

/// Reads from front to back, once.
private struct JSONReader {
    static let deepest = 64

    let bytes: UnsafeBufferPointer<UInt8>
    var place = 0
    var depth = 0

    init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    /// 0 at the end, where no token is 0.
    var next: UInt8 { place < bytes.count ? bytes[place] : 0 }

    func wrong(_ message: String, at offset: Int? = nil) -> JSONError { JSONError(offset: offset ?? place, message: message) }

    mutating func document() throws -> Document {
        try refuseOtherEncodings()
        skipBlanks()
        guard place < bytes.count else { throw wrong("nothing is there, expected a JSON value") }
        let value = try self.value()
        skipBlanks()
        guard place == bytes.count else { throw wrong("something follows the value, expected the end") }
        return value
    }

    /// A JSON text begins with an ASCII character, and no other is zero (RFC 4627, section 3).
    private func refuseOtherEncodings() throws {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) || bytes.starts(with: [0xFE, 0xFF]) || bytes.starts(with: [0xFF, 0xFE]) {
            throw wrong("a byte order mark, expected UTF-8 without one")
        }
        if bytes.prefix(4).contains(0) { throw wrong("a zero byte, as in UTF-16 or UTF-32, expected UTF-8") }
    }

    mutating func skipBlanks() {
        while place < bytes.count, bytes[place] == 0x20 || (0x09...0x0A).contains(bytes[place]) || bytes[place] == 0x0D { place += 1 }
    }

    mutating func value() throws -> Document {
        switch next {
        case UInt8(ascii: "{"): return try nested { try $0.object() }
        case UInt8(ascii: "["): return try nested { try $0.array() }
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: throw wrong(place < bytes.count ? "no JSON value begins so" : "the text ends, expected a value")
        }
    }

    private mutating func nested(_ read: (inout JSONReader) throws -> Document) throws -> Document {
        guard depth < Self.deepest else { throw wrong("nested too deeply, expected at most \(Self.deepest) levels") }
        depth += 1
        defer { depth -= 1 }
        place += 1
        skipBlanks()
        return try read(&self)
    }

    private mutating func object() throws -> Document {
        var fields: [String: Document] = [:]
        if next == UInt8(ascii: "}") { return closed(.object(fields)) }
        while true {
            let start = place
            guard next == UInt8(ascii: "\"") else { throw wrong("expected a name in double quotes") }
            let name = try string()
            guard fields[name] == nil else { throw wrong("the name \(Self.shown(name)) is there twice, expected it once", at: start) }
            skipBlanks()
            guard next == UInt8(ascii: ":") else { throw wrong("expected a colon behind the name \(Self.shown(name))") }
            place += 1
            skipBlanks()
            fields[name] = try value()
            if try isOver(UInt8(ascii: "}")) { return closed(.object(fields)) }
        }
    }

    private mutating func array() throws -> Document {
        var items: [Document] = []
        if next == UInt8(ascii: "]") { return closed(.array(items)) }
        while true {
            items.append(try value())
            if try isOver(UInt8(ascii: "]")) { return closed(.array(items)) }
        }
    }

    private mutating func closed(_ value: Document) -> Document {
        place += 1
        return value
    }

    /// True at the end of a list or an object; else a comma is passed over, behind which there must be more.
    private mutating func isOver(_ end: UInt8) throws -> Bool {
        skipBlanks()
        if next == end { return true }
        guard next == UInt8(ascii: ",") else { throw wrong("expected a comma or the end of the \(end == 0x5D ? "list" : "object")") }
        let comma = place
        place += 1
        skipBlanks()
        guard next != end else { throw wrong("a comma with nothing behind it, expected none", at: comma) }
        return false
    }

    private mutating func word(_ word: StaticString, _ value: Document) throws -> Document {
        let isThere = word.withUTF8Buffer { bytes[place...].starts(with: $0) }
        guard isThere else { throw wrong("expected \(word)") }
        place += word.utf8CodeUnitCount
        return value
    }

    /// A name for a message.
    private static func shown(_ name: String) -> String {
        let isPlain = name.utf8.count <= 64 && name.utf8.allSatisfy { (0x21..<0x7F).contains($0) }
        return isPlain ? name : "of \(name.utf8.count) bytes"
    }
}

// MARK: - Numbers

extension JSONReader {
    private mutating func digits() -> Int {
        let start = place
        while (0x30...0x39).contains(next) { place += 1 }
        return place - start
    }

    fileprivate mutating func number() throws -> Document {
        let start = place
        if next == UInt8(ascii: "-") { place += 1 }
        let first = next
        let count = digits()
        guard count > 0 else { throw wrong("expected a digit") }
        guard count == 1 || first != UInt8(ascii: "0") else { throw wrong("a number that begins with 0, expected it without", at: start) }
        var isWhole = true
        if next == UInt8(ascii: ".") {
            place += 1
            isWhole = false
            guard digits() > 0 else { throw wrong("expected a digit behind the point") }
        }
        if next | 0x20 == UInt8(ascii: "e") {
            place += 1
            isWhole = false
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { place += 1 }
            guard digits() > 0 else { throw wrong("expected a digit in the exponent") }
        }
        let text = String(decoding: bytes[start..<place], as: UTF8.self)
        if isWhole, let number = Int(text) { return .integer(number) }
        guard let number = Double(text), number.isFinite else { throw wrong("a number that is too large", at: start) }
        // 2^53: from there on a Double may stand for a neighbour.
        return !isWhole && abs(number) < 9_007_199_254_740_992 && number == number.rounded() ? .integer(Int(number)) : .number(number)
    }
}

// MARK: - Strings

extension JSONReader {
    fileprivate mutating func string() throws -> String {
        let start = place
        place += 1
        var unescaped: [UInt8]?
        var from = place
        while true {
            guard place < bytes.count else { throw wrong("a string without its end", at: start) }
            switch bytes[place] {
            case UInt8(ascii: "\""):
                let rest = bytes[from..<place]
                place += 1
                guard let text = unescaped.map({ String(validating: $0 + rest, as: UTF8.self) }) ?? String(validating: rest, as: UTF8.self)
                else { throw wrong("a string that is not UTF-8", at: start) }
                return text
            case UInt8(ascii: "\\"):
                var text = (unescaped ?? []) + bytes[from..<place]
                let scalar = try escape()
                text.append(contentsOf: Unicode.UTF8.encode(scalar) ?? .encodedReplacementCharacter)
                unescaped = text
                from = place
            case 0..<0x20: throw wrong("a control character in a string, expected it as an escape")
            default: place += 1
            }
        }
    }

    private mutating func escape() throws -> Unicode.Scalar {
        let start = place
        place += 1
        let letter = next
        place += 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(letter)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            let unit = try hexadecimal()
            return try Unicode.Scalar(unit) ?? pair(after: unit, from: start)
        default: throw wrong("an escape that JSON does not know", at: start)
        }
    }

    /// The character of a pair of surrogates, of which the first was read.
    private mutating func pair(after first: UInt32, from start: Int) throws -> Unicode.Scalar {
        guard first < 0xDC00, next == UInt8(ascii: "\\"), place + 1 < bytes.count, bytes[place + 1] == UInt8(ascii: "u") else {
            throw wrong("half of a pair of surrogates, expected both", at: start)
        }
        place += 2
        let second = try hexadecimal()
        guard (0xDC00...0xDFFF).contains(second), let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)) else {
            throw wrong("half of a pair of surrogates, expected both", at: start)
        }
        return scalar
    }

    private mutating func hexadecimal() throws -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            let digit: UInt32
            switch next {
            case 0x30...0x39: digit = UInt32(next) - 0x30
            case 0x41...0x46, 0x61...0x66: digit = UInt32(next | 0x20) - 0x57
            default: throw wrong("expected four hexadecimal digits")
            }
            value = value << 4 | digit
            place += 1
        }
        return value
    }
}
