import Glibc
package import Platform
import Synchronization

/// Takes HAProxy's lines, one for each request or tunnel, from a Unix datagram socket and writes them into a file.
///
/// HAProxy never waits for it: lines that come while nobody listens are lost, and no connection is.
package struct AccessLog: Sendable {
    /// Bytes after which the file becomes `<file>.1` and a new one begins.
    private static let sizeLimit = 64 << 20

    private let socket: String
    private let file: String
    private let log: Log

    package init(socket: String, file: String, log: Log) {
        self.socket = socket
        self.file = file
        self.log = log
    }

    /// Runs until it is cancelled.
    package func run() async {
        let isStopped = Stop()
        while !Task.isCancelled {
            do {
                try await withTaskCancellationHandler {
                    try await Blocking.run { try receive(until: isStopped) }
                } onCancel: {
                    isStopped.set()
                }
            } catch {
                log.warning("the access log is not written", ["error": "\(error)"])
                try? await Task.sleep(for: .seconds(5))
            }
        }
    }

    /// Asked by the thread that receives, five times a second at least.
    private final class Stop: Sendable {
        private let flag = Mutex(false)
        var isSet: Bool { flag.withLock { $0 } }
        func set() { flag.withLock { $0 = true } }
    }

    private func receive(until isStopped: Stop) throws {
        let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw failure("opening a socket") }
        defer { close(descriptor) }
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        guard socket.utf8.count < MemoryLayout.size(ofValue: name.sun_path) else { throw failure("\(socket) is too long") }
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: socket.utf8) }
        unlink(socket)
        let isBound = withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 }
        }
        guard isBound else { throw failure("listening on \(socket)") }
        chmod(socket, 0o600)
        var time = timeval(tv_sec: 0, tv_usec: 200_000)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        var size: Int32 = 4 << 20
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        var output = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard output >= 0 else { throw failure("opening \(file)") }
        defer { close(output) }
        var written = Int(lseek(output, 0, SEEK_END))
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = recv(descriptor, &buffer, buffer.count - 1, 0)
            if count < 0, errno == EAGAIN || errno == EINTR {
                if isStopped.isSet { return }
                continue
            }
            guard count >= 0 else { throw failure("reading \(socket)") }
            var line = buffer.prefix(count)
            while line.last == 0x0A || line.last == 0 { line.removeLast() }
            // What it says of itself, such as the end of an old worker, is no connection's.
            guard line.starts(with: "time=".utf8) else {
                log.debug("HAProxy said", ["words": String(decoding: line.prefix(500), as: UTF8.self)])
                continue
            }
            line.append(0x0A)
            written += max(0, line.withUnsafeBytes { Glibc.write(output, $0.baseAddress, $0.count) })
            if written > Self.sizeLimit {
                rename(file, "\(file).1")
                close(output)
                output = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
                guard output >= 0 else { throw failure("opening \(file)") }
                written = 0
            }
        }
    }

    private func failure(_ action: String) -> HAProxyError {
        HAProxyError(code: .unavailable, action: action, message: String(cString: strerror(errno)))
    }
}
