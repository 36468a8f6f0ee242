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
package final class HTTPServer: Sendable {
    package struct Limits: Sendable {
        package var connections: UInt32 = 1_000
        /// Seconds without a byte.
        package var idleSeconds: UInt32 = 30
        /// Bytes of a request's body, and of its head.
        package var body = 64 << 10
        package var head = 32 << 10
        package init() {}
    }

    /// MHD's calls that we make from other threads (resume, stop, quiesce) are safe there.
    private struct Daemon: @unchecked Sendable { let pointer: OpaquePointer }

    private struct State {
        var daemon: Daemon?
        /// Requests whose connections are suspended, and all those whose answers have not left yet.
        var suspended = 0
        var unanswered = 0
        var isStopping = false
    }

    package let port: Int
    let limits: Limits
    let dispatch: @Sendable (ServerRequest) -> Dispatch
    private let listeningSocket: Int32
    private let state = Mutex(State())

    /// Binds and serves at once.
    /// - Parameter port: 0 lets the system choose; `port` then says which.
    package init(
        address: String, port: Int, limits: Limits = Limits(), dispatch: @escaping @Sendable (ServerRequest) -> Dispatch
    ) throws {
        self.limits = limits
        self.dispatch = dispatch
        (listeningSocket, self.port) = try Ports.listen(address, port)
        let this = Unmanaged.passUnretained(self).toOpaque()
        guard
            let daemon = shim_mhd_start(
                listeningSocket, limits.connections, limits.idleSeconds, limits.head, ServerCallbacks.handle, ServerCallbacks.completed,
                ServerCallbacks.begin, this)
        else {
            Glibc.close(listeningSocket)
            throw PortError(message: "libmicrohttpd can't start on \(address):\(port)")
        }
        state.withLock { $0.daemon = Daemon(pointer: daemon) }
    }

    /// Takes no new connection, lets requests under way finish for at most `grace` seconds, then ends.
    package func stop(grace: Double = 5) async {
        let daemon = state.withLock { state in
            defer { state.isStopping = true }
            return state.isStopping ? nil : state.daemon
        }
        guard let daemon else { return }
        // The order matters: MHD aborts the process when it is stopped with a suspended connection.
        MHD_quiesce_daemon(daemon.pointer)
        shutdown(listeningSocket, Int32(SHUT_RDWR))
        let end = ContinuousClock.now + .seconds(grace)
        while state.withLock({ $0.unanswered }) > 0, ContinuousClock.now < end { try? await Task.sleep(for: .milliseconds(5)) }
        // Handlers have deadlines of their own; one that ignores them keeps its connection, and the daemon is left to the process's end.
        guard state.withLock({ $0.suspended }) == 0 else { return }
        MHD_stop_daemon(daemon.pointer)
        Glibc.close(listeningSocket)
        state.withLock { $0.daemon = nil }
    }

    // MARK: - From MHD's thread

    /// A whole request is there; `completed` will follow, whatever becomes of it.
    func received() { state.withLock { $0.unanswered += 1 } }

    func completed() { state.withLock { $0.unanswered -= 1 } }

    /// False when it is too late to begin anything that must be waited for.
    func suspends() -> Bool {
        state.withLock { state in
            if state.isStopping { return false }
            state.suspended += 1
            return true
        }
    }

    func resumed() { state.withLock { $0.suspended -= 1 } }
}
