package import Model

/// What a route shows of a value: each field with its schema and its source, declared once.
package struct View<Value>: Sendable {
    package struct Part: Sendable {
        let field: Schema.Field
        let value: @Sendable (Value) -> (any Encodable)?

        /// A field that is always there.
        package static func always(
            _ name: String, _ schema: Schema, _ about: String = "", _ value: @escaping @Sendable (Value) -> (any Encodable)?
        ) -> Part { Part(field: .always(name, schema, about), value: value) }

        /// A field that is left out where its value is nil.
        package static func maybe(
            _ name: String, _ schema: Schema, _ about: String = "", _ value: @escaping @Sendable (Value) -> (any Encodable)?
        ) -> Part { Part(field: .maybe(name, schema, about), value: value) }

        package func old(_ name: String) -> Part { Part(field: field.old(name), value: value) }
    }

    package let schema: Schema
    private let parts: [Part]

    /// - Parameters:
    ///   - name: of the component in the OpenAPI document.
    ///   - showing: what the example has otherwise; nil leaves a field out.
    package init(_ name: String, _ parts: Part..., showing: [String: Document?] = [:]) {
        schema = .named(name, .object(parts.map(\.field)).showing(showing))
        self.parts = parts
    }

    /// Of an object that is described where it is used.
    package init(_ parts: Part...) {
        schema = .object(parts.map(\.field))
        self.parts = parts
    }

    package func callAsFunction(_ value: Value) -> Fields { Fields(parts.map { ($0.field.name, $0.value(value)) }) }
}
