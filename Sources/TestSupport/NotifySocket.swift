import Glibc
import Platform

/// The socket of a service manager that is told how a process is.
package final class NotifySocket: Sendable {
    /// As `NOTIFY_SOCKET` has it.
    package let name: String
    private let descriptor: Int32

    /// - Parameter name: a path, or `@` and a name without a file.
    package init(_ name: String) throws {
        self.name = name
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        let address = name.hasPrefix("@") ? SocketAddress(abstract: String(name.dropFirst())) : SocketAddress(path: name)
        guard address?.bind(descriptor) ?? false else { throw TimeoutError(what: "binding \(name): \(String(cString: strerror(errno)))") }
    }

    deinit { close(descriptor) }

    /// The next datagram; nil after so many seconds without one.
    package func next(within seconds: Double = 5) -> String? {
        SocketOptions.setDeadline(seconds, of: descriptor)
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count < 0 ? nil : String(decoding: buffer.prefix(count), as: UTF8.self)
    }
}
