/// Writes JSON into bytes, without an encoder: ten thousand servers take a few milliseconds.
package struct JSONWriter {
    package private(set) var bytes: [UInt8] = []
    private var needsComma = false

    package init() {}

    package mutating func object(_ body: (inout JSONWriter) -> Void) {
        begin()
        bytes.append(0x7B)
        needsComma = false
        body(&self)
        bytes.append(0x7D)
        needsComma = true
    }

    package mutating func list<Items: Sequence>(_ name: String, _ items: Items, _ body: (inout JSONWriter, Items.Element) -> Void) {
        key(name)
        bytes.append(0x5B)
        needsComma = false
        for item in items { body(&self, item) }
        bytes.append(0x5D)
        needsComma = true
    }

    package mutating func field(_ name: String, _ value: String?) {
        guard let value else { return }
        key(name)
        text(value)
    }

    package mutating func field(_ name: String, _ value: Bool?) {
        guard let value else { return }
        key(name)
        bytes += (value ? "true" : "false").utf8
    }

    package mutating func object(_ name: String, _ body: (inout JSONWriter) -> Void) {
        key(name)
        needsComma = false
        object(body)
    }

    package mutating func field(_ name: String, _ value: Int?) {
        guard let value else { return }
        key(name)
        bytes += String(value).utf8
    }

    /// With three digits behind the point.
    package mutating func field(_ name: String, _ value: Double?) {
        guard let value, value.isFinite else { return }
        key(name)
        bytes += Figures.decimal(value, digits: 3).utf8
    }

    package mutating func field(_ name: String, _ values: [String]) {
        key(name)
        bytes.append(0x5B)
        for (index, value) in values.enumerated() {
            if index > 0 { bytes.append(0x2C) }
            text(value)
        }
        bytes.append(0x5D)
    }

    private mutating func begin() { if needsComma { bytes.append(0x2C) } }

    private mutating func key(_ name: String) {
        begin()
        needsComma = true
        text(name)
        bytes.append(0x3A)
    }

    /// A string (RFC 8259, section 7).
    private mutating func text(_ value: String) {
        bytes.append(0x22)
        for byte in value.utf8 {
            switch byte {
            case 0x22, 0x5C: bytes += [0x5C, byte]
            case 0..<0x20:
                bytes += "\\u00".utf8
                bytes += [0x30 + byte >> 4, byte & 15 < 10 ? 0x30 + byte & 15 : 0x57 + byte & 15]
            default: bytes.append(byte)
            }
        }
        bytes.append(0x22)
    }
}
