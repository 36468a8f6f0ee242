import CMicroHTTPD
import CShims
import Platform
import Synchronization

/// One request while MHD reads it. It belongs to MHD's thread; only `answer` is set from another.
final class Exchange: Sendable {
    private struct State {
        var target: String
        var method = ""
        var headers: [String: String] = [:]
        var body: [UInt8] = []
        var hasBegun = false
        var isTooLarge = false
        var isReceived = false
        var answer: ServerResponse?
    }

    let id = Digest.randomHex(bytes: 8)
    private let state: Mutex<State>
    init(target: String) { state = Mutex(State(target: target)) }

    var answer: ServerResponse? { state.withLock { $0.answer } }
    func setAnswer(_ response: ServerResponse) { state.withLock { $0.answer = response } }

    /// True once the server has counted it.
    var isReceived: Bool { state.withLock { $0.isReceived } }
    func setReceived() { state.withLock { $0.isReceived = true } }

    /// True on the first of MHD's calls, when only the head is there.
    func begin(method: String, headers: [String: String]) -> Bool {
        state.withLock { state in
            guard !state.hasBegun else { return false }
            state.hasBegun = true
            state.method = method
            state.headers = headers
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
        state.withLock { state in
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
        if let answer = exchange.answer { return send(answer, of: exchange, on: connection) }
        if exchange.begin(method: method.map { String(cString: $0) } ?? "", headers: headers(of: connection)) { return MHD.yes }
        if size.pointee > 0 {
            exchange.receive(UnsafeRawBufferPointer(start: data, count: size.pointee), limit: server.limits.body)
            size.pointee = 0
            return MHD.yes
        }
        switch exchange.request(clientAddress: clientAddress(of: connection)) {
        case .failure(let problem): return send(problem.response(id: exchange.id), of: exchange, on: connection)
        case .success(let request): return answer(request, of: exchange, by: server, on: connection)
        }
    }

    private static func answer(_ request: ServerRequest, of exchange: Exchange, by server: HTTPServer, on connection: OpaquePointer)
        -> MHD_Result
    {
        exchange.setReceived()
        server.received()
        switch server.dispatch(request) {
        case .ready(let response): return send(response, of: exchange, on: connection)
        case .waiting(let work):
            guard server.suspends() else {
                let problem = APIProblem(status: 503, code: "stopping", message: "the server is stopping", headers: [("Retry-After", "1")])
                return send(problem.response(id: exchange.id), of: exchange, on: connection)
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

    private static func send(_ answer: ServerResponse, of exchange: Exchange, on connection: OpaquePointer) -> MHD_Result {
        let made = answer.body.withUnsafeBytes { bytes in
            MHD_create_response_from_buffer(bytes.count, UnsafeMutableRawPointer(mutating: bytes.baseAddress), MHD.mustCopy)
        }
        guard let made else { return MHD.no }
        defer { MHD_destroy_response(made) }
        for (name, value) in answer.headers { MHD_add_response_header(made, name, value) }
        MHD_add_response_header(made, "X-Request-ID", exchange.id)
        return MHD_queue_response(connection, UInt32(answer.status), made)
    }

    private static func headers(of connection: OpaquePointer) -> [String: String] {
        var headers: [String: String] = [:]
        withUnsafeMutablePointer(to: &headers) { pointer in
            _ = MHD_get_connection_values(connection, MHD.headerKind, collect, pointer)
        }
        return headers
    }

    private static let collect: MHD_KeyValueIterator = { context, _, name, value in
        guard let context, let name else { return MHD.no }
        let headers = context.assumingMemoryBound(to: [String: String].self)
        headers.pointee[String(cString: name).lowercased()] = value.map { String(cString: $0) } ?? ""
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
