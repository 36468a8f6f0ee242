import CMicroHTTPD
import CShims
import Glibc
import Platform
import Synchronization

/// What the server calls for each whole request, on its own thread: answer now, or give work to wait for.
package enum Dispatch: Sendable {
    case ready(ServerResponse)
    case waiting(@Sendable () async -> ServerResponse)
}

/// HTTP/1.1 by libmicrohttpd: one thread with epoll; a request that must wait is suspended, and holds no thread.
///
/// The thread is ours, not libmicrohttpd's own: a server that quiesces from another thread while its own thread looks at the
/// listening socket was seen to abort the process. It holds the server until `stop`, so a server lives until it is stopped.
package final class HTTPServer: Sendable {
    package struct Limits: Sendable {
        package var connections: UInt32 = 1_000
        /// Connections of one address; 0 is no limit.
        package var connectionsPerAddress: UInt32 = 0
        /// Connections beyond these limits, for what the server always answers, and the seconds that each has for its request.
        package var surplus: UInt32 = 128
        package var surplusSeconds = 2.0
        /// Seconds without a byte.
        package var idleSeconds: UInt32 = 30
        /// Seconds for a whole request, from the connection's begin or the answer before it; and for a client to take its answer.
        package var requestSeconds = 60.0
        package var answerSeconds = 300.0
        /// Bytes of a request's body, and of its head.
        package var body = 64 << 10
        package var head = 16 << 10
        /// Bytes that libmicrohttpd takes for a connection. A head that has no room there is refused by itself, with a page of its own.
        package var memory = 24 << 10
        package init() {}
    }

    /// Used on the server's thread alone, but for `MHD_resume_connection`, which is safe on any.
    private struct Daemon: @unchecked Sendable { let pointer: OpaquePointer }

    private struct State {
        /// Requests whose connections are suspended, and all those whose answers have not left yet.
        var suspended = 0
        var unanswered = 0
        /// Of those whose work is still waited for, how to answer without it.
        var abandonments: [ObjectIdentifier: @Sendable () -> Void] = [:]
        /// All that have been answered, and all connections that were closed.
        var answered = 0
        /// When the server gives up waiting for answers; set by the first `stop`.
        var deadline: ContinuousClock.Instant?
        var hasEnded = false
        var waiters: [CheckedContinuation<Void, Never>] = []
        var streams: [ObjectIdentifier: BodyStream] = [:]
        var connections: ConnectionTable
    }

    package let port: Int
    let limits: Limits
    let dispatch: @Sendable (ServerRequest) -> Dispatch
    let refuse: @Sendable (ServerRequest, APIProblem) -> ServerResponse
    private let listeningSocket: Int32
    private let waker: ThreadWaker
    /// The head that is read just now, in memory that each uses again.
    let headReading = Mutex(HeadReading())
    private let answersAlways: @Sendable (RequestHead) -> Bool
    private let state: Mutex<State>

    /// Binds and serves at once.
    /// - Parameters:
    ///   - port: 0 lets the system choose; `port` then says which.
    ///   - answersAlways: true for requests that are answered however many connections there are.
    ///   - refuse: answers a request that can't be dispatched, of which some may be missing, for a problem that was found in it.
    package init(
        address: String, port: Int, limits: Limits = Limits(), answersAlways: @escaping @Sendable (RequestHead) -> Bool = { _ in false },
        refuse: @escaping @Sendable (ServerRequest, APIProblem) -> ServerResponse = { $1.response(id: $0.id) },
        dispatch: @escaping @Sendable (ServerRequest) -> Dispatch
    ) throws {
        self.limits = limits
        self.answersAlways = answersAlways
        state = Mutex(State(connections: ConnectionTable(limits)))
        self.dispatch = dispatch
        self.refuse = refuse
        waker = try ThreadWaker()
        (listeningSocket, self.port) = try Ports.listen(address, port)
        let this = Unmanaged.passUnretained(self).toOpaque()
        guard
            let pointer = shim_mhd_start(
                // Those that are hung up are open for a moment longer.
                listeningSocket, limits.connections + 2 * limits.surplus, 0, limits.idleSeconds, limits.memory,
                ServerCallbacks.handle,
                ServerCallbacks.completed,
                ServerCallbacks.begin, ServerCallbacks.connected, this)
        else {
            Glibc.close(listeningSocket)
            throw PortError(message: "libmicrohttpd can't start on \(address):\(port)")
        }
        let daemon = Daemon(pointer: pointer)
        SystemThread.start("sallyport.http") { [self] in work(daemon.pointer) }
    }

    /// Takes no new connection, lets requests under way finish for at most `grace` seconds, then ends. Who still waits for work then
    /// is answered 503 without it.
    package func stop(grace: Double = 5) async {
        await withCheckedContinuation { continuation in
            let hasEnded = state.withLock { state in
                if state.hasEnded { return true }
                if state.deadline == nil { state.deadline = .now + .seconds(grace) }
                state.waiters.append(continuation)
                return false
            }
            if hasEnded { continuation.resume() } else { waker.wake() }
        }
    }

    // MARK: - The server's thread

    private func work(_ daemon: OpaquePointer) {
        let epoll = shim_mhd_epoll_descriptor(daemon)
        var isQuiet = false
        var nextCheck = ContinuousClock.now
        var seen = 0
        while true {
            let (isStopping, left, hasWork, isOver, answered) = state.withLock { state in
                let left = state.deadline.map { $0 - .now } ?? .zero
                return (state.deadline != nil, left, state.suspended > 0, state.unanswered == 0 || left <= .zero, state.answered)
            }
            if isStopping, !isQuiet {
                isQuiet = true
                MHD_quiesce_daemon(daemon)
                shutdown(listeningSocket, Int32(SHUT_RDWR))
                // They have no end of their own; clients come back, and go on where they were.
                for stream in state.withLock({ Array($0.streams.values) }) { stream.finish() }
            }
            // Stopped with a suspended connection, MHD would abort the process.
            if isStopping, isOver, !hasWork { break }
            if isStopping, isOver { abandon() }
            var milliseconds: UInt64 = 0
            var wait = MHD_get_timeout(daemon, &milliseconds) == MHD.yes ? Int32(clamping: milliseconds) : -1
            if isStopping, !isOver {
                let rest = Int32(clamping: Int64((left / .milliseconds(1)).rounded(.up)))
                wait = wait < 0 ? rest : min(wait, rest)
            }
            if let rest = checkClocks(&nextCheck) { wait = wait < 0 ? rest : min(wait, rest) }
            // While requests come one after another, or connections go, MHD's own look at its sockets is enough.
            if seen == answered || isStopping { waker.wait(beside: epoll, milliseconds: wait) }
            seen = answered
            MHD_run(daemon)
        }
        MHD_stop_daemon(daemon)
        Glibc.close(listeningSocket)
        state.withLock { $0.hasEnded = true }
        release()
    }

    /// Hangs up on those who are too slow, once a second. Milliseconds until the next time; nil while nobody is connected.
    private func checkClocks(_ next: inout ContinuousClock.Instant) -> Int32? {
        let now = ContinuousClock.now
        if now >= next {
            next = now + .seconds(1)
            let coarse = ConnectionDeadline.now
            for connection in state.withLock({ $0.connections.connections }) { connection.deadline.check(coarse) }
        }
        return state.withLock { $0.connections.count == 0 } ? nil : Int32(clamping: Int64(((next - now) / .milliseconds(1)).rounded(.up)))
    }

    /// Answers those who still wait for work, and leaves a moment for their answers to leave.
    private func abandon() {
        let all = state.withLock { state in
            if !state.abandonments.isEmpty { state.deadline = .now + .seconds(1) }
            return Array(state.abandonments.values)
        }
        if all.isEmpty { release() }
        for abandonment in all { abandonment() }
    }

    /// Lets everybody go on who waits for the end.
    private func release() {
        let waiters = state.withLock { state in
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    // MARK: - From MHD's callbacks

    /// A whole request is there; `completed` will follow, whatever becomes of it.
    func received() { state.withLock { $0.unanswered += 1 } }

    func completed() {
        state.withLock { state in
            state.unanswered -= 1
            state.answered &+= 1
        }
    }

    func open(descriptor: Int32, address: String) -> Connection {
        let (new, leaving) = state.withLock { $0.connections.open(descriptor: descriptor, address: address, ConnectionDeadline.now) }
        leaving?.deadline.disconnect()
        return new
    }

    /// MHD, when it had as many as it takes, listens again in its next run.
    func closed(_ connection: Connection) {
        state.withLock { state in
            state.connections.close(connection)
            state.answered &+= 1
        }
    }

    /// Why a request of a connection beyond the limits is not answered; nil where it is.
    func surplusProblem(_ head: RequestHead, _ connection: Connection) -> APIProblem? {
        connection.isSurplus && !answersAlways(head) ? .tooManyConnections : nil
    }

    /// Connections that are open now.
    package var connections: Int { state.withLock { $0.connections.count } }

    /// False when it is too late to begin anything that must be waited for.
    func suspends() -> Bool {
        state.withLock { state in
            if state.deadline != nil { return false }
            state.suspended += 1
            return true
        }
    }

    func began(_ stream: BodyStream) { state.withLock { $0.streams[ObjectIdentifier(stream)] = stream } }
    func ended(_ stream: BodyStream) { state.withLock { $0.streams[ObjectIdentifier(stream)] = nil } }

    /// Keeps how to answer a request whose connection is suspended, should the server end before its work does.
    func waits(_ exchange: Exchange, abandonment: @escaping @Sendable () -> Void) {
        state.withLock { $0.abandonments[ObjectIdentifier(exchange)] = abandonment }
    }

    /// On any thread, after the connection of a request was resumed.
    func resumed(_ exchange: Exchange) {
        state.withLock { _ = $0.abandonments.removeValue(forKey: ObjectIdentifier(exchange)) }
        resumed()
    }

    /// On any thread, after the connection was resumed. MHD's own signal of it can be swallowed by a run that has just looked
    /// for resumed connections, so the thread is woken here too.
    func resumed() {
        state.withLock { $0.suspended -= 1 }
        waker.wake()
    }
}
