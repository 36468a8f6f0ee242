/// A type whose JSON is a string: its `description`, which its initializer reads.
package protocol TextCodable: Codable, LosslessStringConvertible {
    /// What a text must be to be read, for errors: "an exit id like us-1".
    static var form: String { get }
}

extension TextCodable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let value = Self(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not \(Self.form)")
        }
        self = value
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
