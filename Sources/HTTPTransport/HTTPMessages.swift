package import Model

/// One HTTP request, with every limit that bounds it.
package struct HTTPRequest: Sendable {
    package var method: String
    package var url: String
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]?
    /// Connect to this Unix socket instead of the URL's host.
    package var unixSocket: String?
    /// Connect to this address instead of resolving the URL's host, which certificates are still checked against.
    package var address: String?
    /// A file with the authorities that may sign the server's certificate, instead of the system's.
    package var authorityFile: String?
    /// Go through this HTTP proxy, "http://host:port", with CONNECT also for plain HTTP when `tunnels`.
    package var proxy: String?
    package var proxyUser: String?
    package var proxyPassword: Secret?
    package var tunnels = false
    /// Be done as soon as the connection (through the proxy) stands; nothing is sent over it.
    package var connectOnly = false
    /// Connect by IPv4 alone.
    package var isIPv4Only = false
    /// Seconds to connect, and for the whole; 0 for no limit on the whole, which only streams may use.
    package var connectDeadline: Double = 5
    package var deadline: Double = 30
    /// Whole seconds without a byte after which it is given up; 0 for no limit.
    package var silenceDeadline: Double = 0
    /// Bytes of body that are accepted at most, after decompression.
    package var bodyLimit = 64 << 20
    /// Counts the body of a successful answer, which is then not kept, and may end it.
    package var meter: Meter?

    package init(_ method: String, _ url: String, headers: [(name: String, value: String)] = [], body: [UInt8]? = nil) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
    }
}

/// An HTTP proxy, and who asks it.
package struct HTTPProxy: Sendable, CustomStringConvertible {
    package var endpoint: Endpoint
    package var user: String?
    package var password: Secret?

    package init(endpoint: Endpoint, user: String? = nil, password: Secret? = nil) {
        self.endpoint = endpoint
        self.user = user
        self.password = password
    }

    package var description: String { endpoint.description }
}

extension HTTPRequest {
    package mutating func go(through proxy: HTTPProxy) {
        self.proxy = "http://\(proxy.endpoint)"
        (proxyUser, proxyPassword) = (proxy.user, proxy.password)
    }
}

/// The answer to a request, whatever its status.
package struct HTTPResponse: Sendable {
    package var status: Int
    /// By lower-case name; of a repeated header the last.
    package var headers: [String: String]
    package var body: [UInt8]
    /// From the start of the request to the end of the answer.
    package var seconds: Double
    /// Of HTTP, that the answer came by: 10, 11, 20.
    package var version = 11

    package var text: String { String(decoding: body, as: UTF8.self) }
}

/// A request that got no answer.
package struct TransportError: Error, CustomStringConvertible {
    package enum Code: String, Sendable {
        case connectFailed = "connect_failed"
        case timedOut = "timed_out"
        case proxyRefused = "proxy_refused"
        case tlsFailed = "tls_failed"
        case tooLarge = "too_large"
        case cancelled
        case closed
        case other
    }

    package var code: Code
    package var message: String
    /// The status with which a proxy refused CONNECT; 0 for none.
    package var proxyStatus: Int
    /// The status of an answer that had begun when it went wrong; 0 for none.
    package var status: Int
    package var description: String { message }

    package init(code: Code, message: String, proxyStatus: Int = 0, status: Int = 0) {
        self.status = status
        self.code = code
        self.message = message
        self.proxyStatus = proxyStatus
    }
}
