import Synchronization

/// One request while MHD reads it. It belongs to MHD's thread; only `answer` is set from another.
final class Exchange: Sendable {
    private struct State {
        var target: String
        var id = ""
        var method = ""
        var headers: [String: String] = [:]
        var problem: APIProblem?
        var body: [UInt8] = []
        var hasBegun = false
        var isTooLarge = false
        var isReceived = false
        var answer: ServerResponse?
    }

    private let state: Mutex<State>
    init(target: String) { state = Mutex(State(target: target)) }

    /// The caller's own name for it where that is plain, else one of ours.
    var id: String { state.withLock { $0.id } }

    var answer: ServerResponse? { state.withLock { $0.answer } }
    /// False where it has one already.
    func setAnswer(_ response: ServerResponse) -> Bool {
        state.withLock { state in
            guard state.answer == nil else { return false }
            state.answer = response
            return true
        }
    }

    /// True once the server has counted it.
    var isReceived: Bool { state.withLock { $0.isReceived } }
    func setReceived() { state.withLock { $0.isReceived = true } }

    /// True on the first of MHD's calls, when only the head is there.
    func begin(method: () -> String, version: () -> String, head: () -> RequestHead, limit: Int) -> Bool {
        state.withLock { state in
            guard !state.hasBegun else { return false }
            var head = head()
            head.checkFraming(version: version())
            state.hasBegun = true
            state.method = method()
            state.headers = head.headers
            state.id = RequestName.plain(head.headers["x-request-id"]) ?? RequestName.next()
            if let flaw = head.flaw {
                // Nothing that follows on its connection could be told apart.
                state.problem = APIProblem(status: 400, code: "bad_head", message: flaw, headers: [("Connection", "close")])
            } else if head.count > RequestHead.limit {
                state.problem = APIProblem(
                    status: 431, code: "head_too_large", message: "the head has more than \(RequestHead.limit) fields")
            } else if head.size + state.target.utf8.count > limit {
                state.problem = APIProblem(status: 431, code: "head_too_large", message: "the head has more than \(limit) bytes")
            }
            return true
        }
    }

    /// The answer to a head after which the connection is closed, with nothing more of it read.
    var flaw: APIProblem? { state.withLock { $0.problem?.status == 400 ? $0.problem : nil } }

    /// Keeps a part of the body; past the limit it is counted but not kept.
    func receive(_ bytes: UnsafeRawBufferPointer, limit: Int) {
        state.withLock { state in
            if state.body.count + bytes.count > limit { state.isTooLarge = true } else { state.body.append(contentsOf: bytes) }
        }
    }

    /// The whole request, and why it can't be used where that is so; its path is empty where that can't be read.
    func request(clientAddress: String) -> (request: ServerRequest, problem: APIProblem?) {
        state.withLock { state in
            var problem = state.problem
            if problem == nil, state.isTooLarge {
                problem = APIProblem(status: 413, code: "body_too_large", message: "the body is too large")
            }
            let target = RequestTarget.parse(state.target)
            if problem == nil, target == nil {
                problem = APIProblem(status: 400, code: "bad_target", message: "the request's path or query is malformed")
            }
            let request = ServerRequest(
                method: state.method, path: target?.path ?? [], query: target?.query ?? [], headers: state.headers, body: state.body,
                clientAddress: clientAddress, id: state.id)
            return (request, problem)
        }
    }
}
