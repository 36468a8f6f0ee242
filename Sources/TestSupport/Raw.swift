import Glibc
import Platform

/// One connection that a test keeps, for what a client library would hide.
package final class Raw: Sendable {
    private let descriptor: Int32

    /// - Parameter source: one of this machine's addresses to come from; nil leaves that to the system.
    package init(port: Int, seconds: Int = 5, from source: String? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        if let source {
            inet_pton(AF_INET, source, &name.sin_addr)
            _ = withUnsafePointer(to: &name) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
            }
        }
        name.sin_port = in_port_t(UInt16(port)).bigEndian
        inet_pton(AF_INET, "127.0.0.1", &name.sin_addr)
        let isConnected = withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0 }
        }
        // Thrown here, `deinit` closes the descriptor.
        // One that was ended before this thread came to know of it: what is received tells.
        guard isConnected || errno == ECONNRESET else {
            throw PortError(message: "can't connect to port \(port): \(String(cString: strerror(errno)))")
        }
        var time = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    package func send(_ bytes: [UInt8]) { _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }
    package func send(_ text: String) { send(Array(text.utf8)) }

    /// Says that nothing more will come, and goes on listening.
    package func endSending() { _ = shutdown(descriptor, Int32(SHUT_WR)) }

    /// What comes next, at most one packet; nil at the end of the connection, empty where nothing came in time.
    package func receive(milliseconds: Int32 = 5000) -> [UInt8]? {
        var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&polled, 1, milliseconds) > 0 else { return [] }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        return count > 0 ? Array(bytes.prefix(count)) : nil
    }

    /// Everything until the server ends the connection; nil where it does not in time.
    package func receiveAll(seconds: Double = 20) async throws -> String? {
        try await Blocking.run { [self] in
            var all: [UInt8] = []
            let end = ContinuousClock.now + .seconds(seconds)
            while ContinuousClock.now < end {
                guard let bytes = receive(milliseconds: 200) else { return String(decoding: all, as: UTF8.self) }
                all += bytes
            }
            return nil
        }
    }

    /// Sends a request and returns the first packet of its answer.
    package func ask(_ target: String) async throws -> String {
        try await Blocking.run { [self] in
            send("GET \(target) HTTP/1.1\r\nHost: x\r\n\r\n")
            return String(decoding: receive() ?? [], as: UTF8.self)
        }
    }
}
