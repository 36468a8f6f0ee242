import Glibc
import Synchronization

/// When a connection must have got on. libmicrohttpd's own time-out begins anew with each byte, so a client that sends one now and
/// then would keep its connection for ever.
final class ConnectionClock: Sendable {
    private let descriptor: Int32
    private let deadline: Mutex<ContinuousClock.Instant?>

    init(descriptor: Int32, seconds: Double) {
        self.descriptor = descriptor
        deadline = Mutex(.now + .seconds(seconds))
    }

    /// - Parameter seconds: from now; nil while it is we who take our time.
    func set(_ seconds: Double?) {
        let new = seconds.map { ContinuousClock.now + .seconds($0) }
        deadline.withLock { $0 = new }
    }

    /// Hangs up on a client that is too slow. On the server's thread, while the connection is open: libmicrohttpd then finds it
    /// ended, as if the client had gone.
    func check(_ now: ContinuousClock.Instant) {
        let isOver = deadline.withLock { deadline in
            guard let end = deadline, end <= now else { return false }
            deadline = nil
            return true
        }
        if isOver { _ = shutdown(descriptor, Int32(SHUT_RDWR)) }
    }
}
