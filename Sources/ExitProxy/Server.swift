internal import Synchronization
internal import CLinux

/// The clients of one loop.
final class Server: SocketOwner {
    let loop: EventLoop
    let settings: ProxySettings
    let resolver: Resolver
    let pipes = PipePool()
    let shared: Shared
    private var listener: Socket?
    private var connections: [ObjectIdentifier: Connection] = [:]

    /// - Throws: `Failure` where it can't listen.
    init(_ settings: ProxySettings, _ shared: Shared) throws(Failure) {
        loop = try EventLoop()
        self.settings = settings
        self.shared = shared
        resolver = Resolver(settings, loop, shared)
        listener = Socket(try Socket.listening(on: settings.listen, port: settings.port), on: loop, owner: self)
        listener?.want(.read)
        sweep()
    }

    func isReady(_ socket: Socket, _ readiness: Readiness) {
        for _ in 0..<64 {
            guard let descriptor = socket.accept() else { return pauseWhereFull(socket) }
            take(descriptor)
        }
    }

    private func take(_ descriptor: Int32) {
        guard let peer = Self.peer(descriptor), settings.gateways.contains(where: { $0.contains(peer) }) else {
            close(descriptor)
            return
        }
        guard shared.table.enter() else { return refuse(descriptor) }
        let connection = Connection(Socket(descriptor, on: loop), self)
        connections[ObjectIdentifier(connection)] = connection
    }

    /// The table is full: said at once, so that the gateway tries another exit.
    private func refuse(_ descriptor: Int32) {
        _ = Array(Refusal.full.text.utf8).withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        close(descriptor)
    }

    /// Without descriptors the listening socket would be ready for ever.
    private func pauseWhereFull(_ socket: Socket) {
        guard sallyport_errno() == EMFILE || sallyport_errno() == ENFILE || sallyport_errno() == ENOMEM || sallyport_errno() == ENOBUFS
        else { return }
        socket.want([])
        loop.after(100) { socket.want(.read) }
    }

    private static func peer(_ descriptor: Int32) -> IPv4? {
        var (address, size) = (sockaddr_in(), socklen_t(MemoryLayout<sockaddr_in>.size))
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(descriptor, $0, &size) }
        }
        return result == 0 ? IPv4(number: UInt32(bigEndian: address.sin_addr.s_addr)) : nil
    }

    func remove(_ connection: Connection) {
        guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        shared.table.leave()
    }

    /// Something came through the tunnel.
    func hear() { shared.activity.note(loop.now) }

    /// Ends, once a second, whoever has been quiet for too long.
    private func sweep() {
        shared.prepared.closeOld(now: loop.now)
        for connection in connections.values where connection.deadline <= loop.now { connection.close() }
        loop.after(1000) { [self] in sweep() }
    }
}

/// What all loops have together.
struct Shared: Sendable {
    let table: ConnectionTable
    let names = NameCache()
    let prepared = PreparedConnections()
    let activity = TunnelActivity()
    let families = Families()
    let lookUps = Durations()
    let connects = Durations()
}

/// How many clients the loops have together.
final class ConnectionTable: Sendable {
    private let count = Atomic<Int>(0)
    let limit: Int

    /// Descriptors that are no client's and no target's: pipes, look-ups, listening sockets.
    private static let reserved = 1024

    /// Raises the process's limit of open files as far as it may.
    /// - Parameter wanted: clients; fewer where that limit has no room for them, as each takes two descriptors with its target.
    init(atMost wanted: Int) {
        var limits = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits)
        limits.rlim_cur = limits.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits)
        limit = min(wanted, max(64, (Int(clamping: limits.rlim_cur) - Self.reserved) / 2))
    }

    /// - Returns: false where it is full.
    func enter() -> Bool {
        guard count.add(1, ordering: .relaxed).newValue > limit else { return true }
        leave()
        return false
    }

    func leave() { count.subtract(1, ordering: .relaxed) }

    var connections: Int { count.load(ordering: .relaxed) }
}
