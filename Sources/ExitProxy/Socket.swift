internal import CLinux

/// Which of a socket's ends can be used now.
struct Readiness: OptionSet {
    let rawValue: UInt32

    static let read = Readiness(rawValue: UInt32(EPOLLIN.rawValue))
    static let write = Readiness(rawValue: UInt32(EPOLLOUT.rawValue))
    static let broken = Readiness(rawValue: UInt32(EPOLLERR.rawValue | EPOLLHUP.rawValue))
}

/// What is called when a socket is ready. Calls come from the loop's thread only.
protocol SocketOwner: AnyObject {
    func isReady(_ socket: Socket, _ readiness: Readiness)
}

/// How an attempt to move bytes ended.
enum Transfer: Equatable {
    /// So many bytes, at least one.
    case moved(Int)
    /// The other end sends nothing more.
    case ended
    /// Not now: the socket has no bytes, or no room.
    case blocked
    case failed(Int32)

    init(_ result: Int) {
        switch result {
        case 1...: self = .moved(result)
        case 0: self = .ended
        default: self = sallyport_errno() == EAGAIN || sallyport_errno() == EINTR ? .blocked : .failed(sallyport_errno())
        }
    }
}

/// A socket that does not block, watched by one loop.
final class Socket {
    let descriptor: Int32
    private let loop: EventLoop
    /// Kept until the socket is closed.
    private(set) var owner: (any SocketOwner)?
    private var wanted: Readiness = []
    private(set) var isClosed = false

    init(_ descriptor: Int32, on loop: EventLoop, owner: (any SocketOwner)? = nil) {
        self.descriptor = descriptor
        self.loop = loop
        self.owner = owner
        loop.add(self)
    }

    func hand(to owner: any SocketOwner) { self.owner = owner }

    /// What the loop tells of from now on. A socket of which nothing is wanted is not watched, so that a broken one is silent.
    func want(_ readiness: Readiness) {
        guard readiness != wanted, !isClosed else { return }
        loop.watch(self, from: wanted, to: readiness)
        wanted = readiness
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) -> Transfer {
        Transfer(CLinux.read(descriptor, buffer.baseAddress, buffer.count))
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> Transfer {
        Transfer(send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)))
    }

    /// Tells the other end that nothing more comes.
    func endWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// The pending error of a connection that was being made; 0 where it stands.
    func connectError() -> Int32 {
        var (error, size) = (Int32(0), socklen_t(MemoryLayout<Int32>.size))
        return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : sallyport_errno()
    }

    /// Takes it from its loop, and leaves it open.
    func release() -> Int32 {
        want([])
        isClosed = true
        owner = nil
        loop.forget(self)
        return descriptor
    }

    /// Its descriptor is free after the loop's present round, so that no event of that round meets another socket's owner.
    func close() {
        guard !isClosed else { return }
        want([])
        isClosed = true
        owner = nil
        loop.remove(self)
    }
}

// MARK: - Ways to make one

extension Socket {
    /// - Returns: the next connection of a listening socket; nil where there is none now.
    func accept() -> Int32? {
        let accepted = accept4(descriptor, nil, nil, Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue))
        guard accepted >= 0 else { return nil }
        Self.set(accepted, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        return accepted
    }

    static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    /// A listening TCP socket; several loops may each have one of the same address.
    /// - Throws: `Failure` with the call that failed.
    static func listening(on address: IPv4, port: UInt16) throws(Failure) -> Int32 {
        let descriptor = try opened(SOCK_STREAM)
        set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
        set(descriptor, SOL_SOCKET, SO_REUSEPORT, 1)
        guard address.withSocketAddress(port: port, { bind(descriptor, $0, $1) }) == 0 else { throw Failure("bind") }
        guard listen(descriptor, 4096) == 0 else { throw Failure("listen") }
        return descriptor
    }

    /// A TCP connection that is being made; writable once it stands or has failed.
    static func connecting(to address: Address, port: UInt16) throws(Failure) -> Int32 {
        let descriptor = try opened(SOCK_STREAM, address.family)
        // Nothing leaves by IPv4 that was judged as IPv6.
        if address.isIPv6 { set(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
        set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        // A target that has vanished is noticed after two minutes, though nobody sends.
        set(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1)
        set(descriptor, Int32(IPPROTO_TCP), TCP_KEEPIDLE, 60)
        set(descriptor, Int32(IPPROTO_TCP), TCP_KEEPINTVL, 15)
        set(descriptor, Int32(IPPROTO_TCP), TCP_KEEPCNT, 4)
        guard address.withSocketAddress(port: port, { connect(descriptor, $0, $1) }) == 0 || sallyport_errno() == EINPROGRESS else {
            throw Failure("connect", closing: descriptor)
        }
        return descriptor
    }

    /// A UDP socket that exchanges datagrams with one address only.
    static func datagrams(to address: IPv4, port: UInt16) throws(Failure) -> Int32 {
        let descriptor = try opened(SOCK_DGRAM)
        guard address.withSocketAddress(port: port, { connect(descriptor, $0, $1) }) == 0 else {
            throw Failure("connect", closing: descriptor)
        }
        return descriptor
    }

    private static func opened(_ kind: __socket_type, _ family: Int32 = AF_INET) throws(Failure) -> Int32 {
        let descriptor = socket(family, Int32(kind.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Failure("socket") }
        return descriptor
    }
}

/// A system call that failed.
package struct Failure: Error {
    package let call: String
    package let code: Int32

    init(_ call: String, closing descriptor: Int32? = nil) {
        self.call = call
        code = sallyport_errno()
        if let descriptor { CLinux.close(descriptor) }
    }
}
