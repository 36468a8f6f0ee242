import Synchronization

/// One request while MHD reads it. It belongs to MHD's thread; only `answer` is set from another.
final class Exchange: Sendable {
    private struct State {
        var target: [UInt8]?
        var head: RequestHead?
        var id = ""
        var body: [UInt8] = []
        var isTooLarge = false
        var isReceived = false
        var answer: ServerResponse?
    }

    private let state: Mutex<State>
    private let targetEnd: UInt
    /// - Parameters:
    ///   - target: nil where it is that of the head which the connection keeps.
    ///   - targetEnd: where the target ends in libmicrohttpd's memory.
    init(target: [UInt8]?, targetEnd: UInt) {
        self.targetEnd = targetEnd
        state = Mutex(State(target: target))
    }

    /// The caller's own id for it where that is plain, else one of ours.
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

    /// The head on the first of MHD's calls, when nothing more is there; nil on later ones.
    func begin(_ read: (_ target: [UInt8]?, _ targetEnd: UInt) -> RequestHead) -> RequestHead? {
        state.withLock { state in
            guard state.head == nil else { return nil }
            let head = read(state.target, targetEnd)
            state.head = head
            state.target = nil
            state.id = head.givenID ?? RequestID.next()
            return head
        }
    }

    /// Keeps a part of the body; past the limit it is counted but not kept.
    func receive(_ bytes: UnsafeRawBufferPointer, limit: Int) {
        state.withLock { state in
            if state.body.count + bytes.count > limit { state.isTooLarge = true } else { state.body.append(contentsOf: bytes) }
        }
    }

    /// The whole request, and why it can't be used where that is so; nil before its head is read.
    func request(clientAddress: String) -> (request: ServerRequest, problem: APIProblem?)? {
        state.withLock { state in
            guard let head = state.head else { return nil }
            let tooLarge = state.isTooLarge ? APIProblem(status: 413, code: "body_too_large", message: "the body is too large") : nil
            return (ServerRequest(head: head, body: state.body, clientAddress: clientAddress, id: state.id), head.problem ?? tooLarge)
        }
    }
}
