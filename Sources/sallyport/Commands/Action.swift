/// One of the things that a command does: `add <name>` of `users`.
struct Action: Sendable {
    /// The second word of the line.
    var name: String
    /// What follows it, as the help shows it.
    var operands: String

    init(_ name: String, _ operands: String = "") { (self.name, self.operands) = (name, operands) }

    var text: String { operands.isEmpty ? name : "\(name) \(operands)" }
}

extension Arguments {
    /// Settles which action is meant: the bare name of a command that lists something lists it.
    mutating func settle(_ actions: [Action]) throws {
        let names = actions.map(\.name)
        guard let word = words.first else {
            if names.contains("list") { return begin(with: "list") }
            throw UsageError(message: "expected \(Suggestion.choice(names))")
        }
        guard names.contains(word) else {
            let meant = Suggestion.words(for: word, among: names)
            throw UsageError(message: "unknown \(word), expected \(Suggestion.choice(names))\(meant)")
        }
    }
}
