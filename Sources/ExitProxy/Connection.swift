/// One client: what it asks for by HTTP or SOCKS5, one thing after another.
final class Connection: SocketOwner {
    enum Phase {
        case head
        case socks(Socks5)
        case dialing(Dial)
        case preparing(Preparation)
        case exchange(Exchange)
        case tunnel(Tunnel)
        /// The entry point is asked how the tunnel fares.
        case asking
        /// A last answer is written, then the end of the client is waited for.
        case closing
    }

    private let client: Socket
    let server: Server
    var phase = Phase.head
    var input = ByteBuffer()
    var output = ByteBuffer()
    /// The target of the request before, for the next one to the same.
    private var kept: (target: Target, socket: Socket)?
    private var since: Int

    private static let piece = 16_384
    /// Milliseconds: for a head or a handshake, between two requests, for a client to take its last answer.
    private static let headLimit = 30_000
    private static let closingLimit = 5_000
    /// As HAProxy's `timeout client-fin`.
    private static let halfOpenLimit = 60_000

    init(_ client: Socket, _ server: Server) {
        self.client = client
        self.server = server
        since = server.loop.now
        client.hand(to: self)
        client.want(.read)
    }

    /// When it is ended for having been quiet for too long, in milliseconds of the loop's clock.
    var deadline: Int {
        let idle = server.settings.idleSeconds * 1000
        return switch phase {
        case .head, .socks: since + Self.headLimit * (kept == nil ? 1 : 3)
        case .dialing, .preparing, .asking: .max
        case .exchange(let exchange): exchange.lastMove + (exchange.clientHasEnded ? Self.headLimit : idle)
        case .tunnel(let tunnel): tunnel.lastMove + (tunnel.isHalfOpen ? Self.halfOpenLimit : idle)
        case .closing: since + Self.closingLimit
        }
    }

    // MARK: - The client is ready

    func isReady(_ socket: Socket, _ readiness: Readiness) {
        guard socket === client else { return dropKept() }
        guard flush() else { return close() }
        if case .closing = phase { return drain() }
        switch input.fill(from: client, atMost: Self.piece) {
        case .moved: proceed()
        case .blocked: want()
        case .ended: clientEnded()
        case .failed: close()
        }
    }

    /// What it has asked for is still done; the tunnel passes its end on.
    private func clientEnded() {
        guard case .dialing = phase else { return close() }
        client.want([])
    }

    private func proceed() {
        switch phase {
        case .head: input.contents.first == 5 ? beginSocks() : takeRequest()
        case .socks(let socks): take(socks)
        case .dialing, .preparing, .asking: want()
        case .exchange, .tunnel, .closing: break
        }
    }

    /// Writes what waits for the client.
    /// - Returns: false where it has gone.
    private func flush() -> Bool {
        while !output.isEmpty {
            switch output.drain(to: client) {
            case .moved: break
            case .blocked, .ended: return true
            case .failed: return false
            }
        }
        return true
    }

    func want() {
        guard flush() else { return close() }
        var wanted: Readiness = output.isEmpty ? [] : .write
        // Bytes of a client whose target is being dialed are read only so far.
        if case .dialing = phase, input.count >= Self.piece { return client.want(wanted) }
        wanted.insert(.read)
        client.want(wanted)
    }

    // MARK: - HTTP

    private func takeRequest() {
        let read: (request: Request, size: Int)?
        do throws(Request.Fault) { read = try Request.read(input.contents) } catch {
            return refuse(Refusal(error))
        }
        guard let (request, size) = read else { return want() }
        input.removeFirst(size)
        guard isKnown(request) else { return refuse(.unknown) }
        if let kept, request.path != nil, kept.target == request.target {
            self.kept = nil
            return exchange(request, kept.socket, isReused: true)
        }
        dropKept()
        if request.target == .status { return ask() }
        if request.method == Request.preparing { return prepare(request) }
        if let ticket = request.ticket, let descriptor = server.shared.prepared.take(ticket, to: request.target) {
            return reach(request, Socket(descriptor, on: server.loop))
        }
        if request.path != nil, request.silence != nil { return reachInTime(request) }
        dial(request)
    }

    private func isKnown(_ request: Request) -> Bool {
        guard let words = request.credentials, Head.lowercased(words.prefix(6)) == "basic ",
            let pair = Base64.decode(words.dropFirst(6)), let colon = pair.firstIndex(of: 58)
        else { return false }
        let (settings, password) = (server.settings, pair[(colon + 1)...])
        return settings.knows(pair[..<colon], password) && (request.target != .status || settings.isOwn(password))
    }

    private func dial(_ request: Request) {
        dial(request.target) { [self] result in
            switch result {
            case .success(let socket): reach(request, socket)
            case .failure(let fault): refuse(Refusal(fault))
            }
        }
    }

    func reach(_ request: Request, _ socket: Socket) {
        if request.path == nil {
            tunnel(socket, "HTTP/1.1 200 Connection established\r\n\r\n".utf8)
        } else {
            exchange(request, socket, isReused: false)
        }
    }

    private func exchange(_ request: Request, _ target: Socket, isReused: Bool) {
        let exchange = Exchange(client, target, request, input: input, server) { [self] end in
            ended(end, request, target, isReused: isReused)
        }
        input = ByteBuffer()
        phase = .exchange(exchange)
        exchange.pump()
    }

    private func ended(_ end: Exchange.End, _ request: Request, _ target: Socket, isReused: Bool) {
        switch end {
        case .next(let rest, let keepsTarget):
            keepsTarget ? keep(target, of: request) : target.close()
            nextRequest(rest)
        case .tunnel(let early, let answer):
            input = early
            tunnel(target, answer.contents)
        case .failed(let fault, let mayRepeat, let rest):
            target.close()
            input = rest
            client.hand(to: self)
            // A connection that the target closed while nobody used it says nothing about the target.
            isReused && mayRepeat ? dial(request) : refuse(Refusal(fault))
        case .finished:
            target.close()
            finish()
        case .broken:
            target.close()
            close()
        }
    }

    private func keep(_ socket: Socket, of request: Request) {
        kept = (request.target, socket)
        socket.hand(to: self)
        // Anything that comes before it is asked ends it.
        socket.want(.read)
    }

    private func dropKept() {
        kept?.socket.close()
        kept = nil
    }

    func nextRequest(_ rest: ByteBuffer) {
        input = rest
        phase = .head
        since = server.loop.now
        client.hand(to: self)
        // Not from here: an exchange is still on the stack, and a client may have sent thousands of requests at once.
        rest.isEmpty ? want() : server.loop.soon { [self] in proceed() }
    }

    // MARK: - SOCKS5

    private func beginSocks() {
        let socks = Socks5()
        phase = .socks(socks)
        take(socks)
    }

    private func take(_ handshake: Socks5) {
        var socks = handshake
        while true {
            switch socks.take(&input, isKnown: server.settings.knows) {
            case .wait:
                phase = .socks(socks)
                return want()
            case .answer(let bytes): output.append(bytes)
            case .refused(let bytes):
                output.append(bytes)
                return finish()
            case .target(let target):
                return dial(target) { [self] result in
                    switch result {
                    case .success(let socket): tunnel(socket, Socks5.reply(0))
                    case .failure(let fault):
                        output.append(Socks5.reply(fault.socksReply))
                        finish()
                    }
                }
            }
        }
    }

    // MARK: - On to the target

    private func dial(_ target: Target, _ done: @escaping (Result<Socket, TargetFault>) -> Void) {
        let dial = Dial(target, server, done)
        phase = .dialing(dial)
        want()
        dial.start()
    }

    private func tunnel(_ target: Socket, _ answer: some Collection<UInt8>) {
        output.append(answer)
        let tunnel = Tunnel(client, target, early: input, answer: output, server) { [self] in close() }
        (input, output) = (ByteBuffer(), ByteBuffer())
        phase = .tunnel(tunnel)
        tunnel.pump()
    }

    // MARK: - Ends

    func refuse(_ refusal: Refusal) {
        output.append(refusal.text.utf8)
        finish()
    }

    /// The last answer is out or on its way; the client ends the connection, so that none of it is lost.
    func finish() {
        dropKept()
        phase = .closing
        since = server.loop.now
        client.hand(to: self)
        drain()
    }

    private func drain() {
        guard flush() else { return close() }
        guard output.isEmpty else { return client.want(.write) }
        client.endWriting()
        input = ByteBuffer()
        for _ in 0..<16 {
            var rest = ByteBuffer()
            switch rest.fill(from: client, atMost: Self.piece) {
            case .moved: break
            case .blocked: return client.want(.read)
            case .ended, .failed: return close()
            }
        }
        close()
    }

    func close() {
        switch phase {
        case .dialing(let dial): dial.cancel()
        case .preparing(let preparation): preparation.cancel()
        case .exchange(let exchange): exchange.cancel()
        case .tunnel(let tunnel): tunnel.close()
        default: break
        }
        phase = .closing
        dropKept()
        client.close()
        server.remove(self)
    }
}
