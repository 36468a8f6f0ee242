internal import CLinux

/// What the resolvers have answered, for all loops, for as long as they say: two connections one after another get the same addresses.
final class NameCache: Sendable {
    private struct Entry {
        let reply: DNSMessage.Reply
        let until: Int
    }

    private let entries = Locked<[String: Entry]>([:])
    /// Names that are kept, at most.
    private static let limit = 10_000

    /// - Returns: nil where nothing is known.
    func reply(of name: String, at now: Int) -> DNSMessage.Reply? {
        entries.withLock { entries in
            guard let entry = entries[name], entry.until > now else { return nil }
            return entry.reply
        }
    }

    func keep(_ reply: DNSMessage.Reply, of name: String, at now: Int) {
        // Addresses for 0 s are for this look-up alone (RFC 1035, section 3.2.1).
        let seconds = reply.isDenial ? min(max(reply.seconds, 1), 60) : min(reply.seconds, 3600)
        entries.withLock { entries in
            if entries.count >= Self.limit { entries = entries.filter { $0.value.until > now } }
            if entries.count >= Self.limit { entries.removeAll() }
            entries[name] = Entry(reply: reply, until: now + 1000 * seconds)
        }
    }
}

/// Finds addresses of names at the tunnel's resolvers.
final class Resolver {
    typealias Outcome = Result<[Address], TargetFault>

    private let servers: [IPv4]
    /// Whether the tunnel carries IPv6.
    private let hasIPv6: Bool
    private let loop: EventLoop
    private let shared: Shared
    /// Who waits for an answer, by the name that is looked up.
    private var waiting: [String: [(Outcome) -> Void]] = [:]

    /// Milliseconds that an answer with addresses waits for that of the other family (RFC 8305, section 3).
    private static let pause = 50

    init(_ settings: ProxySettings, _ loop: EventLoop, _ shared: Shared) {
        (servers, hasIPv6, self.loop, self.shared) = (settings.resolvers, settings.hasIPv6, loop, shared)
    }

    /// Asks what each resolver answers by itself: its answer tells that the tunnel carries something.
    func probe() {
        guard waiting["localhost"] == nil else { return }
        waiting["localhost"] = [{ _ in }]
        lookUp("localhost", .a) { [self] reply in finish("localhost", reply) }
    }

    /// Calls back at once where the answer is known. Who asks while the same name is looked up shares its answer.
    func find(_ name: String, _ done: @escaping (Outcome) -> Void) {
        if let known = shared.names.reply(of: name, at: loop.now) { return done(outcome(known)) }
        guard waiting[name] == nil else { return waiting[name, default: []].append(done) }
        waiting[name] = [done]
        hasIPv6 ? findBoth(name) : findIPv4(name)
    }

    private func findIPv4(_ name: String) {
        lookUp(name, .a) { [self] reply in
            guard let reply, reply.isDenial, reply.nameExists else { return finish(name, reply) }
            // A name without an IPv4 address may have one of IPv6: that is another fault than a name without any.
            lookUp(name, .aaaa) { [self] other in finish(name, reply.with(other)) }
        }
    }

    /// Both families at once. Where one has an address, the other has a moment more; what comes later is kept for who asks next.
    private func findBoth(_ name: String) {
        let answers = Answers()
        for question in [DNSMessage.Question.a, .aaaa] {
            lookUp(name, question) { [self] reply in
                answers.count += 1
                answers.reply = answers.reply?.with(reply) ?? reply
                guard answers.count < 2 else { return finish(name, answers.reply) }
                guard reply?.addresses.isEmpty == false else { return }
                loop.after(Self.pause) { [self] in
                    if answers.count < 2 { finish(name, answers.reply) }
                }
            }
        }
    }

    private final class Answers {
        var count = 0
        var reply: DNSMessage.Reply?
    }

    private func lookUp(_ name: String, _ question: DNSMessage.Question, _ done: @escaping (DNSMessage.Reply?) -> Void) {
        let begun = loop.now
        LookUp(name, question, servers, loop, shared.activity) { [self] reply in
            shared.lookUps.record(loop.now - begun, isFailure: reply == nil)
            done(reply)
        }.start()
    }

    private func finish(_ name: String, _ reply: DNSMessage.Reply?) {
        if let reply { shared.names.keep(reply, of: name, at: loop.now) }
        for done in waiting.removeValue(forKey: name) ?? [] { done(outcome(reply ?? DNSMessage.Reply())) }
    }

    private func outcome(_ reply: DNSMessage.Reply) -> Outcome {
        let usable = hasIPv6 ? reply.addresses : reply.addresses.filter { !$0.isIPv6 }
        return usable.isEmpty ? .failure(reply.addresses.isEmpty ? .dnsFailed : .notSupported) : .success(usable)
    }
}

/// One look-up: a query to one resolver after another, and whoever answers first counts.
private final class LookUp: SocketOwner {
    private let name: String
    private let question: DNSMessage.Question
    private let servers: [IPv4]
    private let loop: EventLoop
    private let activity: TunnelActivity
    private let done: (DNSMessage.Reply?) -> Void
    private var queries: [Query] = []
    private var sent = 0
    private var isOver = false

    private struct Query {
        let socket: Socket
        let id: UInt16
        var stream: ByteBuffer?
        var hasAsked = true
    }

    /// Milliseconds until the next query, while the ones before may still be answered; and until all is given up.
    private static let pause = 1000
    private static let limit = 5000

    init(
        _ name: String, _ question: DNSMessage.Question, _ servers: [IPv4], _ loop: EventLoop, _ activity: TunnelActivity,
        _ done: @escaping (DNSMessage.Reply?) -> Void
    ) {
        (self.name, self.question, self.servers, self.loop, self.activity, self.done) = (name, question, servers, loop, activity, done)
    }

    func start() {
        loop.after(Self.limit) { [self] in end(nil) }
        ask()
    }

    private func ask() {
        guard !isOver, sent < 4, let server = servers.isEmpty ? nil : servers[sent % servers.count] else { return }
        sent += 1
        loop.after(Self.pause) { [self] in ask() }
        guard let descriptor = try? Socket.datagrams(to: server, port: 53) else { return }
        let query = Query(socket: Socket(descriptor, on: loop, owner: self), id: UInt16.random(in: .min ... .max))
        queries.append(query)
        query.socket.want(.read)
        _ = DNSMessage.query(name, question, id: query.id).withUnsafeBytes { query.socket.write($0) }
    }

    /// What did not fit into a datagram, by TCP.
    private func askByStream(_ place: Int) {
        let server = servers[place % servers.count]
        guard let descriptor = try? Socket.connecting(to: .v4(server), port: 53) else { return }
        let query = Query(socket: Socket(descriptor, on: loop, owner: self), id: queries[place].id, stream: ByteBuffer(), hasAsked: false)
        queries.append(query)
        query.socket.want(.write)
    }

    func isReady(_ socket: Socket, _ readiness: Readiness) {
        guard let place = queries.firstIndex(where: { $0.socket === socket }) else { return }
        if queries[place].stream == nil { return readDatagram(place) }
        guard queries[place].hasAsked else { return writeStream(place) }
        readStream(place)
    }

    private func readDatagram(_ place: Int) {
        var bytes = ByteBuffer()
        switch bytes.fill(from: queries[place].socket, atMost: 4096) {
        case .moved: take(Array(bytes.contents), place)
        case .blocked: break
        // A resolver that can't be reached says so here: the next one at once.
        case .failed, .ended: giveUp(place)
        }
    }

    private func writeStream(_ place: Int) {
        let message = DNSMessage.query(name, question, id: queries[place].id)
        let framed = [UInt8(message.count >> 8), UInt8(message.count & 255)] + message
        guard queries[place].socket.connectError() == 0, framed.withUnsafeBytes({ queries[place].socket.write($0) }) == .moved(framed.count)
        else {
            return giveUp(place)
        }
        queries[place].hasAsked = true
        queries[place].socket.want(.read)
    }

    private func readStream(_ place: Int) {
        guard var stream = queries[place].stream else { return }
        let transfer = stream.fill(from: queries[place].socket, atMost: 16_384)
        queries[place].stream = stream
        switch transfer {
        case .blocked: return
        case .failed, .ended: return giveUp(place)
        case .moved: break
        }
        let bytes = Array(stream.contents)
        guard bytes.count >= 2, bytes.count >= 2 + (Int(bytes[0]) << 8 | Int(bytes[1])) else { return }
        take(Array(bytes[2..<(2 + (Int(bytes[0]) << 8 | Int(bytes[1])))]), place)
    }

    private func take(_ bytes: [UInt8], _ place: Int) {
        guard bytes.count >= 2, UInt16(bytes[0]) << 8 | UInt16(bytes[1]) == queries[place].id else { return }
        activity.note(loop.now)
        guard let reply = DNSMessage.reply(bytes, to: name, question, id: queries[place].id) else { return giveUp(place) }
        guard reply.isTruncated else { return end(reply) }
        guard queries[place].stream == nil else { return giveUp(place) }
        askByStream(place)
    }

    private func giveUp(_ place: Int) {
        queries[place].socket.close()
        // Each resolver has its say, and a single one a second time.
        if sent < max(2, servers.count) { ask() } else if queries.allSatisfy({ $0.socket.isClosed }) { end(nil) }
    }

    private func end(_ reply: DNSMessage.Reply?) {
        guard !isOver else { return }
        isOver = true
        for query in queries { query.socket.close() }
        done(reply)
    }
}
