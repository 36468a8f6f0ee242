import HTTPServing
import Model
import Platform

/// The text of server-sent events (WHATWG HTML, section 9.2).
enum ServerSentEvents {
    /// - Parameters:
    ///   - id: what a reader sends back as `Last-Event-ID`; nil leaves its place where it is.
    ///   - data: one line.
    static func event(id: String? = nil, _ name: String, _ data: String) -> [UInt8] {
        Array("\(id.map { "id: \($0)\n" } ?? "")event: \(name)\ndata: \(data)\n\n".utf8)
    }

    /// Moves a reader's place on, and shows it nothing.
    static func place(_ id: String) -> [UInt8] { Array("id: \(id)\n\n".utf8) }

    static let retry = Array("retry: 2000\n\n".utf8)
    static let heartbeat = Array(": heartbeat\n\n".utf8)
    /// A heartbeat that a browser tells its page of.
    /// - Parameter seconds: until the next one.
    static func beat(seconds: Int) -> [UInt8] { event("beat", "{\"seconds\":\(seconds)}") }
    /// What one that is too slow gets last.
    static let dropped = event("dropped", "{\"reason\":\"too_slow\"}")
    /// What one gets last whose key counts no more.
    static let closed = event("dropped", "{\"reason\":\"key_invalid\"}")

    /// Tells a reader that what came between its place and what follows is missing.
    static func gap(_ reason: String, after: String) -> [UInt8] {
        event("gap", "{\"after\":\(JSONText.quoted(String(after.prefix(64)))),\"reason\":\"\(reason)\"}")
    }

    static func response(_ stream: BodyStream) -> ServerResponse {
        var response = ServerResponse(
            status: 200, headers: [("Content-Type", "text/event-stream"), ("Cache-Control", "no-store"), ("X-Accel-Buffering", "no")])
        response.stream = stream
        return response
    }

    static let tooManyReaders = APIProblem(
        status: 503, code: "too_many_readers", message: "this stream has its maximum of readers", headers: [("Retry-After", "10")])
}
