/// Breaks bytes in the ways that networks, editors and foes do.
package enum Mutation {
    private static let marks = Array("{}[]\",:\\0-9eEtrufalsn \u{0}\u{7F}".utf8) + [0xFF, 0xC3, 0x80]

    /// One to four changes: bytes replaced, removed, inserted or doubled, the end cut off.
    package static func of(_ bytes: [UInt8], using generator: inout some RandomNumberGenerator) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
            let at = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<7, using: &generator) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes[at] = marks[Int.random(in: 0..<marks.count, using: &generator)]
            case 2: bytes.remove(at: at)
            case 3: bytes.insert(marks[Int.random(in: 0..<marks.count, using: &generator)], at: at)
            case 4: bytes.removeSubrange(at...)
            case 5: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...40, using: &generator)))
            default:
                let end = min(bytes.count, at + Int.random(in: 1...60, using: &generator))
                bytes.insert(contentsOf: bytes[at..<end], at: Int.random(in: 0...bytes.count, using: &generator))
            }
        }
        return bytes
    }
}
