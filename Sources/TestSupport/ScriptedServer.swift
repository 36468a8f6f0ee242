import Glibc
package import Model
import Platform
import Synchronization

/// A server that does to each connection what a test has written down, for faults that a real server can't be brought to.
package final class ScriptedServer: Sendable {
    /// 0 on a Unix socket.
    package let port: Int
    private let address: String
    private let listener: Int32
    private let open = Mutex<(isStopped: Bool, connections: [Int: ScriptedConnection], count: Int)>((false, [:], 0))

    /// - Parameters:
    ///   - path: of a Unix socket; nil for a free port on `address`.
    ///   - script: runs on a thread of its own; the connection is closed when it returns.
    package init(
        unix path: String? = nil, address: String = "127.0.0.1", _ script: @escaping @Sendable (ScriptedConnection) -> Void
    ) throws {
        Signals.ignorePipe()
        self.address = address
        if let path {
            listener = try Self.listen(path)
            port = 0
        } else {
            (listener, port) = try Ports.listen(address, 0)
            _ = fcntl(listener, F_SETFL, 0)
        }
        SystemThread.start("test.scripted") { [self] in accept(script) }
    }

    deinit { stop() }

    package var endpoint: Endpoint { Endpoint(address: address, port: port) }

    /// A loopback address that no other server of this process has. Where nobody listens there, connections are refused; a port of
    /// 127.0.0.1 may be another test's a moment after it was given up.
    package static func ownAddress() -> String {
        let number = addresses.withLock { next in
            next += 1
            return next
        }
        return "127.1.\(number / 250 % 250).\(number % 250 + 1)"
    }

    private static let addresses = Mutex(0)

    /// How many connections have come so far.
    package var count: Int { open.withLock { $0.count } }

    /// Takes no more connections, and hangs up those that there are.
    package func stop() {
        open.withLock { state in
            guard !state.isStopped else { return }
            state.isStopped = true
            shutdown(listener, Int32(SHUT_RDWR))
            for connection in state.connections.values { connection.disconnect() }
        }
    }

    private func accept(_ script: @escaping @Sendable (ScriptedConnection) -> Void) {
        while true {
            let descriptor = Glibc.accept(listener, nil, nil)
            if descriptor < 0, errno == EINTR { continue }
            guard descriptor >= 0 else { break }
            let connection = ScriptedConnection(descriptor: descriptor)
            let number: Int? = open.withLock { state in
                guard !state.isStopped else { return nil }
                state.count += 1
                state.connections[state.count] = connection
                return state.count
            }
            guard let number else { break }
            SystemThread.start("test.scripted.connection") { [weak self] in
                script(connection)
                connection.disconnect()
                self?.open.withLock { _ = $0.connections.removeValue(forKey: number) }
            }
        }
        close(listener)
    }

    private static func listen(_ path: String) throws -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        guard path.utf8.count < MemoryLayout.size(ofValue: name.sun_path) else { throw PortError(message: "\(path) is too long") }
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8) }
        unlink(path)
        let isBound = withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 && Glibc.listen(descriptor, 128) == 0
            }
        }
        guard isBound else { throw PortError(message: "\(path): \(String(cString: strerror(errno)))") }
        return descriptor
    }
}

/// One connection of a scripted server. All calls block.
package final class ScriptedConnection: Sendable {
    private let descriptor: Int32
    private let rest = Mutex<[UInt8]>([])

    init(descriptor: Int32) { self.descriptor = descriptor }
    deinit { close(descriptor) }

    func disconnect() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    /// The next request's head, up to the empty line; nil when the peer has hung up.
    package func head() -> String? {
        var bytes = rest.withLock { $0 }
        while true {
            if let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) {
                rest.withLock { $0 = Array(bytes[end.upperBound...]) }
                return String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
            }
            var chunk = [UInt8](repeating: 0, count: 16_384)
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { return nil }
            bytes += chunk.prefix(count)
        }
    }

    /// The next whole request: its head, and as much body as its head announces.
    package func request() -> (head: String, body: [UInt8])? {
        guard let head = head(), let body = body(of: head) else { return nil }
        return (head, body)
    }

    /// What comes next; nil when the peer has hung up.
    package func bytes() -> [UInt8]? {
        let waiting = rest.withLock { rest in
            defer { rest = [] }
            return rest
        }
        guard waiting.isEmpty else { return waiting }
        var chunk = [UInt8](repeating: 0, count: 16_384)
        let count = read(descriptor, &chunk, chunk.count)
        return count > 0 ? Array(chunk.prefix(count)) : nil
    }

    /// The body that this head announces; nil when the peer has hung up.
    package func body(of head: String) -> [UInt8]? {
        let announced = head.lowercased().split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
        let length = announced.flatMap { Int($0.filter(\.isNumber)) } ?? 0
        var body = rest.withLock { $0 }
        while body.count < length {
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { return nil }
            body += chunk.prefix(count)
        }
        rest.withLock { $0 = Array(body[length...]) }
        return Array(body[..<length])
    }

    /// False when the peer has hung up.
    @discardableResult
    package func write(_ text: String) -> Bool { write(Array(text.utf8)) }

    @discardableResult
    package func write(_ bytes: [UInt8]) -> Bool {
        var left = bytes[...]
        while !left.isEmpty {
            let count = left.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            left = left.dropFirst(count)
        }
        return true
    }

    /// A whole HTTP answer.
    @discardableResult
    package func answer(_ status: Int, _ body: String = "", headers: String...) -> Bool {
        let lines = headers.map { "\($0)\r\n" }.joined()
        return write("HTTP/1.1 \(status) Scripted\r\n\(lines)Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }

    /// Says nothing until the peer hangs up.
    package func hang() {
        var byte: UInt8 = 0
        while read(descriptor, &byte, 1) > 0 {}
    }
}
