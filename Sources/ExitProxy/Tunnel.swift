/// Two sockets whose bytes go from each to the other, until both have ended. An end of one direction is passed on, and the other goes on.
final class Tunnel: SocketOwner {
    private let client: Socket
    private let target: Socket
    private let up: TunnelDirection
    private let down: TunnelDirection
    private var onEnd: (() -> Void)?
    private(set) var lastMove: Int
    private let loop: EventLoop
    private let activity: TunnelActivity
    /// One side has ended: the other has a minute for each of its last words.
    var isHalfOpen: Bool { up.isFinished || down.isFinished }

    /// - Parameters:
    ///   - early: what the client sent behind its request.
    ///   - answer: what the client is told before the target's bytes.
    ///   - onEnd: called once, when nothing can move any more; it is then to be closed.
    init(_ client: Socket, _ target: Socket, early: ByteBuffer, answer: ByteBuffer, _ server: Server, onEnd: @escaping () -> Void) {
        self.client = client
        self.target = target
        loop = server.loop
        activity = server.shared.activity
        lastMove = loop.now
        up = TunnelDirection(from: client, to: target, first: early, server)
        down = TunnelDirection(from: target, to: client, first: answer, server)
        self.onEnd = onEnd
        client.hand(to: self)
        target.hand(to: self)
    }

    func isReady(_ socket: Socket, _ readiness: Readiness) { pump() }

    func pump() {
        let (before, heard) = (up.moved + down.moved, down.arrivals)
        let alive = up.pump() && down.pump()
        if up.moved + down.moved != before { lastMove = loop.now }
        if down.arrivals != heard { activity.note(loop.now) }
        guard alive, !(up.isFinished && down.isFinished) else { return end() }
        client.want(Self.wants(reads: up, writes: down))
        target.want(Self.wants(reads: down, writes: up))
    }

    private static func wants(reads: TunnelDirection, writes: TunnelDirection) -> Readiness {
        var wanted: Readiness = []
        if reads.wantsToRead { wanted.insert(.read) }
        if writes.wantsToWrite { wanted.insert(.write) }
        return wanted
    }

    private func end() {
        let onEnd = onEnd
        self.onEnd = nil
        onEnd?()
    }

    /// Ends the target's side. The client is the connection's own.
    func close() {
        onEnd = nil
        target.close()
        up.close()
        down.close()
    }
}

/// One direction of a tunnel.
final class TunnelDirection {
    private let source: Socket
    private let sink: Socket
    private var first: ByteBuffer
    private var pipe: KernelPipe?
    private let pipes: PipePool
    /// The source has ended, and the sink was told so.
    private(set) var isFinished = false
    private(set) var moved = 0
    /// Reads that brought something.
    private(set) var arrivals = 0
    /// Rounds of one call: others of the loop have their turn after a megabyte.
    private static let rounds = 8
    private static let piece = 16_384

    init(from source: Socket, to sink: Socket, first: ByteBuffer, _ server: Server) {
        self.source = source
        self.sink = sink
        self.first = first
        pipes = server.pipes
    }

    var wantsToRead: Bool { !isFinished && first.isEmpty && pipe == nil }
    var wantsToWrite: Bool { !first.isEmpty || pipe != nil }

    /// Moves what can be moved now.
    /// - Returns: false where one of the sockets is broken.
    func pump() -> Bool {
        for _ in 0..<Self.rounds where !isFinished {
            switch write() {
            case .blocked: return true
            case .failed: return false
            case .moved, .ended: break
            }
            switch read() {
            case .blocked: return true
            case .failed: return false
            case .ended: finish()
            case .moved: arrivals += 1
            }
        }
        return true
    }

    /// Everything that was read, to the sink; `.ended` where nothing is left.
    private func write() -> Transfer {
        while !first.isEmpty || pipe != nil {
            let transfer = pipe.map { first.isEmpty ? $0.drain(to: sink) : first.drain(to: sink) } ?? first.drain(to: sink)
            guard case .moved(let count) = transfer else { return transfer == .ended ? .failed(0) : transfer }
            moved += count
            if let pipe, pipe.count == 0 { release(pipe) }
        }
        return .ended
    }

    private func read() -> Transfer {
        // Without a descriptor for a pipe the bytes are copied.
        guard let taken = pipes.take() else { return first.fill(from: source, atMost: Self.piece) }
        let transfer = taken.fill(from: source)
        if case .moved = transfer { pipe = taken } else { pipes.put(taken) }
        return transfer
    }

    private func release(_ pipe: KernelPipe) {
        pipes.put(pipe)
        self.pipe = nil
    }

    private func finish() {
        sink.endWriting()
        isFinished = true
    }

    func close() { if let pipe { release(pipe) } }
}
