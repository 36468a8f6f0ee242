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
    var isAmbiguous = false

    mutating func add(_ name: String, _ value: String) {
        count += 1
        let name = name.lowercased()
        guard let present = headers[name] else {
            headers[name] = value
            return
        }
        if Self.single.contains(name) { isAmbiguous = true }
        if count <= Self.limit { headers[name] = "\(present), \(value)" }
    }
}

/// One request while MHD reads it. It belongs to MHD's thread; only `answer` is set from another.
final class Exchange: Sendable {
    private struct State {
        var target: String
        var method = ""
        var headers: [String: String] = [:]
        var isAmbiguous = false
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
    func begin(method: () -> String, head: () -> Head) -> Bool {
        state.withLock { state in
            guard !state.hasBegun else { return false }
            let head = head()
            state.hasBegun = true
            state.method = method()
            state.headers = head.headers
            // Two lengths, or a length beside chunks, are read in two ways by two servers (RFC 9112, section 6.3).
            state.isAmbiguous = head.isAmbiguous || (head.headers["transfer-encoding"] != nil && head.headers["content-length"] != nil)
            state.hasManyFields = head.count > Head.limit
            return true
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
            if state.isAmbiguous {
                return .failure(APIProblem(status: 400, code: "bad_head", message: "a header field that must stand alone is there twice"))
            }
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

    static let completed: shim_mhd_completed = { context, _, request, _ in
        guard let context, let pointer = request?.pointee else { return }
        let exchange = Unmanaged<Exchange>.fromOpaque(pointer).takeRetainedValue()
        request?.pointee = nil
        if exchange.isReceived { Unmanaged<HTTPServer>.fromOpaque(context).takeUnretainedValue().completed() }
    }

    static let handle: shim_mhd_handler = { context, connection, _, method, _, data, size, request in
        guard let context, let connection, let size, let pointer = request?.pointee else { return MHD.no }
        let server = Unmanaged<HTTPServer>.fromOpaque(context).takeUnretainedValue()
        let exchange = Unmanaged<Exchange>.fromOpaque(pointer).takeUnretainedValue()
        if let answer = exchange.answer { return send(answer, of: exchange, by: server, on: connection) }
        if exchange.begin(method: { method.map { String(cString: $0) } ?? "" }, head: { head(of: connection) }) { return MHD.yes }
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
            _ = MHD_get_connection_values(connection, MHD.headerKind, collect, pointer)
        }
        return head
    }

    private static let collect: MHD_KeyValueIterator = { context, _, name, value in
        guard let context, let name else { return MHD.no }
        context.assumingMemoryBound(to: Head.self).pointee.add(String(cString: name), value.map { String(cString: $0) } ?? "")
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
