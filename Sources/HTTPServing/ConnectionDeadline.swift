import Glibc
import Synchronization

/// When a connection must have got on. libmicrohttpd's own time-out begins anew with each byte, so a client that sends one now and
/// then would keep its connection for ever.
final class ConnectionDeadline: Sendable {
    private let descriptor: Int32
    /// In milliseconds of `now`; the largest number while it is we who take our time.
    private let deadline: Atomic<Int64>

    init(descriptor: Int32, seconds: Double) {
        self.descriptor = descriptor
        deadline = Atomic(Self.now + Int64(seconds * 1000))
    }

    /// Milliseconds since the machine started, some of them late: a clock that costs nearly nothing to read.
    static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    /// - Parameter seconds: from now; nil while it is we who take our time.
    func set(_ seconds: Double?) {
        deadline.store(seconds.map { Self.now + Int64($0 * 1000) } ?? .max, ordering: .relaxed)
    }

    /// Disconnects a client that is too slow. On the server's thread, while the connection is open: libmicrohttpd then finds it
    /// ended, as if the client had gone.
    func check(_ now: Int64) {
        if deadline.load(ordering: .relaxed) <= now { disconnect() }
    }

    /// On the server's thread, while the connection is open.
    func disconnect() {
        set(nil)
        _ = shutdown(descriptor, Int32(SHUT_RDWR))
    }

    /// True where the client has ended its side: libmicrohttpd does not look at a connection for which it has nothing to send. While the
    /// connection is open.
    var peerHasLeft: Bool {
        // POLLRDHUP of Linux, which Swift's Glibc does not name.
        let signs: Int16 = 0x2000 | Int16(POLLHUP) | Int16(POLLERR)
        var polled = pollfd(fd: descriptor, events: signs, revents: 0)
        return poll(&polled, 1, 0) > 0 && polled.revents & signs != 0
    }
}
