import Model

/// JSON written straight into bytes: a list of ten thousand servers in a few milliseconds.
struct JSONText {
    private(set) var bytes: [UInt8] = []
    private var needsComma = false

    mutating func object(_ body: (inout JSONText) -> Void) {
        begin()
        bytes.append(0x7B)
        needsComma = false
        body(&self)
        bytes.append(0x7D)
        needsComma = true
    }

    mutating func list<Items: Sequence>(_ name: String, _ items: Items, _ body: (inout JSONText, Items.Element) -> Void) {
        key(name)
        bytes.append(0x5B)
        needsComma = false
        for item in items { body(&self, item) }
        bytes.append(0x5D)
        needsComma = true
    }

    mutating func field(_ name: String, _ value: String?) {
        guard let value else { return }
        key(name)
        text(value)
    }

    mutating func field(_ name: String, _ value: Bool?) {
        guard let value else { return }
        key(name)
        bytes += (value ? "true" : "false").utf8
    }

    mutating func object(_ name: String, _ body: (inout JSONText) -> Void) {
        key(name)
        needsComma = false
        object(body)
    }

    mutating func field(_ name: String, _ value: Int?) {
        guard let value else { return }
        key(name)
        bytes += String(value).utf8
    }

    /// With three digits behind the point.
    mutating func field(_ name: String, _ value: Double?) {
        guard let value, value.isFinite else { return }
        key(name)
        bytes += Figures.decimal(value, digits: 3).utf8
    }

    mutating func field(_ name: String, _ values: [String]) {
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

    /// A server as the API shows it, its fields in the order of their names.
    mutating func server(
        _ server: Server, figures: LatencyFigures? = nil, score: Double? = nil, parts: [RankedServer.Part]? = nil
    ) {
        object { json in
            json.field("address", server.address)
            json.field("city", server.city)
            json.field("country", server.country.name)
            json.field("country_code", server.country.rawValue)
            json.field("country_name", server.country.name)
            json.field("hostname", server.hostname)
            json.field("identifier", server.hostname)
            for name in ["jitter", "jitter_ms"] { json.field(name, figures?.jitter) }
            for name in ["latency", "latency_ms"] { json.field(name, figures.map(\.median) ?? server.latencyMilliseconds) }
            json.field("load", server.load)
            if let figures {
                json.field("loss", figures.loss)
                json.field("measured_at", figures.measuredAt.description)
            }
            json.field("network", server.network)
            json.field("port", server.port)
            json.field("provider", server.provider.rawValue)
            json.field("public_key", server.publicKey)
            if let figures { json.field("samples", figures.samples) }
            if let score { json.field("score", score) }
            if let parts {
                json.list("score_parts", parts) { json, part in
                    json.object { json in
                        json.field("name", part.name)
                        json.field("points", part.points)
                        json.field("reason", part.reason)
                    }
                }
            }
            json.field("tags", server.tags)
        }
    }
}
