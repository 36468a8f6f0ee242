/// How the names of cities are compared: providers and users write one city in many ways.
package enum CityName {
    /// The letters and digits of a name, in lower case and without accents: "St. Louis", "st_louis" and "ST LOUIS" are "stlouis",
    /// "Querétaro" is "queretaro". A letter of another script than the Latin one stays as it is, in lower case.
    package static func folded(_ name: String) -> String {
        // Most names are plain, and this is asked for each exit at each look at the gateway.
        if name.utf8.allSatisfy({ $0 < 0x80 }) {
            let kept = name.utf8.filter {
                UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 | 0x20
            }
            return String(decoding: kept, as: UTF8.self).lowercased()
        }
        var result = ""
        for character in name.lowercased() {
            if let letters = accented[character] {
                result += letters
            } else if let first = character.unicodeScalars.first, first.isASCII {
                // An accent that is in no table is a scalar behind its letter.
                if Character(first).isLetter || Character(first).isNumber { result.unicodeScalars.append(first) }
            } else if character.isLetter || character.isNumber {
                result.append(character)
            }
        }
        return result
    }

    /// Lower-case letters with accents, in both of Unicode's ways to write them (they compare as equal), and what stands for them.
    private static let accented: [Character: String] = {
        var letters: [Character: String] = [
            "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "þ": "th", "ı": "i", "ħ": "h", "ŋ": "n", "ŧ": "t",
        ]
        // Grave to hook and horn: U+0300 to U+031B; below the letter: U+0323 to U+0332.
        let marks = (0x300...0x332).compactMap(Unicode.Scalar.init)
        // The letters that Vietnamese gives a second accent.
        let seconds = ["\u{300}", "\u{301}", "\u{303}", "\u{309}", "\u{323}"]
        for letter in "abcdefghijklmnopqrstuvwxyz" {
            for mark in marks {
                let once = String(letter) + String(mark)
                if let character = single(once) { letters[character] = String(letter) }
                guard ["\u{302}", "\u{306}", "\u{31B}"].contains(String(mark)), "aeou".contains(letter) else { continue }
                for second in seconds {
                    if let character = single(once + second) { letters[character] = String(letter) }
                }
            }
        }
        return letters
    }()

    private static func single(_ text: String) -> Character? { text.count == 1 ? text.first : nil }
}
