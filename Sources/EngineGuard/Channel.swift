import Glibc
import Platform

/// A connected Unix socket. Its calls block the thread, up to a deadline.
final class Channel: Sendable {
    enum Failure: Error {
        case timedOut
        /// The other side has hung up.
        case ended
    }

    let descriptor: Int32

    init(descriptor: Int32) { self.descriptor = descriptor }
    deinit { close(descriptor) }

    /// - Throws: `GuardError` when nobody listens there.
    static func connected(to path: String) throws -> Channel {
        let channel = Channel(descriptor: socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0))
        guard try SocketAddress(reaching: path).connect(channel.descriptor) else {
            throw GuardError(description: "\(path): \(String(cString: strerror(errno)))")
        }
        return channel
    }

    /// Ends both directions; from any thread, and while another one waits in a call.
    func disconnect() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    /// What there is, at most 64 KiB; empty at the end.
    func read(by deadline: ContinuousClock.Instant) throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            try wait(for: POLLIN, by: deadline)
            let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if count < 0, errno == EAGAIN || errno == EINTR { continue }
            return Array(buffer.prefix(max(0, count)))
        }
    }

    /// - Parameter seconds: without a byte taken after which it is given up.
    func write(_ bytes: some Collection<UInt8>, stall seconds: Double = 60) throws {
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT | Int(MSG_NOSIGNAL)))
            }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                try wait(for: POLLOUT, by: .now + .seconds(seconds))
            } else if errno != EINTR {
                throw Failure.ended
            }
        }
    }

    private func wait(for event: Int32, by deadline: ContinuousClock.Instant) throws {
        while true {
            let left = ContinuousClock.now.duration(to: deadline).components
            let milliseconds = left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000
            guard milliseconds > 0 else { throw Failure.timedOut }
            var polled = pollfd(fd: descriptor, events: Int16(event), revents: 0)
            if poll(&polled, 1, Int32(clamping: milliseconds)) > 0 { return }
        }
    }
}

extension SocketAddress {
    /// - Throws: `GuardError` for a path of over 107 bytes.
    init(reaching path: String) throws {
        guard let address = SocketAddress(path: path) else { throw GuardError(description: "\(path): the path is longer than 107 bytes") }
        self = address
    }
}
