/// An object by its fields' names; nil leaves a field out.
package struct Fields: Encodable {
    private struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private let values: [(name: String, value: (any Encodable)?)]

    package init(_ values: [(name: String, value: (any Encodable)?)]) { self.values = values }
    package init(_ values: KeyValuePairs<String, (any Encodable)?>) { self.init(values.map { (name: $0.key, value: $0.value) }) }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Name.self)
        for case (let name, let value?) in values { try container.encode(value, forKey: Name(stringValue: name)) }
    }
}
