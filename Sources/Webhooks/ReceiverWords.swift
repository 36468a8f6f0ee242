import Model

/// What a receiver's answer says about a request, for those who have to mend it.
enum ReceiverWords {
    /// Characters that are kept of its body.
    private static let limit = 200

    /// Why the request was not taken; nil where it was.
    static func problem(_ answer: WebhookAnswer, _ format: WebhookFormat) -> String? {
        let words = text(answer.body)
        guard (200..<300).contains(answer.status) else {
            return "it answered with status \(answer.status)" + (words.isEmpty ? "" : ": \(words)")
        }
        // These two say so under a status of success.
        let isRefusal =
            switch format {
            case .teams: words.hasPrefix("Webhook message delivery failed")
            case .telegram: words.hasPrefix("{\"ok\":false")
            case .sallyport, .slack, .discord: false
            }
        return isRefusal ? "it answered with status \(answer.status): \(words)" : nil
    }

    /// The beginning of a body in one line; nothing of what is no text.
    static func text(_ body: [UInt8]) -> String {
        let start = body.prefix(limit * 4)
        guard !start.contains(0) else { return "" }
        let words = String(decoding: start, as: UTF8.self).unicodeScalars.map { scalar -> Character in
            let isControl = scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format
            return isControl || scalar.properties.isWhitespace ? " " : Character(scalar)
        }
        let line = words.split(separator: " ").map { String($0) }.joined(separator: " ")
        return line.count > limit ? line.prefix(limit) + "..." : line
    }
}
