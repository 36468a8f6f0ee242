/// Whether a password that a person chose is as hard to guess as its length suggests.
///
/// A character counts only where it does not follow from those before it: one of a run (`aaaa`, `abcd`, `9876`), of a row of the
/// keyboard, of a part that was there already, or of a word that everybody tries. Pure; what it says never has the password in it.
package enum PasswordRule {
    /// Characters of a password, those among them that count, and different ones.
    package static let length = 12...128
    package static let leastCounted = 8
    package static let leastDifferent = 6

    /// The rule for who chooses one.
    package static let words =
        "12 to 128 printable ASCII characters without spaces, 6 of them different; repeats, sequences, common words and the user's name"
        + " are refused"

    /// Why a password is refused, and what would be right; nil where it is good.
    /// - Parameter user: whose it is; the name is no secret.
    package static func problem(with password: String, of user: String? = nil) -> String? {
        guard length.contains(password.utf8.count), password.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            return "expected 12 to 128 printable ASCII characters without spaces"
        }
        let text = Array(password.lowercased().utf8)
        if let user = user.map({ Array($0.lowercased().utf8) }), user.count >= 3, contains(text, user) || contains(plain(text), user) {
            return "has the user's name in it, \(advice)"
        }
        let different = Set(text).count
        if different < leastDifferent { return "has only \(different) different characters, \(advice)" }
        let counted = counted(text)
        if counted < leastCounted {
            return "is as easy to guess as \(counted) characters: it has repeats, sequences or common words, \(advice)"
        }
        return nil
    }

    /// Why a key is refused that a person wrote; nil where it is good. A key of 32 random hexadecimal digits is.
    package static func problem(withKey key: String) -> String? {
        guard key.utf8.count >= 32, key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            return "expected 32 or more printable ASCII characters without spaces"
        }
        guard Set(key.utf8).count >= leastDifferent, counted(Array(key.lowercased().utf8)) >= 20 else {
            return "is easy to guess: it has repeats, sequences or common words, expected 32 random characters (openssl rand -hex 32)"
        }
        return nil
    }

    private static let advice = "use four unrelated words, 12 random characters, or no password: then one is made"

    /// Characters that do not follow from those before them.
    private static func counted(_ text: [UInt8]) -> Int {
        var follows = [Bool](repeating: false, count: text.count)
        var seen: Set<[UInt8]> = []
        for index in text.indices where index >= 1 {
            if text[index] == text[index - 1] { follows[index] = true }
            guard index >= 2 else { continue }
            let three = Array(text[index - 2...index])
            if isRun(three) || PasswordPatterns.rows.contains(three) {
                // The first of a run is as good as any other.
                follows[index - 1] = true
                follows[index] = true
            }
            if seen.contains(three) || seen.contains(three.reversed()) {
                for place in index - 2...index { follows[place] = true }
            }
            seen.insert(three)
        }
        for text in [text, plain(text)] {
            for word in PasswordPatterns.words { mark(word, in: text, &follows) }
            markYears(text, &follows)
        }
        return follows.count { !$0 }
    }

    private static func isRun(_ three: [UInt8]) -> Bool {
        let (first, second) = (Int(three[1]) - Int(three[0]), Int(three[2]) - Int(three[1]))
        return first == second && abs(first) <= 3
    }

    /// A word counts as its first letter.
    private static func mark(_ word: [UInt8], in text: [UInt8], _ follows: inout [Bool]) {
        guard text.count >= word.count else { return }
        for start in 0...text.count - word.count where text[start..<start + word.count].elementsEqual(word) {
            for place in start + 1..<start + word.count { follows[place] = true }
        }
    }

    /// 1900 to 2099.
    private static func markYears(_ text: [UInt8], _ follows: inout [Bool]) {
        for start in text.indices.dropLast(3) {
            let isCentury = text[start..<start + 2].elementsEqual([0x31, 0x39]) || text[start..<start + 2].elementsEqual([0x32, 0x30])
            guard isCentury, text[start + 2..<start + 4].allSatisfy({ (0x30...0x39).contains($0) }) else { continue }
            for place in start + 1...start + 3 { follows[place] = true }
        }
    }

    private static func contains(_ text: [UInt8], _ part: [UInt8]) -> Bool {
        guard text.count >= part.count else { return false }
        return (0...text.count - part.count).contains { text[$0..<$0 + part.count].elementsEqual(part) }
    }

    /// With letters in place of the signs that are written for them.
    private static func plain(_ text: [UInt8]) -> [UInt8] { text.map { PasswordPatterns.letters[$0] ?? $0 } }
}
