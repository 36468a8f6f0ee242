/// What a gateway and its controller ask of the proxy itself.
extension Connection {
    // MARK: - Ahead of a request

    func prepare(_ request: Request) {
        prepare(request) { [self] news in
            switch news {
            case .slow: say(102, "target_slow")
            case .silent: say(102, "exit_silent")
            case .ready(let socket):
                let ticket = server.shared.prepared.keep(socket.release(), to: request.target, now: server.loop.now)
                answer(200, "\(ticket)")
            case .failed(let fault): answer(fault.status, fault.rawValue)
            }
        }
    }

    /// A request that the gateway can ask again of another exit, as long as nothing of it was sent.
    func reachInTime(_ request: Request) {
        prepare(request) { [self] news in
            switch news {
            case .slow: break
            case .silent:
                if case .preparing(let preparation) = phase { preparation.cancel() }
                refuse(.silent)
            case .ready(let socket): reach(request, socket)
            case .failed(let fault): refuse(Refusal(fault))
            }
        }
    }

    private func prepare(_ request: Request, _ tell: @escaping (Preparation.News) -> Void) {
        let preparation = Preparation(request.target, silence: request.silence ?? 1000, server, tell)
        phase = .preparing(preparation)
        want()
        preparation.start()
    }

    /// The gateway ends the connection: it may not read until it has asked others.
    private func answer(_ status: Int, _ word: String) {
        say(status, word)
        nextRequest(input)
    }

    private func say(_ status: Int, _ word: String) {
        output.append("HTTP/1.1 \(status) \(word)\r\n\r\n".utf8)
        want()
    }

    // MARK: - The status

    func ask() {
        phase = .asking
        want()
        guard let entryPoint = server.settings.entryPoint else { return tell([]) }
        TunnelQuestion(entryPoint, server.loop) { [self] in tell($0) }.start()
    }

    /// - Parameter tunnel: nothing where nobody could say.
    private func tell(_ tunnel: ArraySlice<UInt8>) {
        guard case .asking = phase else { return }
        output.append(server.shared.status(tunnel).utf8)
        finish()
    }
}
