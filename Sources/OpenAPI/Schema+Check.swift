package import Model

/// A schema as a check of a value.
extension Schema {
    /// Where the value is not as described: a path and what was wanted. Of patterns only those of `plain` and `printable` are looked
    /// at, formats are not.
    package func problems(with value: Document, at path: String = "") -> [FieldProblem] {
        func problem(_ message: String) -> [FieldProblem] { [FieldProblem(field: path.isEmpty ? "body" : path, message: message)] }
        switch (kind, value) {
        case (.anything, _), (.nullable, .null): return []
        case (.nullable(let schema), _): return schema.problems(with: value, at: path)
        case (.named(_, let schema), _): return schema.problems(with: value, at: path)
        case (.flag, .bool): return []
        case (.string(let choices, let length, let pattern, _), .string(let text)):
            if !choices.isEmpty, !choices.contains(text) {
                return problem("unknown value, expected one of \(choices.joined(separator: ", "))")
            }
            if let length, !length.contains(text.unicodeScalars.count) {
                return problem("expected \(length.lowerBound) to \(length.upperBound) characters")
            }
            if pattern == Self.plainPattern, text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) {
                return problem("holds a control character, expected plain text")
            }
            if pattern == Self.printablePattern, text.unicodeScalars.contains(where: { !(0x20...0x7E).contains($0.value) }) {
                return problem("expected letters, digits and signs of ASCII")
            }
            return []
        case (.integer(let range), .integer(let number)):
            return range.contains(number) ? [] : problem("expected a whole number of \(range.lowerBound) to \(range.upperBound)")
        case (.number(let range), .integer(let number)):
            return range.contains(Double(number)) ? [] : problem("expected a number of \(range.lowerBound) to \(range.upperBound)")
        case (.number(let range), .number(let number)):
            return range.contains(number) ? [] : problem("expected a number of \(range.lowerBound) to \(range.upperBound)")
        case (.list(let schema, let limit), .array(let items)):
            if let limit, items.count > limit { return problem("expected at most \(limit) entries") }
            return items.enumerated().flatMap { schema.problems(with: $1, at: "\(path)[\($0)]") }
        case (.map(let schema), .object(let fields)): return fields.flatMap { schema.problems(with: $1, at: Self.joined(path, $0)) }
        case (.object(let wanted), .object(let fields)):
            let missing = wanted.filter { $0.isRequired && fields[$0.name] == nil }
            let present = fields.filter { $0.value != .null }.count
            if isChoiceOfFields, present != 1 { return problem("has \(present) of its fields, expected one") }
            return missing.map { FieldProblem(field: Self.joined(path, $0.name), message: "is missing") }
                + fields.flatMap { name, value in
                    guard let field = wanted.first(where: { $0.name == name }) else {
                        return [FieldProblem(field: Self.joined(path, name), message: "is not described")]
                    }
                    return field.schema.problems(with: value, at: Self.joined(path, name))
                }
        default: return problem("is \(value.kind)")
        }
    }

    private static func joined(_ path: String, _ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    /// What a parameter's text stands for; nil where it can't be what is wanted.
    func value(of text: String) -> Document? {
        switch kind {
        case .integer: return Int(text).map(Document.integer)
        case .number: return Double(text).flatMap { $0.isFinite ? .number($0) : nil }
        case .flag: return text == "true" ? .bool(true) : text == "false" ? .bool(false) : nil
        default: return .string(text)
        }
    }

    /// What would have been right, in words.
    var expectation: String {
        switch kind {
        case .integer(let range): "expected a whole number of \(range.lowerBound) to \(range.upperBound)"
        case .number(let range): "expected a number of \(range.lowerBound) to \(range.upperBound)"
        case .flag: "expected true or false"
        default: "expected a string"
        }
    }
}
