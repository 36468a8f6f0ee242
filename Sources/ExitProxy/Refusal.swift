/// An answer of the proxy's own by HTTP, after which the connection ends.
struct Refusal {
    private let status: Int
    private let reason: String
    private let field: String

    /// A request that is not understood.
    init(_ fault: Request.Fault) { self.init(fault.status, fault.rawValue) }

    /// A target that was not reached.
    init(_ fault: TargetFault) { self.init(fault.status, fault.rawValue) }

    /// No name and password, or wrong ones.
    static let unknown = Refusal(407, "authentication_required", field: "Proxy-Authenticate: Basic realm=\"exit\"")
    /// The table of connections has no room.
    static let full = Refusal(503, "exit_full")
    /// Nothing comes through the tunnel, and nothing of the request was sent.
    static let silent = Refusal(425, "exit_silent")

    private init(_ status: Int, _ reason: String, field: String? = nil) {
        self.status = status
        self.reason = reason
        self.field = field ?? "X-Sallyport-Reason: \(reason)"
    }

    var text: String {
        let head = "HTTP/1.1 \(status) \(phrase)\r\n\(field)\r\nContent-Type: text/plain\r\nContent-Length: \(reason.utf8.count + 1)\r\n"
        return "\(head)Connection: close\r\n\r\n\(reason)\n"
    }

    private var phrase: String {
        switch status {
        case 400: "Bad Request"
        case 403: "Forbidden"
        case 407: "Proxy Authentication Required"
        case 425: "Too Early"
        case 431: "Request Header Fields Too Large"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        default: "Bad Gateway"
        }
    }
}
