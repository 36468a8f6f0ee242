/// One request and its answer between a client and a target. Bytes go both ways at once: an answer may come before the body has ended.
final class Exchange: SocketOwner {
    enum End {
        /// The answer is with the client, and both connections may be used again. What the client has sent since comes along.
        case next(ByteBuffer, keepsTarget: Bool)
        /// The target has switched protocols (101): what the client has sent since, and the answer to it.
        case tunnel(ByteBuffer, answer: ByteBuffer)
        /// Nothing was answered.
        case failed(TargetFault, mayRepeat: Bool, ByteBuffer)
        /// The answer is over, and so are both connections.
        case finished
        /// One side broke off.
        case broken
    }

    private let client: Socket
    private let target: Socket
    private let request: Request
    private let loop: EventLoop
    private let activity: TunnelActivity
    private var done: ((End) -> Void)?

    private var input: ByteBuffer
    private var toTarget = ByteBuffer()
    private var requestBody: BodyScanner
    private var fromTarget = ByteBuffer()
    private var output = ByteBuffer()
    private var answer: Answer?
    private var answerBody = BodyScanner.none
    private var closes = false
    /// It sends no more; whether it still reads is not known.
    private(set) var clientHasEnded = false
    private var targetHasEnded = false
    private var hasSent = false
    private(set) var lastMove: Int

    /// Bytes that wait in one direction, before its source is left alone for a while.
    private static let room = 65_536
    private static let piece = 32_768

    init(_ client: Socket, _ target: Socket, _ request: Request, input: ByteBuffer, _ server: Server, _ done: @escaping (End) -> Void) {
        (self.client, self.target, self.request, self.input, self.done) = (client, target, request, input, done)
        loop = server.loop
        activity = server.shared.activity
        lastMove = loop.now
        requestBody = request.body
        request.write(to: &toTarget)
        client.hand(to: self)
        target.hand(to: self)
    }

    func isReady(_ socket: Socket, _ readiness: Readiness) { pump() }

    /// Moves what can be moved, and says what is wanted next.
    func pump() {
        guard done != nil else { return }
        do {
            try readClient()
            try writeTarget()
            try readTarget()
            try takeAnswer()
            try writeClient()
        } catch { return end(error.end) }
        guard done != nil, !endIfOver() else { return }
        client.want(clientWants)
        target.want(targetWants)
    }

    private struct Stop: Error { let end: End }

    private var clientWants: Readiness {
        var wanted: Readiness = []
        if !clientHasEnded, toTarget.count + input.count < Self.room { wanted.insert(.read) }
        if !output.isEmpty { wanted.insert(.write) }
        return wanted
    }

    private var targetWants: Readiness {
        var wanted: Readiness = []
        if !targetHasEnded, output.count + fromTarget.count < Self.room { wanted.insert(.read) }
        if !toTarget.isEmpty { wanted.insert(.write) }
        return wanted
    }

    // MARK: - The request

    private func readClient() throws(Stop) {
        if !clientHasEnded, toTarget.count + input.count < Self.room {
            switch input.fill(from: client, atMost: Self.piece) {
            case .moved: lastMove = loop.now
            case .blocked: break
            case .ended: clientHasEnded = true
            case .failed: throw Stop(end: .broken)
            }
        }
        let size: Int
        do throws(BodyScanner.Fault) { size = try requestBody.take(input.contents) } catch { throw Stop(end: .broken) }
        toTarget.append(input.contents.prefix(size))
        if size > 0 { input.removeFirst(size) }
        // A client that has gone, or that has sent half of a body, has no use for an answer.
        if clientHasEnded, !requestBody.isDone { throw Stop(end: .broken) }
    }

    private func writeTarget() throws(Stop) {
        while !toTarget.isEmpty {
            switch toTarget.drain(to: target) {
            case .moved: lastMove = loop.now
            case .blocked, .ended: return
            case .failed:
                // It may have answered before it closed: what it has sent is read.
                toTarget = ByteBuffer()
                return
            }
        }
        hasSent = true
    }

    // MARK: - The answer

    private func readTarget() throws(Stop) {
        guard !targetHasEnded, output.count + fromTarget.count < Self.room else { return }
        switch fromTarget.fill(from: target, atMost: Self.piece) {
        case .moved:
            lastMove = loop.now
            activity.note(loop.now)
        case .blocked: break
        case .ended: targetHasEnded = true
        case .failed:
            guard answer != nil || !fromTarget.isEmpty else { throw nothing }
            throw Stop(end: .broken)
        }
    }

    private var nothing: Stop { Stop(end: .failed(.badAnswer, mayRepeat: request.body.isDone, input)) }

    private func takeAnswer() throws(Stop) {
        while answer == nil, !fromTarget.isEmpty || targetHasEnded { guard try takeHead() else { return } }
        guard let answer else { return }
        let size: Int
        do throws(BodyScanner.Fault) { size = try answerBody.take(fromTarget.contents) } catch { throw Stop(end: .broken) }
        output.append(fromTarget.contents.prefix(size))
        if size > 0 { fromTarget.removeFirst(size) }
        guard answer.status != 101 else { return switchProtocols() }
        if targetHasEnded, fromTarget.isEmpty {
            if answerBody.endsWithConnection { answerBody = .none }
            if !answerBody.isDone, output.isEmpty { throw Stop(end: .broken) }
        }
    }

    /// - Returns: false where the head is not whole yet.
    private func takeHead() throws(Stop) -> Bool {
        let read: (answer: Answer, size: Int)?
        do throws(Answer.Fault) { read = try Answer.read(fromTarget.contents, to: request.method) } catch {
            throw Stop(end: .failed(.badAnswer, mayRepeat: false, input))
        }
        guard let (found, size) = read else {
            guard targetHasEnded else { return false }
            guard fromTarget.isEmpty else { throw Stop(end: .failed(.badAnswer, mayRepeat: false, input)) }
            throw nothing
        }
        fromTarget.removeFirst(size)
        if found.isInterim {
            found.write(to: &output, closes: false)
            return true
        }
        answer = found
        answerBody = found.body
        closes = found.status != 101 && (!request.keepsAlive || !requestBody.isDone || answerBody.endsWithConnection)
        found.write(to: &output, closes: closes)
        return true
    }

    private func switchProtocols() {
        guard request.upgrades else { return end(.broken) }
        var answer = output
        answer.append(fromTarget.contents)
        output = ByteBuffer()
        end(.tunnel(input, answer: answer))
    }

    private func writeClient() throws(Stop) {
        while !output.isEmpty {
            switch output.drain(to: client) {
            case .moved: lastMove = loop.now
            case .blocked, .ended: return
            case .failed: throw Stop(end: .broken)
            }
        }
    }

    private func endIfOver() -> Bool {
        guard let answer, answerBody.isDone, output.isEmpty else { return false }
        guard !closes, !clientHasEnded else {
            end(.finished)
            return true
        }
        end(.next(input, keepsTarget: answer.keepsAlive && fromTarget.isEmpty && !targetHasEnded))
        return true
    }

    func cancel() {
        done = nil
        target.close()
    }

    private func end(_ end: End) {
        let done = done
        self.done = nil
        done?(end)
    }
}
