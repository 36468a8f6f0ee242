/// A head of HTTP/1. Of a request, what is not exactly right is refused, so that nobody reads it in another way. Targets that end lines with
/// LF alone, or fold them, are understood.
struct Head: Equatable {
    struct Field: Equatable {
        /// In lower case.
        let name: String
        let value: ArraySlice<UInt8>
    }

    /// The words of the first line: three of a request, two or three of an answer.
    let line: [ArraySlice<UInt8>]
    var fields: [Field]

    enum Fault: Error, Equatable { case malformed, tooLarge }

    /// Bytes of a head, at most.
    static let limit = 65_536

    /// - Parameter isStrict: of a request.
    /// - Returns: the head, and how many bytes it takes; nil where it is not whole yet.
    static func read(_ bytes: ArraySlice<UInt8>, isStrict: Bool) throws(Fault) -> (head: Head, size: Int)? {
        guard let end = end(of: bytes), end - bytes.startIndex <= limit else {
            guard bytes.count < limit else { throw .tooLarge }
            return nil
        }
        var lines: [ArraySlice<UInt8>] = []
        for line in bytes[..<end].split(separator: 10) { lines.append(try text(of: line, isStrict)) }
        var fields: [Field] = []
        for line in lines.dropFirst().dropLast(lines.last?.isEmpty ?? false ? 1 : 0) {
            if !isStrict, isBlank(line.first ?? 0), let last = fields.popLast() {
                fields.append(Field(name: last.name, value: trimmed(last.value + [32] + trimmed(line))))
            } else {
                fields.append(try field(of: line))
            }
        }
        guard let words = lines.first?.split(separator: 32, maxSplits: 2, omittingEmptySubsequences: false) else { throw .malformed }
        return (Head(line: words, fields: fields), end - bytes.startIndex)
    }

    /// The place behind the empty line.
    private static func end(of bytes: ArraySlice<UInt8>) -> Int? {
        bytes.withUnsafeBufferPointer { bytes -> Int? in
            for place in bytes.indices.dropFirst() where bytes[place] == 10 {
                if bytes[place - 1] == 10 || place > 1 && bytes[place - 1] == 13 && bytes[place - 2] == 10 { return place + 1 }
            }
            return nil
        }.map { bytes.startIndex + $0 }
    }

    /// A line without its CR. A strict one ends with it, and has no other control character but tabs.
    private static func text(of line: ArraySlice<UInt8>, _ isStrict: Bool) throws(Fault) -> ArraySlice<UInt8> {
        let text = line.last == 13 ? line.dropLast() : line
        let isPlain = text.allSatisfy { $0 >= 32 && $0 != 127 || $0 == 9 }
        guard isStrict ? isPlain && text.count < line.count : !text.contains(where: { $0 == 13 || $0 == 0 }) else { throw .malformed }
        return text
    }

    private static func field(of line: ArraySlice<UInt8>) throws(Fault) -> Field {
        guard let colon = line.firstIndex(of: 58), colon > line.startIndex, line[..<colon].allSatisfy(isToken) else { throw .malformed }
        return Field(name: lowercased(line[..<colon]), value: trimmed(line[(colon + 1)...]))
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 }

    private static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var rest = text.drop(while: isBlank)
        while let last = rest.last, isBlank(last) { rest.removeLast() }
        return rest
    }

    static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...90, 94...122, 33, 35...39, 42, 43, 45, 46, 124, 126: true
        default: false
        }
    }

    static func lowercased(_ bytes: some Sequence<UInt8>) -> String {
        String(decoding: bytes.map { (65...90).contains($0) ? $0 | 32 : $0 }, as: UTF8.self)
    }

    // MARK: - What fields say

    func values(_ name: String) -> [ArraySlice<UInt8>] { fields.filter { $0.name == name }.map { $0.value } }

    /// The words of a field that is a list, in lower case.
    func words(_ name: String) -> [String] {
        values(name).flatMap { $0.split(separator: 44) }.map { Self.lowercased($0.filter { $0 != 32 && $0 != 9 }) }.filter { !$0.isEmpty }
    }

    /// Takes out what concerns one connection only, except `kept`.
    mutating func removeHopByHop(keeping kept: Set<String> = []) {
        let named = Set(words("connection"))
        fields.removeAll {
            !kept.contains($0.name)
                && (["connection", "proxy-connection", "keep-alive", "proxy-authorization", "proxy-authenticate"].contains($0.name)
                    || named.contains($0.name) && !["host", "content-length", "transfer-encoding"].contains($0.name))
        }
    }

    func write(to buffer: inout ByteBuffer, line: [some Collection<UInt8>]) {
        for (place, word) in line.enumerated() {
            if place > 0 { buffer.append([32]) }
            buffer.append(word)
        }
        buffer.append([13, 10])
        for field in fields {
            buffer.append(field.name.utf8)
            buffer.append([58, 32])
            buffer.append(field.value)
            buffer.append([13, 10])
        }
        buffer.append([13, 10])
    }
}
