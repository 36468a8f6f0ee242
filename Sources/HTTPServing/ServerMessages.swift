import FoundationEssentials
package import Model

/// A request as a route sees it.
package struct ServerRequest: Sendable {
    package var head: RequestHead
    package var body: [UInt8]
    package var clientAddress: String
    /// Names this request in logs and errors.
    package var id: String
    /// What the path's placeholders stand for: `/api/exits/{id}` gives `id`.
    package var parameters: [String: String] = [:]

    package init(head: RequestHead, body: [UInt8] = [], clientAddress: String = "", id: String = "") {
        self.head = head
        self.body = body
        self.clientAddress = clientAddress
        self.id = id
    }

    package var method: String { head.method }
    package var path: [String] { head.path }
    package var query: [(name: String, value: String)] { head.query }
    package var headers: [String: String] { head.headers }
    package func query(_ name: String) -> String? { query.first { $0.name == name }?.value }
}

/// An answer: status, headers and a ready body, or a stream.
package struct ServerResponse: Sendable {
    package var status: Int
    package var headers: [(name: String, value: String)]
    /// More headers, which many answers have.
    package var constant: ConstantHeaders?
    private var own: [UInt8]
    /// A body that other answers send too, in place of one of its own.
    package var shared: SharedBytes?
    /// What the body is compressed by gzip, and its ETag, where somebody has made them already.
    package var compressed: SharedBytes?
    package var etag: String?
    /// A body that comes piece by piece, in place of `body`.
    package var stream: BodyStream?

    package init(status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        own = body
    }

    /// A shared body is copied by reading it here.
    package var body: [UInt8] {
        get { shared?.array ?? own }
        set { (own, shared) = (newValue, nil) }
    }

    package var size: Int { shared?.count ?? own.count }

    /// Encodes a value; its properties become snake case.
    /// - Parameter asIs: true where its keys are data, or named as they are to be.
    package static func json(
        _ value: some Encodable, status: Int = 200, headers: [(name: String, value: String)] = [], asIs: Bool = false
    ) -> ServerResponse {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        if !asIs { encoder.keyEncodingStrategy = .convertToSnakeCase }
        guard let data = try? encoder.encode(value) else {
            return APIProblem(status: 500, code: "internal", message: "the answer can't be written").response(id: "")
        }
        return json(bytes: [UInt8](data), status: status, headers: headers)
    }

    package static func json(bytes: [UInt8], status: Int = 200, headers: [(name: String, value: String)] = []) -> ServerResponse {
        ServerResponse(status: status, headers: [("Content-Type", "application/json")] + headers, body: bytes)
    }

    package static let noContent = ServerResponse(status: 204)
}

/// An answer that says what went wrong: `{"error", "message", "request_id"}`, and the fields at fault.
package struct APIProblem: Error, Sendable {
    package var status: Int
    /// A word for machines: "no_server".
    package var code: String
    package var message: String
    package var fields: [FieldProblem]
    package var headers: [(name: String, value: String)]

    package init(
        status: Int, code: String, message: String, fields: [FieldProblem] = [], headers: [(name: String, value: String)] = []
    ) {
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields
        self.headers = headers
    }

    static let stopping = APIProblem(
        status: 503, code: "stopping", message: "the server is stopping", headers: [("Retry-After", "1")])

    static let tooManyConnections = APIProblem(
        status: 503, code: "too_many_connections", message: "all connections of the server are in use",
        headers: [("Retry-After", "2"), ("Connection", "close")])

    package func response(id: String) -> ServerResponse {
        struct Body: Encodable {
            struct Field: Encodable {
                let field: String
                let message: String
            }
            let error: String
            let message: String
            let fields: [Field]?
            let requestID: String
        }
        let details = fields.isEmpty ? nil : fields.map { Body.Field(field: $0.field, message: $0.message) }
        return .json(Body(error: code, message: message, fields: details, requestID: id), status: status, headers: headers)
    }
}
