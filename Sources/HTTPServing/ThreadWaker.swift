import Glibc
import Platform

/// Wakes the server's thread from any other.
final class ThreadWaker: Sendable {
    private let reading: Int32
    private let writing: Int32

    /// - Throws: `PortError` when the process has no descriptor left.
    init() throws {
        var ends: [Int32] = [-1, -1]
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
            throw PortError(message: "no socket pair: \(String(cString: strerror(errno)))")
        }
        (reading, writing) = (ends[0], ends[1])
    }

    deinit {
        close(reading)
        close(writing)
    }

    func wake() {
        var byte: UInt8 = 1
        // A full buffer has rung already.
        _ = send(writing, &byte, 1, Int32(MSG_NOSIGNAL))
    }

    /// Returns after a ring, when the other descriptor is readable, or in time; -1 milliseconds are no limit.
    func wait(beside descriptor: Int32, milliseconds: Int32) {
        var polled = [
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0), pollfd(fd: reading, events: Int16(POLLIN), revents: 0),
        ]
        guard poll(&polled, 2, milliseconds) > 0, polled[1].revents != 0 else { return }
        var bytes = [UInt8](repeating: 0, count: 64)
        while read(reading, &bytes, bytes.count) > 0 {}
    }
}
