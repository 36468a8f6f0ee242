/// What a word that nobody knows was probably meant to be.
enum Suggestion {
    /// The nearest of the known words, at most a third of the letters away; nil where none is near.
    static func nearest(to word: String, among known: [String]) -> String? {
        let most = max(1, min(word.utf8.count, 24) / 3)
        let near = known.map { (word: $0, distance: distance(word.lowercased(), $0)) }.filter { $0.distance <= most }
        return near.min { ($0.distance, $0.word) < ($1.distance, $1.word) }?.word
    }

    /// `; did you mean list?`, or nothing.
    static func words(for word: String, among known: [String]) -> String {
        nearest(to: word, among: known).map { "; did you mean \($0)?" } ?? ""
    }

    /// `add, set or list`
    static func choice(_ words: [String]) -> String {
        guard let last = words.last, words.count > 1 else { return words.last ?? "" }
        return words.dropLast().joined(separator: ", ") + " or " + last
    }

    /// How many letters must be changed, added or left out (Levenshtein).
    static func distance(_ left: String, _ right: String) -> Int {
        let right = Array(right.utf8)
        var row = Array(0...right.count)
        for (index, letter) in left.utf8.prefix(100).enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for (column, other) in right.enumerated() {
                let kept = letter == other ? diagonal : diagonal + 1
                diagonal = row[column + 1]
                row[column + 1] = min(kept, row[column] + 1, row[column + 1] + 1)
            }
        }
        return row[right.count]
    }
}
