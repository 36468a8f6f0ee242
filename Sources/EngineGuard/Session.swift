import DockerEngine
import Glibc
import Platform

/// One connection: one request, one answer, and its end.
struct Session {
    let client: Channel
    /// What the guard knows the connection by.
    let number: Int
    let guardian: EngineGuard

    func run() {
        var what = "a connection"
        do {
            var reader = RequestReader(client: client, seconds: guardian.settings.requestSeconds)
            guard let head = try reader.head() else { return }
            what = "\(head.method) \(head.path)"
            try answer(head, &reader)
        } catch let refusal as Refusal {
            refuse(refusal, what)
        } catch Channel.Failure.timedOut {
            refuse(Refusal(status: 408, message: "the request, or what it is about, took too long"), what)
        } catch is Channel.Failure {
            return
        } catch {
            refuse(Refusal(status: 500, message: "\(error)"), what)
        }
    }

    private func answer(_ head: RequestHead, _ reader: inout RequestReader) throws {
        switch try guardian.rules.route(head) {
        case .ready(let call):
            guard head.length ?? 0 == 0 else { throw Refusal.forbidden("this request takes no body") }
            try reader.end()
            try perform(call)
        case .body(let limit, let read): try perform(read(try reader.body(head, limit: limit)))
        case .archive(let call): try importArchive(call, head, &reader)
        }
    }

    // MARK: - Calls

    private func perform(_ call: EngineCall) throws {
        switch call.kind {
        case .container(let name, let action): try perform(call, action, on: name)
        case .create(let template):
            if let address = template.address, let refusal = try answer(to: address, call) { return try pass(on: refusal) }
            try relay(call.request(guardian.settings))
        case .network: try pass(on: network(call))
        case .startExec(let id):
            guard guardian.tickets.start(id) else { throw Refusal.forbidden("that program was not created here, or is started already") }
            try relay(call.request(guardian.settings))
        case .inspectExec(let id):
            guard guardian.tickets.has(id) else { throw Refusal.forbidden("that program was not created here") }
            try relay(call.request(guardian.settings))
        default: try relay(call.request(guardian.settings), isStream: call.isStream)
        }
    }

    /// Nothing is done to a container before the engine has said whose it is; then it goes by the engine's own id.
    private func perform(_ call: EngineCall, _ action: EngineCall.Action, on name: ContainerName) throws {
        let found = try EngineAnswer.whole(of: EngineCall.inspect(name, version: call.version ?? ""), self)
        guard found.status == 200 else { return try pass(on: found) }
        let id = try found.id(of: name)
        let request = try call.request(guardian.settings, id: id)
        switch action {
        case .inspect: try pass(on: found)
        case .execute:
            let made = try EngineAnswer.whole(of: request, self)
            if made.status == 201 { guardian.tickets.add(try made.id()) }
            try pass(on: made)
        default: try relay(request, isStream: call.isStream)
        }
    }

    /// An address must be of the exits' network, and not the network's own. Nil where it is; else what the engine says of the network.
    private func answer(to address: String, _ call: EngineCall) throws -> EngineAnswer? {
        let network = try network(call)
        guard network.status == 200 else { return network }
        guard try network.network().offers(address) else {
            throw Refusal.forbidden("IPv4Address \(address) is not one of the network \(guardian.settings.network) that an exit can have")
        }
        return nil
    }

    private func network(_ call: EngineCall) throws -> EngineAnswer {
        try NetworkMaking(session: self, version: call.version ?? EngineClient.oldestVersion.description).answer()
    }

    private func importArchive(_ call: EngineCall, _ head: RequestHead, _ reader: inout RequestReader) throws {
        guard let archive = guardian.archive, head.length == archive.size else {
            throw Refusal.forbidden("the archive's size differs from this guard's own")
        }
        reader.allow(seconds: guardian.settings.archiveSeconds)
        try reader.sendContinue(head)
        try archive.forEachPiece { piece in
            guard try reader.take(piece.count) == piece else { throw Refusal.forbidden("the archive is not this guard's own") }
        }
        try reader.end()
        let engine = try guardian.engine(for: number)
        try engine.write(call.request(guardian.settings, archive: archive.size).bytes())
        // An engine that has answered already takes no more; what it says is passed on.
        do { try archive.forEachPiece { try engine.write($0) } } catch Channel.Failure.ended {}
        try relay(from: engine, silence: guardian.settings.silenceSeconds)
    }

    // MARK: - Answers

    private func relay(_ request: EngineRequest, isStream: Bool = false) throws {
        let engine = try guardian.engine(for: number, isStream: isStream)
        do { try engine.write(request.bytes()) } catch Channel.Failure.ended {}
        try relay(from: engine, silence: isStream ? nil : guardian.settings.silenceSeconds)
    }

    /// Passes the engine's answer on as it comes, no faster than the client takes it, until one of them hangs up.
    /// - Parameter silence: seconds; nil for no limit.
    private func relay(from engine: Channel, silence: Double?) throws {
        var isBegun = false
        while true {
            var polled = [
                pollfd(fd: engine.descriptor, events: Int16(POLLIN), revents: 0), pollfd(fd: client.descriptor, events: 0, revents: 0),
            ]
            let count = poll(&polled, 2, silence.map { Int32($0 * 1000) } ?? -1)
            if count < 0, errno == EINTR { continue }
            if polled[1].revents != 0 { return }
            let bytes = count > 0 ? try engine.read(by: .now + .seconds(1)) : []
            guard !bytes.isEmpty else {
                if !isBegun { throw Refusal(status: 502, message: "the Docker Engine gave no answer") }
                return
            }
            isBegun = true
            try client.write(bytes)
        }
    }

    private func pass(on answer: EngineAnswer) throws { try client.write(Self.answer(answer.status, answer.body)) }

    private func refuse(_ refusal: Refusal, _ what: String) {
        if refusal.status < 500 { guardian.refusals.note(refusal, of: what) }
        let body = Array("{\"message\":\(JSONText.quoted("guard: \(refusal.message)"))}\n".utf8)
        guard (try? client.write(Self.answer(refusal.status, body), stall: 5)) != nil else { return }
        // A client that still sends would find the connection broken before it reads why.
        shutdown(client.descriptor, Int32(SHUT_WR))
        let end = ContinuousClock.now + .seconds(1)
        while let rest = try? client.read(by: end), !rest.isEmpty {}
    }

    static func answer(_ status: Int, _ body: [UInt8]) -> [UInt8] {
        let head = """
            HTTP/1.1 \(status) \(status < 300 ? "OK" : "Refused")\r
            Content-Type: application/json\r
            Content-Length: \(body.count)\r
            Connection: close\r
            \r

            """
        return Array(head.utf8) + body
    }
}
