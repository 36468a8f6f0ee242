import FoundationEssentials
package import Model

extension Document {
    /// The value as JSON, its keys in order.
    package var jsonBytes: [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // It holds strings and finite numbers alone, which can always be written.
        return [UInt8]((try? encoder.encode(self)) ?? Data())
    }

    package var jsonText: String { String(decoding: jsonBytes, as: UTF8.self) }
}
