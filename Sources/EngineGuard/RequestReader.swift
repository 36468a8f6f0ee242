/// Reads one request of a connection, and nothing more.
struct RequestReader {
    private let client: Channel
    private var deadline: ContinuousClock.Instant
    /// What has come and is not read yet.
    private var rest: [UInt8] = []

    /// - Parameter seconds: for all of it.
    init(client: Channel, seconds: Double) {
        self.client = client
        deadline = .now + .seconds(seconds)
    }

    /// Gives the rest of it another time.
    mutating func allow(seconds: Double) { deadline = .now + .seconds(seconds) }

    /// Nil where the client hangs up without a word.
    mutating func head() throws -> RequestHead? {
        let end = Array("\r\n\r\n".utf8)
        while true {
            if let range = rest.firstRange(of: end) {
                guard range.upperBound <= RequestHead.limit else { throw Self.tooLong }
                defer { rest.removeSubrange(..<range.upperBound) }
                return try RequestHead(Array(rest[..<range.upperBound]))
            }
            guard rest.count <= RequestHead.limit else { throw Self.tooLong }
            for (index, byte) in rest.enumerated() where byte == 0x0A && (index == 0 || rest[index - 1] != 0x0D) {
                throw Refusal.malformed("a line does not end with CR LF")
            }
            let bytes = try client.read(by: deadline)
            guard !bytes.isEmpty else {
                guard rest.isEmpty else { throw Channel.Failure.ended }
                return nil
            }
            rest += bytes
        }
    }

    private static let tooLong = Refusal(status: 431, message: "the head is longer than \(RequestHead.limit) bytes")

    mutating func body(_ head: RequestHead, limit: Int) throws -> [UInt8] {
        guard let length = head.length else { throw Refusal.malformed("the header field content-length is missing") }
        guard length <= limit else { throw Refusal(status: 413, message: "the body has \(length) bytes, expected at most \(limit)") }
        try sendContinue(head)
        let body = try take(length)
        try end()
        return body
    }

    /// Tells a client that waits for it to send the body.
    func sendContinue(_ head: RequestHead) throws {
        if head.waitsForContinue { try client.write("HTTP/1.1 100 Continue\r\n\r\n".utf8) }
    }

    /// The next bytes of the body, all of them.
    mutating func take(_ count: Int) throws -> [UInt8] {
        while rest.count < count {
            let bytes = try client.read(by: deadline)
            guard !bytes.isEmpty else { throw Channel.Failure.ended }
            rest += bytes
        }
        defer { rest.removeFirst(count) }
        return Array(rest.prefix(count))
    }

    /// Nothing may stand behind the request.
    func end() throws {
        guard rest.isEmpty else { throw Refusal.malformed("something follows the request") }
    }
}
