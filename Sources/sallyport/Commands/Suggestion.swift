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

    /// How many letters must be changed, added, left out or swapped with the next one (optimal string alignment).
    static func distance(_ left: String, _ right: String) -> Int {
        let (left, right) = (Array(left.utf8.prefix(100)), Array(right.utf8))
        var rows = [Array(0...right.count)]
        for row in left.indices {
            var next = [row + 1]
            for column in right.indices {
                let changed = rows[row][column] + (left[row] == right[column] ? 0 : 1)
                var least = min(changed, rows[row][column + 1] + 1, next[column] + 1)
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    least = min(least, rows[row - 1][column - 1] + 1)
                }
                next.append(least)
            }
            rows.append(next)
        }
        return rows[left.count][right.count]
    }
}
