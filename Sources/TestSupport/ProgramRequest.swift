import Platform

/// A request as a known program writes it, by its bytes, and what comes of it at a gateway whose exits are of this version. It is sent to
/// `ProgramTarget`, or to a target that answers in the same way.
package struct ProgramRequest: Sendable {
    package let program: String
    /// What is sent, and what has to be in the answer before the next is sent. Lines end with LF here. `TARGET` stands for the target's host
    /// and port, `HOST` for its host, `BASIC` for name and password, `SAFE` for these in the other alphabet without padding.
    private let steps: [(sent: String, wanted: [String])]

    private init(_ program: String, _ steps: (String, [String])...) {
        self.program = program
        self.steps = steps.map { (sent: $0.0, wanted: $0.1) }
    }

    /// - Returns: nil where everything came that has to come; else what came.
    package func failure(port: Int, user: String, password: String, target: String) async throws -> String? {
        let raw = try Raw(port: port)
        let basic = Base64.encode(Array("\(user):\(password)".utf8))
        let safe = basic.filter { $0 != "=" }.replacing("+", with: "-").replacing("/", with: "_")
        let host = String(target.prefix { $0 != ":" })
        return try await Blocking.run {
            for (text, wanted) in steps {
                let words = [("TARGET", target), ("HOST", host), ("BASIC", basic), ("SAFE", safe), ("\n", "\r\n")]
                raw.send(words.reduce(text) { $0.replacing($1.0, with: $1.1) })
                let wanted = wanted.map { $0.replacing("TARGET", with: target) }
                var answer = ""
                while !wanted.allSatisfy(answer.contains) {
                    guard let bytes = raw.receive(milliseconds: 10_000), !bytes.isEmpty else { return answer + "<end>" }
                    answer += String(decoding: bytes, as: UTF8.self)
                }
            }
            return nil
        }
    }

    private static let auth = "Proxy-Authorization: Basic BASIC\n"
    private static let inside = ("GET /inside HTTP/1.1\nHost: TARGET\n\n", ["HTTP/1.1 200", "GET /inside HTTP/1.1;"])
    private static let tunnel = ["HTTP/1.1 200", "\r\n\r\n"]

    private static func connect(_ program: String, _ head: String) -> ProgramRequest {
        ProgramRequest(program, ("CONNECT TARGET HTTP/1.\(head)\n", tunnel), inside)
    }

    private static func refused(_ program: String, _ line: String, _ status: Int, _ reason: String) -> ProgramRequest {
        let wanted = ["HTTP/1.1 \(status)", "x-sallyport-reason: \(reason)\r\n", "\r\n\r\n\(reason)\n"]
        return ProgramRequest(program, ("\(line)\nHost: TARGET\n\(auth)\n", wanted))
    }

    private static func dav(_ method: String, _ more: String = "", body: String = "") -> ProgramRequest {
        let length = body.isEmpty ? "" : "Content-Length: \(body.utf8.count)\n"
        let text = "\(method) http://TARGET/dav/ HTTP/1.1\nHost: TARGET\n\(more)\(length)\(auth)\n\(body)"
        return ProgramRequest("WebDAV, \(method)", (text, ["HTTP/1.1 200", "\(method) /dav/ HTTP/1.1;", body]))
    }

    package static let tunnels: [ProgramRequest] = [
        connect(
            "WinHTTP, CONNECT",
            "0\nUser-Agent: Microsoft WinHTTP/5.1\nHost: HOST\nContent-Length: 0\nProxy-Connection: Keep-Alive\nPragma: no-cache\n\(auth)"),
        connect("Java's HttpClient, CONNECT", "1\nContent-Length: 0\nHost: TARGET\nUser-Agent: Java-http-client/17\n\(auth)"),
        connect("a Host that differs", "1\nHost: other.test:1\n\(auth)"),
        connect("HTTP/1.0, CONNECT without a Host", "0\n\(auth)"),
        connect("Base64 for URLs, unpadded", "1\nproxy-authorization: basic SAFE\n"),
    ]

    package static let plain: [ProgramRequest] = [
        ProgramRequest(
            "lower case",
            ("GET http://TARGET/a?b HTTP/1.1\nhost: TARGET\nproxy-authorization: basic BASIC\n\n", ["GET /a?b HTTP/1.1;"])),
        ProgramRequest(
            "repeated fields",
            (
                "GET http://TARGET/ HTTP/1.1\nHost: TARGET\nHost: TARGET\n\(auth)\(auth)"
                    + "Connection: keep-alive\nConnection: keep-alive\nProxy-Connection: keep-alive\nCookie: a=1\nCookie: b=2\n\n",
                ["HTTP/1.1 200", "cookie: a=1;cookie: b=2;"]
            ), ("GET http://TARGET/next HTTP/1.1\nHost: TARGET\n\(auth)\n", ["HTTP/1.1 200", "GET /next HTTP/1.1;"])),
        ProgramRequest("HTTP/1.0 without a Host", ("GET http://TARGET/old HTTP/1.0\n\(auth)\n", ["GET /old HTTP/1.0;host: TARGET;"])),
        ProgramRequest(
            "HTTP/1.0 with a body",
            ("POST http://TARGET/old HTTP/1.0\nContent-Length: 4\n\(auth)\nbody", ["POST /old HTTP/1.0;", ";body"])),
        ProgramRequest(
            "HTTP/1.0, where Expect means nothing",
            (
                "POST http://TARGET/old HTTP/1.0\nContent-Length: 4\nExpect: 100-continue\n\(auth)\nbody",
                ["POST /old HTTP/1.0;content-length: 4;host: TARGET;", ";body"]
            )),
        ProgramRequest(
            "curl, Expect",
            (
                "PUT http://TARGET/up HTTP/1.1\nHost: TARGET\nContent-Length: 4\nExpect: 100-continue\n\(auth)\n",
                ["HTTP/1.1 100 Continue\r\n\r\n"]
            ), ("body", ["HTTP/1.1 200", "expect: 100-continue;", ";body"])),
        ProgramRequest(
            "WebSocket",
            (
                "GET http://TARGET/ws HTTP/1.1\nHost: TARGET\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\n"
                    + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n\(auth)\n", ["HTTP/1.1 101", "\r\n\r\n"]
            ), ("a frame\n", ["a frame\r\n"])),
        ProgramRequest(
            "Java's HttpClient, an offer of HTTP/2",
            (
                "GET http://TARGET/ HTTP/1.1\nHost: TARGET\nConnection: Upgrade, HTTP2-Settings\nUpgrade: h2c\n"
                    + "HTTP2-Settings: AAMAAABkAAQAAP__\n\(auth)\n", ["HTTP/1.1 200", "GET / HTTP/1.1;"]
            )),
    ]

    package static let webDAV: [ProgramRequest] = [
        dav("PROPFIND", "Depth: 1\n", body: "<propfind/>"), dav("MKCOL"), dav("MOVE", "Destination: http://TARGET/dav/b\n"),
        dav("LOCK", "Timeout: Second-60\n", body: "<lockinfo/>"), dav("REPORT", body: "<sync-collection/>"), dav("UNLOCK"),
    ]

    package static let refusals: [ProgramRequest] = [
        refused("https:// in a request line", "GET https://TARGET/ HTTP/1.1", 400, "https_needs_connect"),
        refused("userinfo", "GET http://reader:secret@TARGET/ HTTP/1.1", 400, "userinfo_not_allowed"),
        refused("userinfo of a CONNECT", "CONNECT reader@TARGET HTTP/1.1", 400, "userinfo_not_allowed"),
        refused("a request for a server", "GET / HTTP/1.1", 400, "not_a_proxy_request"),
        refused("TRACE", "TRACE http://TARGET/ HTTP/1.1", 405, "method_not_allowed"),
        refused("the exits' own method", "PREPARE TARGET HTTP/1.1", 405, "method_not_allowed"),
    ]

    package static let all = tunnels + plain + webDAV + refusals
}
