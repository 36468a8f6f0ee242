/// A parsed JSON or YAML value, before anything is known about its meaning.
package enum Document: Hashable, Sendable {
    case null
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    case array([Document])
    case object([String: Document])

    /// What it is, in words for an error message.
    package var kind: String {
        switch self {
        case .null: "nothing"
        case .bool: "true or false"
        case .integer: "a whole number"
        case .number: "a number"
        case .string: "a string"
        case .array: "a list"
        case .object: "an object"
        }
    }
}

extension Document: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([Document].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: Document].self))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}

/// One mistake in a document, by the path of its field: `pools.us.size`.
package struct FieldProblem: Hashable, Sendable, CustomStringConvertible {
    package var field: String
    /// What is wrong and what would be right. Never a secret's value.
    package var message: String
    /// True where the field has the wrong type, false where only its value is wrong.
    package var isTypeMismatch: Bool

    package init(field: String, message: String, isTypeMismatch: Bool = false) {
        self.field = field
        self.message = message
        self.isTypeMismatch = isTypeMismatch
    }

    package var description: String { "\(field): \(message)" }
}

/// Reads the fields of an object one by one and gathers every mistake, so that all are told at once.
///
/// A reader is passed by reference through the sections of one document; `finish` reports the fields that nobody read.
package final class FieldReader {
    private let fields: [String: Document]
    private let path: String
    private let sink: Sink
    private var known: Set<String> = []
    private var sections: [FieldReader] = []

    private final class Sink { var problems: [FieldProblem] = [] }

    package convenience init(_ document: Document, name: String = "") {
        self.init(document, path: name, sink: Sink())
    }

    private init(_ document: Document, path: String, sink: Sink) {
        self.path = path
        self.sink = sink
        switch document {
        case .object(let fields): self.fields = fields
        case .null: fields = [:]
        default:
            fields = [:]
            let message = "is \(document.kind), expected an object"
            sink.problems.append(FieldProblem(field: path.isEmpty ? "body" : path, message: message, isTypeMismatch: true))
        }
    }

    /// All mistakes so far, and one for each field that no call has read.
    package func finish() -> [FieldProblem] {
        reportUnknown()
        return sink.problems
    }

    private func reportUnknown() {
        for key in fields.keys.sorted() where !known.contains(key) {
            let wanted = known.isEmpty ? "none is allowed here" : "known are \(known.sorted().joined(separator: ", "))"
            problem(String(key.prefix(64)), "unknown field, \(wanted)")
        }
        for section in sections { section.reportUnknown() }
    }

    package func problem(_ field: String, _ message: String, isTypeMismatch: Bool = false) {
        sink.problems.append(FieldProblem(field: qualified(field), message: message, isTypeMismatch: isTypeMismatch))
    }

    /// The nested object of that name; an absent one reads as empty.
    package func section(_ field: String) -> FieldReader {
        known.insert(field)
        let reader = FieldReader(fields[field] ?? .null, path: qualified(field), sink: sink)
        sections.append(reader)
        return reader
    }

    /// The objects of a list; nil where it is absent.
    package func objects(_ field: String, limit: Int) -> [FieldReader]? {
        guard let value = present(field) else { return nil }
        guard case .array(let items) = value else { return mismatch(field, value, "a list of objects") }
        guard isShort(field, items, limit) else { return nil }
        let readers = items.enumerated().map { FieldReader($1, path: qualified("\(field)[\($0)]"), sink: sink) }
        sections += readers
        return readers
    }

    package func has(_ field: String) -> Bool {
        known.insert(field)
        guard let value = fields[field], value != .null else { return false }
        return true
    }

    /// True where the field is there, also as null, which takes a setting away.
    package func names(_ field: String) -> Bool {
        known.insert(field)
        return fields[field] != nil
    }

    /// The names of all fields present, in order; for objects whose keys are data.
    package var keys: [String] { fields.keys.sorted() }

    /// - Parameters:
    ///   - least: characters (Unicode scalars).
    ///   - limit: characters, at most.
    package func string(_ field: String, atLeast least: Int = 0, limit: Int = 1024) -> String? {
        guard let value = present(field) else { return nil }
        guard case .string(let text) = value else { return mismatch(field, value, "a string") }
        let count = text.unicodeScalars.count
        guard count <= limit else {
            problem(field, "has \(count) characters, expected at most \(limit)")
            return nil
        }
        guard count >= least else {
            problem(field, "has \(count) characters, expected at least \(least)")
            return nil
        }
        guard !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
            problem(field, "holds a control character, expected plain text")
            return nil
        }
        return text
    }

    package func integer(_ field: String, in range: ClosedRange<Int>) -> Int? {
        guard let value = present(field) else { return nil }
        guard case .integer(let number) = value else { return mismatch(field, value, "a whole number") }
        return limited(field, number, to: range)
    }

    package func number(_ field: String, in range: ClosedRange<Double>) -> Double? {
        guard let value = present(field) else { return nil }
        let number: Double
        switch value {
        case .integer(let whole): number = Double(whole)
        case .number(let real): number = real
        default: return mismatch(field, value, "a number")
        }
        return limited(field, number, to: range)
    }

    package func bool(_ field: String) -> Bool? {
        guard let value = present(field) else { return nil }
        guard case .bool(let flag) = value else { return mismatch(field, value, "true or false") }
        return flag
    }

    package func strings(_ field: String, limit: Int = 32) -> [String]? {
        guard let value = present(field) else { return nil }
        guard case .array(let items) = value else { return mismatch(field, value, "a list of strings") }
        guard isShort(field, items, limit) else { return nil }
        return items.enumerated().compactMap { index, item -> String? in
            guard case .string(let text) = item else { return mismatch("\(field)[\(index)]", item, "a string") }
            return text
        }
    }

    /// As `strings`, or one text with commas or blanks between its parts.
    package func list(_ field: String, limit: Int = 32) -> [String]? {
        guard case .string(let text)? = fields[field] else { return strings(field, limit: limit) }
        known.insert(field)
        return text.split { $0 == "," || $0.isWhitespace }.map(String.init)
    }

    package func integers(_ field: String, in range: ClosedRange<Int>, limit: Int) -> [Int]? {
        guard let value = present(field) else { return nil }
        guard case .array(let items) = value else { return mismatch(field, value, "a list of whole numbers") }
        guard isShort(field, items, limit) else { return nil }
        return items.enumerated().compactMap { index, item -> Int? in
            let name = "\(field)[\(index)]"
            guard case .integer(let number) = item else { return mismatch(name, item, "a whole number") }
            return limited(name, number, to: range)
        }
    }

    /// Nil, with a problem, for a number outside of its range.
    private func limited<Number: Comparable>(_ field: String, _ number: Number, to range: ClosedRange<Number>) -> Number? {
        if range.contains(number) { return number }
        problem(field, "is \(number), expected \(range.lowerBound) to \(range.upperBound)")
        return nil
    }

    /// False, with a problem, for a list with too many entries.
    private func isShort(_ field: String, _ items: [Document], _ limit: Int) -> Bool {
        if items.count <= limit { return true }
        problem(field, "has \(items.count) entries, expected at most \(limit)")
        return false
    }

    /// A moment in the form 2026-01-31T12:00:00Z.
    package func timestamp(_ field: String) -> Timestamp? {
        guard let text = string(field) else { return nil }
        if let moment = Timestamp(rfc3339: text) { return moment }
        problem(field, "is not a time, expected one like 2026-01-31T12:00:00Z")
        return nil
    }

    /// The entries of a list of ISO 3166-1 codes.
    package func countries(_ field: String, limit: Int = 250) -> [CountryCode]? {
        guard let texts = strings(field, limit: limit) else { return nil }
        return texts.enumerated().compactMap { index, text in
            if let country = CountryCode(text) { return country }
            problem("\(field)[\(index)]", "unknown country, expected an ISO 3166-1 alpha-2 code like us")
            return nil
        }
    }

    /// One of a closed set of words.
    package func choice<Choice: RawRepresentable & CaseIterable>(_ field: String, _ type: Choice.Type) -> Choice?
    where Choice.RawValue == String {
        guard let text = string(field) else { return nil }
        if let choice = Choice(rawValue: text) { return choice }
        problem(field, "unknown value, expected one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
        return nil
    }

    package func country(_ field: String) -> CountryCode? {
        guard let text = string(field) else { return nil }
        if let country = CountryCode(text) { return country }
        problem(field, "unknown country, expected an ISO 3166-1 alpha-2 code like us")
        return nil
    }

    /// Reports the field as missing when it is; returns its value otherwise.
    package func required<Value>(_ field: String, _ value: Value?, want: String) -> Value? {
        if value == nil, present(field) == nil { problem(field, "is missing, expected \(want)") }
        return value
    }

    private func present(_ field: String) -> Document? {
        known.insert(field)
        guard let value = fields[field], value != .null else { return nil }
        return value
    }

    private func mismatch<Value>(_ field: String, _ value: Document, _ want: String) -> Value? {
        problem(field, "is \(value.kind), expected \(want)", isTypeMismatch: true)
        return nil
    }

    private func qualified(_ field: String) -> String { path.isEmpty ? field : "\(path).\(field)" }
}
