import CMicroHTTPD
import CShims
import Platform
import Synchronization

/// The header fields of a request, as they came.
struct Head {
    /// Fields that a request may have.
    static let limit = 100
    private static let single: Set = [
        "host", "content-length", "transfer-encoding", "content-type", "authorization", "x-api-key", "idempotency-key", "last-event-id",
    ]
    /// By lower-case name; several fields of one name are one list (RFC 9110, section 5.3).
    var headers: [String: String] = [:]
    var count = 0
    /// What another server in the way could read in another way; such a request is refused, and its connection closed.
    var flaw: String?

    mutating func add(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) {
        count += 1
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
        guard let present = headers[name] else {
            headers[name] = value
            return
        }
        if Self.single.contains(name) { flaw = "a header field that must stand alone is there twice" }
        if count <= Self.limit { headers[name] = "\(present), \(value)" }
    }
}

/// One request while MHD reads it. It belongs to MHD's thread; only `answer` is set from another.
final class Exchange: Sendable {
    private struct State {
        var target: String
        var method = ""
        var headers: [String: String] = [:]
        var flaw: String?
        var hasManyFields = false
        var body: [UInt8] = []
        var hasBegun = false
        var isTooLarge = false
        var isReceived = false
        var answer: ServerResponse?
    }

    private let ownID = Digest.randomHex(bytes: 8)
    private let state: Mutex<State>
    init(target: String) { state = Mutex(State(target: target)) }

    /// The caller's own name for it where that is plain, else one of ours.
    var id: String { state.withLock { Self.isPlain($0.headers["x-request-id"]) } ?? ownID }

    private static func isPlain(_ text: String?) -> String? {
        guard let text, (8...64).contains(text.utf8.count) else { return nil }
        let isPlain = text.utf8.allSatisfy {
            (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) || $0 == 0x2D || $0 == 0x5F
        }
        return isPlain ? text : nil
    }

    var answer: ServerResponse? { state.withLock { $0.answer } }
    func setAnswer(_ response: ServerResponse) { state.withLock { $0.answer = response } }

    /// True once the server has counted it.
    var isReceived: Bool { state.withLock { $0.isReceived } }
    func setReceived() { state.withLock { $0.isReceived = true } }

    /// True on the first of MHD's calls, when only the head is there.
    func begin(method: () -> String, version: () -> String, head: () -> Head) -> Bool {
        state.withLock { state in
            guard !state.hasBegun else { return false }
            var head = head()
            head.checkFraming(version: version())
            state.hasBegun = true
            state.method = method()
            state.headers = head.headers
            state.flaw = head.flaw
            state.hasManyFields = head.count > Head.limit
            return true
        }
    }

    /// The answer to a head after which nothing that follows on its connection can be told apart.
    var flaw: APIProblem? {
        state.withLock { $0.flaw }.map {
            APIProblem(status: 400, code: "bad_head", message: $0, headers: [("Connection", "close")])
        }
    }

    /// Keeps a part of the body; past the limit it is counted but not kept.
    func receive(_ bytes: UnsafeRawBufferPointer, limit: Int) {
        state.withLock { state in
            if state.body.count + bytes.count > limit { state.isTooLarge = true } else { state.body.append(contentsOf: bytes) }
        }
    }

    /// The whole request, or the answer to one that can't be used.
    func request(clientAddress: String) -> Result<ServerRequest, APIProblem> {
        let id = id
        return state.withLock { state in
            if state.hasManyFields {
                let message = "the head has more than \(Head.limit) fields"
                return .failure(APIProblem(status: 431, code: "head_too_large", message: message))
            }
            if state.isTooLarge { return .failure(APIProblem(status: 413, code: "body_too_large", message: "the body is too large")) }
            guard let (path, query) = RequestTarget.parse(state.target) else {
                return .failure(APIProblem(status: 400, code: "bad_target", message: "the request's path or query is malformed"))
            }
            return .success(
                ServerRequest(
                    method: state.method, path: path, query: query, headers: state.headers, body: state.body, clientAddress: clientAddress,
                    id: id))
        }
    }
}

/// Called by MHD on its thread; outside of every actor, or they would trap there.
enum ServerCallbacks {
    /// A connection whose resume is still to come: MHD allows `MHD_resume_connection` from any thread.
    private struct Connection: @unchecked Sendable { let pointer: OpaquePointer }

    static let begin: shim_mhd_uri_logger = { _, target, _ in
        // MHD's own path is percent-decoded already, which would turn %2F into a slash: keep the raw one.
        Unmanaged.passRetained(Exchange(target: target.map { String(cString: $0) } ?? "")).toOpaque()
    }

    static let connected: MHD_NotifyConnectionCallback = { context, connection, socketContext, kind in
        guard let context, let connection, let socketContext else { return }
        let server = Unmanaged<HTTPServer>.fromOpaque(context).takeUnretainedValue()
        if kind == MHD.started {
            let clock = ConnectionClock(descriptor: shim_mhd_descriptor(connection), seconds: server.limits.requestSeconds)
            server.opened(clock)
            socketContext.pointee = Unmanaged.passRetained(clock).toOpaque()
        } else if let pointer = socketContext.pointee {
            server.closed(Unmanaged<ConnectionClock>.fromOpaque(pointer).takeRetainedValue())
            socketContext.pointee = nil
        }
    }

    private static func clock(of connection: OpaquePointer) -> ConnectionClock? {
        shim_mhd_socket_context(connection).map { Unmanaged<ConnectionClock>.fromOpaque($0).takeUnretainedValue() }
    }

    static let completed: shim_mhd_completed = { context, connection, request, _ in
        guard let context, let pointer = request?.pointee else { return }
        let server = Unmanaged<HTTPServer>.fromOpaque(context).takeUnretainedValue()
        if let connection { clock(of: connection)?.set(server.limits.requestSeconds) }
        let exchange = Unmanaged<Exchange>.fromOpaque(pointer).takeRetainedValue()
        request?.pointee = nil
        if exchange.isReceived { server.completed() }
    }

    static let handle: shim_mhd_handler = { context, connection, _, method, version, data, size, request in
        guard let context, let connection, let size, let pointer = request?.pointee else { return MHD.no }
        let server = Unmanaged<HTTPServer>.fromOpaque(context).takeUnretainedValue()
        let exchange = Unmanaged<Exchange>.fromOpaque(pointer).takeUnretainedValue()
        if let answer = exchange.answer { return send(answer, of: exchange, by: server, on: connection) }
        let isFirst = exchange.begin(
            method: { method.map { String(cString: $0) } ?? "" }, version: { version.map { String(cString: $0) } ?? "" },
            head: { head(of: connection) })
        if isFirst {
            guard let problem = exchange.flaw else { return MHD.yes }
            return send(problem.response(id: exchange.id), of: exchange, by: server, on: connection)
        }
        if size.pointee > 0 {
            exchange.receive(UnsafeRawBufferPointer(start: data, count: size.pointee), limit: server.limits.body)
            size.pointee = 0
            return MHD.yes
        }
        switch exchange.request(clientAddress: clientAddress(of: connection)) {
        case .failure(let problem): return send(problem.response(id: exchange.id), of: exchange, by: server, on: connection)
        case .success(let request): return answer(request, of: exchange, by: server, on: connection)
        }
    }

    private static func answer(_ request: ServerRequest, of exchange: Exchange, by server: HTTPServer, on connection: OpaquePointer)
        -> MHD_Result
    {
        exchange.setReceived()
        server.received()
        clock(of: connection)?.set(nil)
        switch server.dispatch(request) {
        case .ready(let response): return send(response, of: exchange, by: server, on: connection)
        case .waiting(let work):
            guard server.suspends() else {
                let problem = APIProblem(status: 503, code: "stopping", message: "the server is stopping", headers: [("Retry-After", "1")])
                return send(problem.response(id: exchange.id), of: exchange, by: server, on: connection)
            }
            MHD_suspend_connection(connection)
            let suspended = Connection(pointer: connection)
            Task {
                exchange.setAnswer(await work())
                MHD_resume_connection(suspended.pointer)
                server.resumed()
            }
            return MHD.yes
        }
    }

    private static func send(
        _ answer: ServerResponse, of exchange: Exchange, by server: HTTPServer, on connection: OpaquePointer
    ) -> MHD_Result {
        let made: OpaquePointer?
        clock(of: connection)?.set(answer.stream == nil ? server.limits.answerSeconds : nil)
        if let stream = answer.stream {
            let context = StreamContext(stream: stream, server: server, connection: connection)
            made = MHD_create_response_from_callback(
                UInt64.max, 16 << 10, readStream, Unmanaged.passRetained(context).toOpaque(), endStream)
        } else {
            made = answer.body.withUnsafeBytes { bytes in
                MHD_create_response_from_buffer(bytes.count, UnsafeMutableRawPointer(mutating: bytes.baseAddress), MHD.mustCopy)
            }
        }
        guard let made else { return MHD.no }
        defer { MHD_destroy_response(made) }
        for (name, value) in answer.headers { MHD_add_response_header(made, name, value) }
        MHD_add_response_header(made, "X-Request-ID", exchange.id)
        return MHD_queue_response(connection, UInt32(answer.status), made)
    }

    // MARK: - Streams

    /// What libmicrohttpd's reader of a stream gets; used on the server's thread alone.
    private final class StreamContext {
        let stream: BodyStream
        let server: HTTPServer
        let connection: OpaquePointer

        init(stream: BodyStream, server: HTTPServer, connection: OpaquePointer) {
            self.stream = stream
            self.server = server
            self.connection = connection
            server.began(stream)
        }
    }

    private static let readStream: MHD_ContentReaderCallback = { context, _, buffer, size in
        guard let context, let buffer else { return -1 }
        let this = Unmanaged<StreamContext>.fromOpaque(context).takeUnretainedValue()
        let server = this.server
        let piece = this.stream.read(into: UnsafeMutableRawBufferPointer(start: buffer, count: size)) {
            guard server.suspends() else { return nil }
            MHD_suspend_connection(this.connection)
            let suspended = Connection(pointer: this.connection)
            return {
                MHD_resume_connection(suspended.pointer)
                server.resumed()
            }
        }
        switch piece {
        case .bytes(let count): return count
        case .nothingYet: return 0
        // MHD_CONTENT_READER_END_OF_STREAM
        case .end: return -1
        }
    }

    private static let endStream: MHD_ContentReaderFreeCallback = { context in
        guard let context else { return }
        let this = Unmanaged<StreamContext>.fromOpaque(context).takeRetainedValue()
        this.server.ended(this.stream)
        this.stream.end()
    }

    private static func head(of connection: OpaquePointer) -> Head {
        var head = Head()
        withUnsafeMutablePointer(to: &head) { pointer in
            _ = MHD_get_connection_values_n(connection, MHD.headerKind, collect, pointer)
        }
        return head
    }

    private static let collect: MHD_KeyValueIteratorN = { context, _, name, nameSize, value, valueSize in
        guard let context, let name else { return MHD.no }
        func bytes(_ start: UnsafePointer<CChar>?, _ size: Int) -> UnsafeBufferPointer<UInt8> {
            UnsafeBufferPointer(start: UnsafeRawPointer(start)?.assumingMemoryBound(to: UInt8.self), count: start == nil ? 0 : size)
        }
        context.assumingMemoryBound(to: Head.self).pointee.add(bytes(name, nameSize), bytes(value, valueSize))
        return MHD.yes
    }

    private static func clientAddress(of connection: OpaquePointer) -> String {
        var bytes = [UInt8](repeating: 0, count: 16)
        switch shim_mhd_client_address(connection, &bytes) {
        case 4: return bytes.prefix(4).map(String.init).joined(separator: ".")
        case 16:
            return stride(from: 0, to: 16, by: 2).map { String(Int(bytes[$0]) << 8 | Int(bytes[$0 + 1]), radix: 16) }.joined(separator: ":")
        default: return ""
        }
    }
}
