/// A table that the runtime API answers: a header line that begins with `#`, then lines of fields. It is read in place, for it has
/// tens of thousands of fields, of which few are wanted.
enum RuntimeTable {
    /// One line: its wanted fields, in the order in which they were asked for.
    struct Row {
        fileprivate let bytes: UnsafeBufferPointer<UInt8>
        /// Empty where the header has no such field, or the line nothing in it.
        fileprivate let fields: [Range<Int>]

        func text(_ column: Int) -> String { String(decoding: bytes[fields[column]], as: UTF8.self) }

        /// Nil where it is no decimal number, or too large.
        func number(_ column: Int) -> Int? {
            guard !fields[column].isEmpty else { return nil }
            var number = 0
            for byte in bytes[fields[column]] {
                guard (0x30...0x39).contains(byte), number < Int.max / 100 else { return nil }
                number = number * 10 + Int(byte - 0x30)
            }
            return number
        }

        func begins(_ column: Int, with prefix: StaticString) -> Bool {
            bytes[fields[column]].starts(with: UnsafeBufferPointer(start: prefix.utf8Start, count: prefix.utf8CodeUnitCount))
        }
    }

    /// - Parameters:
    ///   - separator: a blank, of which several count as one, or a comma.
    ///   - columns: their names in the header.
    static func read(_ text: String, separator: Character, columns: [String], _ body: (Row) -> Void) {
        let separator = separator.asciiValue ?? 0x20
        var text = text
        text.withUTF8 { bytes in
            // Which wanted column a place in a line is, -1 for none.
            var wanted: [Int] = []
            var fields = [Range<Int>](repeating: 0..<0, count: columns.count)
            var start = 0
            while start < bytes.count {
                let end = bytes[start...].firstIndex(of: 0x0A) ?? bytes.count
                defer { start = end + 1 }
                if bytes[start..<end].starts(with: "# ".utf8) {
                    let names = bytes[(start + 2)..<end].split(separator: separator, omittingEmptySubsequences: separator == 0x20)
                    wanted = names.map { name in columns.firstIndex { $0.utf8.elementsEqual(name) } ?? -1 }
                    continue
                }
                for column in fields.indices { fields[column] = 0..<0 }
                var place = 0
                var begin = start
                while begin <= end, place < wanted.count {
                    let stop = bytes[begin..<end].firstIndex(of: separator) ?? end
                    if separator != 0x20 || stop > begin {
                        if wanted[place] >= 0 { fields[wanted[place]] = begin..<stop }
                        place += 1
                    }
                    begin = stop + 1
                }
                // A line that ends before a field that is wanted is none of the table's.
                if let last = wanted.lastIndex(where: { $0 >= 0 }), place > last { body(Row(bytes: bytes, fields: fields)) }
            }
        }
    }
}
