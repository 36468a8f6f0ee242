/// The header fields of a request while they are read one by one, and what is wrong with them.
struct HeadFields {
    /// Fields that a request may have.
    static let limit = 100
    private static let single: Set = [
        "host", "content-length", "transfer-encoding", "content-type", "authorization", "x-api-key", "idempotency-key", "last-event-id",
    ]
    /// By lower-case name; several fields of one name are one list (RFC 9110, section 5.3).
    private(set) var headers = [String: String](minimumCapacity: 12)
    private(set) var count = 0
    /// Bytes of all names and values, as much as their lines have.
    private(set) var size = 0
    /// What another server in the way could read in another way; such a request is refused, and its connection closed.
    private(set) var flaw: String?

    mutating func add(_ name: Slice<UnsafeRawBufferPointer>, _ value: Slice<UnsafeRawBufferPointer>) {
        count += 1
        // Colon, space and line break are four.
        size += name.count + value.count + 4
        // RFC 9112, section 5; libmicrohttpd lets a space before the colon and a NUL in a value pass.
        if !name.allSatisfy(Self.isToken) { flaw = "a header field's name has a character that no name has" }
        if value.contains(where: { $0 == 0 || $0 == 0x0A || $0 == 0x0D }) { flaw = "a header field's value has a control character" }
        add(String(decoding: name, as: UTF8.self).lowercased(), String(decoding: value, as: UTF8.self))
    }

    private static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x5E...0x7A, 0x7C, 0x7E, 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E: true
        default: false
        }
    }

    /// Looks at how the body is framed, which two servers must not read in two ways (RFC 9112, section 6), and at the host.
    mutating func checkFraming(version: String) {
        if let coding = headers["transfer-encoding"] {
            if headers["content-length"] != nil { flaw = "Content-Length and Transfer-Encoding exclude each other" }
            if coding.lowercased() != "chunked" || version != "HTTP/1.1" { flaw = "the only Transfer-Encoding is chunked, of HTTP/1.1" }
        }
        if version == "HTTP/1.1", headers["host"] == nil { flaw = "Host is missing" }
    }

    private mutating func add(_ name: String, _ value: String) {
        guard let present = headers.updateValue(value, forKey: name) else { return }
        if Self.single.contains(name) { flaw = "a header field that may come only once is there twice" }
        headers[name] = count <= Self.limit ? "\(present), \(value)" : present
    }
}
