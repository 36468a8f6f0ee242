import Model
import OpenAPI

/// What the API shows of a value: each field with its schema and its source, declared once.
struct View<Value>: Sendable {
    struct Part: Sendable {
        let field: Schema.Field
        let value: @Sendable (Value) -> (any Encodable)?

        /// A field that is always there.
        static func always(
            _ name: String, _ schema: Schema, _ about: String = "", _ value: @escaping @Sendable (Value) -> (any Encodable)?
        ) -> Part { Part(field: .always(name, schema, about), value: value) }

        /// A field that is left out where its value is nil.
        static func maybe(
            _ name: String, _ schema: Schema, _ about: String = "", _ value: @escaping @Sendable (Value) -> (any Encodable)?
        ) -> Part { Part(field: .maybe(name, schema, about), value: value) }

        func old(_ name: String) -> Part { Part(field: field.old(name), value: value) }
    }

    let schema: Schema
    private let parts: [Part]

    /// - Parameters:
    ///   - name: of the component in the OpenAPI document.
    ///   - showing: what the example has otherwise; nil leaves a field out.
    init(_ name: String, _ parts: Part..., showing: [String: Document?] = [:]) {
        schema = .named(name, .object(parts.map(\.field)).showing(showing))
        self.parts = parts
    }

    /// Of an object that is described where it is used.
    init(_ parts: Part...) {
        schema = .object(parts.map(\.field))
        self.parts = parts
    }

    func callAsFunction(_ value: Value) -> Fields { Fields(parts.map { ($0.field.name, $0.value(value)) }) }
}

/// An object by its fields' names; nil leaves a field out.
struct Fields: Encodable {
    private struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private let values: [(name: String, value: (any Encodable)?)]

    init(_ values: [(name: String, value: (any Encodable)?)]) { self.values = values }
    init(_ values: KeyValuePairs<String, (any Encodable)?>) { self.init(values.map { (name: $0.key, value: $0.value) }) }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Name.self)
        for case (let name, let value?) in values { try container.encode(value, forKey: Name(stringValue: name)) }
    }
}
