import Glibc

@testable import ExitProxy

/// A blocking TCP connection of a test: one that hangs fails after five seconds.
final class Wire: @unchecked Sendable {
    let descriptor: Int32

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        var limit = timeval(tv_sec: 5, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    convenience init(to port: UInt16, at address: String = "127.0.0.1") throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.init(descriptor)
        guard IPv4(address)?.withSocketAddress(port: port, { connect(descriptor, $0, $1) }) == 0 else { throw Failure("connect") }
    }

    func send(_ text: String) { send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return }
            sent += count
        }
    }

    func end() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Ends with a reset.
    func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
    }

    /// What comes next; nil at the end, or after five seconds.
    func receive(_ limit: Int = 65_536) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = recv(descriptor, &bytes, limit, 0)
        return count > 0 ? Array(bytes.prefix(count)) : nil
    }

    /// Everything up to and with the given text, or up to the end.
    func text(until mark: String) -> String {
        var bytes: [UInt8] = []
        let wanted = Array(mark.utf8)
        while bytes.suffix(wanted.count) != wanted[...], let next = receive(1) { bytes += next }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Everything up to the end.
    func rest() -> [UInt8] {
        var bytes: [UInt8] = []
        while let next = receive() { bytes += next }
        return bytes
    }

    var restAsText: String { String(decoding: rest(), as: UTF8.self) }
}

/// A target: each connection is handed to the body, on a thread of its own.
final class TestTarget: @unchecked Sendable {
    let port: UInt16
    private let descriptor: Int32
    private let body: @Sendable (Wire) -> Void

    convenience init(_ body: @escaping @Sendable (Wire) -> Void) throws { try self.init(at: "127.0.0.1", body) }

    init(at address: String, port: UInt16 = 0, _ body: @escaping @Sendable (Wire) -> Void) throws {
        self.body = body
        (descriptor, self.port) = try Self.listening(at: address, port: port)
        let (descriptor, body) = (descriptor, body)
        detach {
            while case let accepted = accept(descriptor, nil, nil), accepted >= 0 { detach { body(Wire(accepted)) } }
        }
    }

    deinit { shutdown(descriptor, Int32(SHUT_RDWR)) }

    static func listening(at text: String = "127.0.0.1", port: UInt16 = 0, backlog: Int32 = 128) throws -> (Int32, UInt16) {
        let address = IPv4(text).map(Address.v4) ?? IPv6(text).map(Address.v6)
        let descriptor = socket(address?.family ?? 0, Int32(SOCK_STREAM.rawValue), 0)
        guard address?.withSocketAddress(port: port, { bind(descriptor, $0, $1) }) == 0, listen(descriptor, backlog) == 0 else {
            throw Failure("listen")
        }
        return (descriptor, Self.port(of: descriptor))
    }

    static func port(of descriptor: Int32) -> UInt16 {
        // The port is at the same place in both families.
        var (address, size) = (sockaddr_in6(), socklen_t(MemoryLayout<sockaddr_in6>.size))
        withUnsafeMutablePointer(to: &address) { pointer in
            _ = pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
        }
        return UInt16(bigEndian: address.sin6_port)
    }

    /// A port at which nobody listens.
    static func closedPort() throws -> UInt16 {
        let (descriptor, port) = try listening()
        close(descriptor)
        return port
    }
}

private final class Work: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

func detach(_ body: @escaping @Sendable () -> Void) {
    var thread = pthread_t()
    let start: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { work in
        if let work { Unmanaged<Work>.fromOpaque(work).takeRetainedValue().body() }
        return nil
    }
    pthread_create(&thread, nil, start, Unmanaged.passRetained(Work(body)).toOpaque())
    pthread_detach(thread)
}
