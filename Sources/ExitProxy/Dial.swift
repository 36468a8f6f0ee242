internal import CLinux

/// A connection to a target that is being made: its name is looked up, and its addresses are tried one after another, each a little
/// later than the one before (RFC 8305), until one of them stands.
final class Dial: SocketOwner {
    private let target: Target
    private let server: Server
    private var done: ((Result<Socket, TargetFault>) -> Void)?
    private var addresses: ArraySlice<Address> = []
    private var attempts: [(socket: Socket, isIPv6: Bool)] = []
    /// Whether an address of IPv6 was tried before all of IPv4.
    private var beganByIPv6 = false
    private var next: Timer?
    private var fault = TargetFault.unreachable
    private var limit: Timer?
    /// When the first address was tried; nil before.
    private var begun: Int?

    /// Milliseconds before the next address is tried as well.
    private static let pause = 250
    /// Addresses that are tried at the same time.
    private static let width = 4

    init(_ target: Target, _ server: Server, _ done: @escaping (Result<Socket, TargetFault>) -> Void) {
        self.target = target
        self.server = server
        self.done = done
    }

    func start() {
        limit = server.loop.after(server.settings.connectMilliseconds) { [self] in end(.failure(.timeout)) }
        switch target.host {
        case .own: end(.failure(.notSupported))
        case .address(let address):
            address.isIPv6 && !server.settings.hasIPv6 ? end(.failure(.notSupported)) : dial([address])
        case .name(let name):
            server.resolver.find(name) { [self] outcome in
                switch outcome {
                case .success(let addresses): self.dial(addresses)
                case .failure(let fault): self.end(.failure(fault))
                }
            }
        }
    }

    func cancel() {
        done = nil
        close()
    }

    private func dial(_ found: [Address]) {
        guard done != nil else { return }
        // What is not allowed is refused here by its address, whatever the name was; the firewall refuses it again.
        let (settings, port) = (server.settings, target.port)
        let allowed = found.filter { settings.isResolver($0, port: port) || settings.allows(port: port) && settings.allows($0) }
        addresses = Address.inTurns(allowed, beginsWithIPv6: server.shared.families.prefersIPv6)[...]
        beganByIPv6 = addresses.first?.isIPv6 ?? false
        guard !addresses.isEmpty else { return end(.failure(.notAllowed)) }
        begun = server.loop.now
        tryNext()
    }

    private func tryNext() {
        next?.cancel()
        guard done != nil else { return }
        guard let address = addresses.popFirst() else {
            if attempts.isEmpty { end(.failure(fault)) }
            return
        }
        guard let descriptor = try? Socket.connecting(to: address, port: target.port) else {
            fault = Self.fault(of: sallyport_errno())
            return tryNext()
        }
        let socket = Socket(descriptor, on: server.loop, owner: self)
        if attempts.count == Self.width { attempts.removeFirst().socket.close() }
        attempts.append((socket, address.isIPv6))
        socket.want(.write)
        if !addresses.isEmpty { next = server.loop.after(Self.pause) { [self] in tryNext() } }
    }

    func isReady(_ socket: Socket, _ readiness: Readiness) {
        let error = socket.connectError()
        if error == 0 || error == ECONNREFUSED { server.hear() }
        guard error == 0 else {
            fault = Self.fault(of: error)
            socket.close()
            attempts.removeAll { $0.socket === socket }
            return tryNext()
        }
        socket.want([])
        if beganByIPv6 { server.shared.families.won(isIPv6: attempts.first { $0.socket === socket }?.isIPv6 ?? false) }
        end(.success(socket))
    }

    private static func fault(of error: Int32) -> TargetFault {
        switch error {
        case ECONNREFUSED: .refused
        case ETIMEDOUT: .timeout
        default: .unreachable
        }
    }

    private func end(_ result: Result<Socket, TargetFault>) {
        guard let done else { return }
        self.done = nil
        let socket = try? result.get()
        attempts.removeAll { $0.socket === socket }
        if let begun { server.shared.connects.record(server.loop.now - begun, isFailure: socket == nil) }
        close()
        done(result)
    }

    private func close() {
        limit?.cancel()
        next?.cancel()
        for attempt in attempts { attempt.socket.close() }
        attempts = []
    }
}
