package import Model

/// What a JSON value must look like: one description for the OpenAPI document, for the check of parameters and for tests.
package struct Schema: Sendable {
    indirect enum Kind: Sendable {
        case string(choices: [String], length: ClosedRange<Int>?, pattern: String?, format: String?)
        case integer(ClosedRange<Int>)
        case number(ClosedRange<Double>)
        case flag
        case list(Schema, limit: Int?)
        case object([Field])
        /// Keys are data, values are all alike.
        case map(Schema)
        /// A component of the document, under its name there.
        case named(String, Schema)
        case anything
        /// The same, or null.
        case nullable(Schema)
    }

    /// One property of an object.
    package struct Field: Sendable {
        package let name: String
        package let schema: Schema
        let isRequired: Bool
        package let about: String
        /// The field that has the same value under the name that counts; nil for all but old names.
        var newName: String?

        /// A property that is always there.
        package static func always(_ name: String, _ schema: Schema, _ about: String = "") -> Field {
            Field(name: name, schema: schema, isRequired: true, about: about)
        }

        /// A property that may be left out.
        package static func maybe(_ name: String, _ schema: Schema, _ about: String = "") -> Field {
            Field(name: name, schema: schema, isRequired: false, about: about)
        }

        /// What an object is that has it.
        var presence: Document {
            var schema = schema
            if case .nullable(let value) = schema.kind { schema = value }
            return .object(["required": .array([.string(name)]), "properties": .object([name: schema.document])])
        }

        /// The old name of another field, kept for one release.
        package func old(_ name: String, about: String? = nil) -> Field {
            Field(
                name: name, schema: schema, isRequired: isRequired,
                about: about ?? "the old name of `\(self.name)`, which will be removed in the next release", newName: self.name)
        }
    }

    let kind: Kind
    private let leaf: Document
    /// What the example of an object has in place of its fields' own; nil leaves a field out.
    private var shown: [String: Document?] = [:]
    private var mapKey = "key"
    /// Of an object's fields exactly one is there and not null.
    var isChoiceOfFields = false

    /// A value that it allows.
    package var example: Document {
        switch kind {
        case .named(_, let schema): schema.showing(shown).example
        case .object(let fields):
            .object(
                fields.reduce(into: [:]) { example, field in
                    let name = field.newName ?? field.name
                    example[field.name] = shown[field.name] ?? shown[name] ?? example[name] ?? field.schema.example
                })
        case .list(let schema, _): .array([schema.example])
        case .map(let schema): .object([mapKey: schema.example])
        case .nullable(let schema): schema.example
        default: leaf
        }
    }

    private init(kind: Kind, example: Document = .null) {
        self.kind = kind
        leaf = example
    }

    // MARK: - Ways to make one

    /// - Parameter pattern: a regular expression of ECMA-262 for the whole text, for readers of the document.
    package static func text(_ example: String, length: ClosedRange<Int>? = nil, pattern: String? = nil, format: String? = nil) -> Schema {
        Schema(kind: .string(choices: [], length: length, pattern: pattern, format: format), example: .string(example))
    }

    static let plainPattern = "^[^\\u0000-\\u001F\\u007F]*$"

    /// A text that comes from outside, without control characters.
    package static func plain(_ example: String, length: ClosedRange<Int>) -> Schema {
        text(example, length: length, pattern: plainPattern)
    }

    static let printablePattern = "^[ -~]*$"

    /// ASCII without control characters: at most three bytes each where it is part of a URL.
    package static func printable(_ example: String, length: ClosedRange<Int>) -> Schema {
        text(example, length: length, pattern: printablePattern)
    }

    package static func choice(_ choices: [String]) -> Schema {
        Schema(kind: .string(choices: choices, length: nil, pattern: nil, format: nil), example: .string(choices.first ?? ""))
    }

    package static func choice<Choice: RawRepresentable & CaseIterable>(_ type: Choice.Type) -> Schema where Choice.RawValue == String {
        choice(Choice.allCases.map(\.rawValue))
    }

    package static func whole(_ range: ClosedRange<Int>, _ example: Int) -> Schema {
        Schema(kind: .integer(range), example: .integer(example))
    }

    /// A count without a limit.
    package static func whole(_ example: Int) -> Schema { whole(0...9_007_199_254_740_991, example) }

    package static func number(_ range: ClosedRange<Double>, _ example: Double) -> Schema {
        Schema(kind: .number(range), example: .number(example))
    }

    package static let flag = Schema(kind: .flag, example: .bool(false))
    package static let anything = Schema(kind: .anything, example: .object([:]))
    package static let time = text("2026-11-21T01:02:03.456Z", format: "date-time")
    /// In either case, and with `uk`: exactly what `CountryCode` reads.
    package static let country: Schema = {
        let codes = CountryCode.all.map(\.rawValue) + ["UK"]
        func either(_ letter: Character) -> String { "\(letter)\(letter.lowercased())" }
        let groups = Dictionary(grouping: codes) { $0.first ?? "?" }.sorted { $0.key < $1.key }
        let alternatives = groups.map { "[\(either($0.key))][\($0.value.compactMap(\.last).map(either).joined())]" }
        return text("us", pattern: "^(?:\(alternatives.joined(separator: "|")))$")
    }()
    /// An IPv4 or IPv6 network, or an address; the format is one of ours.
    package static let network = text("203.0.113.0/24", format: "ip-network")

    package static func list(_ schema: Schema, limit: Int? = nil) -> Schema {
        Schema(kind: .list(schema, limit: limit))
    }

    /// - Parameter key: of the example.
    package static func map(_ schema: Schema, key: String = "key") -> Schema {
        var map = Schema(kind: .map(schema))
        map.mapKey = key
        return map
    }

    /// What a name stands for.
    var resolved: Schema { if case .named(_, let schema) = kind { schema } else { self } }

    /// The same, with an example that could be: fields that are not there at the same time are not shown together.
    package func showing(_ changes: [String: Document?]) -> Schema {
        var schema = self
        schema.shown.merge(changes) { $1 }
        return schema
    }

    package static func object(_ fields: Field...) -> Schema { object(fields) }
    package static func object(_ fields: [Field]) -> Schema { Schema(kind: .object(fields)) }
    /// An object that has exactly one of these fields; its example has the first.
    package static func one(of fields: Field...) -> Schema {
        var schema = object(fields).showing(Dictionary(uniqueKeysWithValues: fields.dropFirst().map { ($0.name, nil) }))
        schema.isChoiceOfFields = true
        return schema
    }
    /// A component of the document: described there once, and referred to by its name.
    package static func named(_ name: String, _ schema: Schema) -> Schema { Schema(kind: .named(name, schema)) }
    package static func named(_ name: String, _ fields: Field..., showing: [String: Document?] = [:]) -> Schema {
        named(name, object(fields).showing(showing))
    }
    package static func objects(_ fields: Field..., showing: [String: Document?] = [:]) -> Schema { list(object(fields).showing(showing)) }
    package var orNull: Schema { if case .nullable = kind { self } else { Schema(kind: .nullable(self)) } }

    /// As the body of a request, where null is as good as a field that is left out.
    var asInput: Schema {
        switch kind {
        case .object(let fields):
            var schema = Schema.object(fields.map { $0.isRequired ? $0 : .maybe($0.name, $0.schema.asInput.orNull, $0.about) })
            schema.isChoiceOfFields = isChoiceOfFields
            schema.shown = shown
            return schema
        case .nullable(let schema): return schema.asInput.orNull
        default: return self
        }
    }

    // MARK: - As JSON Schema (2020-12, which OpenAPI 3.1 uses)

    var document: Document {
        switch kind {
        case .named(let name, _): return .object(["$ref": .string("#/components/schemas/\(name)")])
        case .anything: return .object([:])
        case .flag: return .object(["type": .string("boolean")])
        case .string(let choices, let length, let pattern, let format):
            var fields: [String: Document] = ["type": .string("string")]
            if !choices.isEmpty { fields["enum"] = .array(choices.map(Document.string)) }
            if let length {
                fields["minLength"] = .integer(length.lowerBound)
                fields["maxLength"] = .integer(length.upperBound)
            }
            if let pattern { fields["pattern"] = .string(pattern) }
            if let format { fields["format"] = .string(format) }
            return .object(fields)
        case .integer(let range):
            return .object(["type": .string("integer"), "minimum": .integer(range.lowerBound), "maximum": .integer(range.upperBound)])
        case .number(let range):
            return .object(["type": .string("number"), "minimum": .number(range.lowerBound), "maximum": .number(range.upperBound)])
        case .list(let schema, let limit):
            var fields: [String: Document] = ["type": .string("array"), "items": schema.document]
            if let limit { fields["maxItems"] = .integer(limit) }
            return .object(fields)
        case .map(let schema): return .object(["type": .string("object"), "additionalProperties": schema.document])
        case .nullable(let schema): return .object(["anyOf": .array([schema.document, .object(["type": .string("null")])])])
        case .object(let fields):
            let properties = fields.reduce(into: [String: Document]()) { properties, field in
                guard case .object(var described) = field.schema.document else { return }
                if !field.about.isEmpty { described["description"] = .string(field.about) }
                if field.newName != nil { described["deprecated"] = .bool(true) }
                properties[field.name] = .object(described)
            }
            var result: [String: Document] = [
                "type": .string("object"), "properties": .object(properties), "additionalProperties": .bool(false),
            ]
            let required = fields.filter(\.isRequired).map { Document.string($0.name) }
            if !required.isEmpty { result["required"] = .array(required) }
            if isChoiceOfFields { result["oneOf"] = .array(fields.map(\.presence)) }
            return .object(result)
        }
    }

    /// The components that it refers to, by name, itself among them where it is one.
    var components: [String: Schema] {
        switch kind {
        case .named(let name, let schema): schema.components.merging([name: schema]) { $1 }
        case .list(let schema, _), .map(let schema), .nullable(let schema): schema.components
        case .object(let fields): fields.reduce(into: [:]) { $0.merge($1.schema.components) { $1 } }
        default: [:]
        }
    }
}
