/// A typed key that is written as text: in the store, the API, events and metrics.
package protocol TextKey: TextCodable, Hashable, Comparable, Sendable {
    /// Reads any text. What this version has no case for is kept as it is, so that `description` is always the text that was read.
    init(_ text: String)
}

extension TextKey {
    /// By their text.
    package static func < (left: Self, right: Self) -> Bool { left.description < right.description }

    package static var form: String { "any text" }

    /// The text before the first colon and the text behind it; nil where there is no colon.
    static func parts(of text: String) -> (kind: Substring, name: String)? {
        text.firstIndex(of: ":").map { (text[..<$0], String(text[text.index(after: $0)...])) }
    }
}
