import CHiredis
import Glibc
import Model
import Platform
import Synchronization

/// An answer of Redis (RESP2).
package enum RedisReply: Sendable, Equatable {
    case none
    case integer(Int)
    case text(String)
    case list([RedisReply])
    case error(String)

    package var text: String? { if case .text(let text) = self { text } else { nil } }
    package var integer: Int? { if case .integer(let number) = self { number } else { nil } }
    package var list: [RedisReply]? { if case .list(let items) = self { items } else { nil } }
}

/// One connection by hiredis, on a thread of its own. It connects when it is needed, and again after a break.
///
/// A name is resolved anew for each connection. A server that says that another one takes the writes is left, by all connections to
/// that address, and asked again after a pause.
package actor RedisConnection {
    private let address: RedisAddress
    /// Where the format of the store is; nil where that does not matter.
    private let formatKey: String?
    private let thread: SerialThread
    private let resolve: @Sendable (String, Double) -> [String]?
    /// Seconds until a command without an answer is an error.
    private let deadline: Double
    /// How often servers of the address had been left when the connection was made.
    private var departures = 0
    /// What the last server said that is to be left, until when it is not asked again, and after which pause it was last asked.
    private var refusal: (error: RedisError, until: ContinuousClock.Instant, pause: Double)?
    private var context: UnsafeMutablePointer<redisContext>?
    /// When the server last let the deadline pass. What has waited for its turn meanwhile fails too, or each would wait once more.
    private var silentAt: ContinuousClock.Instant?
    private static let silence = Duration.milliseconds(200)
    /// The context's socket, which `interrupt` may shut down from another thread: never after it was closed.
    private let socket = Mutex<(descriptor: Int32?, isInterrupted: Bool)>((nil, false))

    package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    /// - Parameters:
    ///   - prefix: of a store that is left alone where a newer version has written it; nil for any store.
    ///   - deadline: seconds; the address may ask for fewer.
    ///   - resolve: every address of a name, asked on the connection's own thread; nil where there was no answer in those seconds.
    package init(
        address: RedisAddress, prefix: String? = nil, deadline: Double = 2,
        resolve: @escaping @Sendable (_ name: String, _ seconds: Double) -> [String]? = {
            NameResolver.waitForAddresses(of: $0, seconds: $1)
        }
    ) {
        self.address = address
        formatKey = prefix.map(StoreFormat.key)
        self.resolve = resolve
        self.deadline = min(deadline, address.timeout ?? deadline)
        thread = SerialThread(name: "sallyport.redis")
    }

    package func close() {
        disconnect()
        thread.stop()
    }

    /// The answer to one command; an error of the server is thrown.
    @discardableResult
    package func command(_ words: [String]) throws -> RedisReply {
        let replies = try transaction([words], isAtomic: false)
        return replies[0]
    }

    /// The answer to a command that waits at the server. It is not measured: its time says nothing about the server.
    func wait(_ words: [String]) throws -> RedisReply { try exchange([words], isAtomic: false)[0] }

    /// Ends the command under way, and every later one, with `unavailable`.
    nonisolated func interrupt() {
        socket.withLock { socket in
            socket.isInterrupted = true
            if let descriptor = socket.descriptor { shutdown(descriptor, Int32(SHUT_RDWR)) }
        }
    }

    /// Sends commands together and returns their answers in order; the first error of the server is thrown.
    /// - Parameter isAtomic: all or nothing, by MULTI and EXEC.
    @discardableResult
    package func transaction(_ commands: [[String]], isAtomic: Bool = true) throws -> [RedisReply] {
        let begin = ContinuousClock.now
        do {
            let replies = try exchange(commands, isAtomic: isAtomic)
            Metrics.redisCalls.add(Double(commands.count), "ok")
            Metrics.redisSeconds.observe((ContinuousClock.now - begin) / .seconds(1))
            return replies
        } catch {
            Metrics.redisCalls.add(Double(commands.count), "failed")
            throw error
        }
    }

    private func exchange(_ commands: [[String]], isAtomic: Bool) throws -> [RedisReply] {
        let context = try connected()
        let all = isAtomic ? [["MULTI"]] + commands + [["EXEC"]] : commands
        for words in all { append(words, to: context) }
        var replies: [RedisReply] = []
        for _ in all { replies.append(try reply(from: context)) }
        for case .error(let message) in replies { throw error(for: message) }
        refusal = nil
        guard isAtomic else { return replies }
        guard let results = replies.last?.list else { throw RedisError(code: .unreadable, message: "EXEC answered with no list") }
        for case .error(let message) in results { throw error(for: message) }
        return results
    }

    /// The error that the server's words are. A connection that leads to the wrong server, or with a login that is not good, is given up.
    private func error(for message: String) -> RedisError {
        switch RedisRefusal(message) {
        case .elsewhere:
            Departures.note(address)
            return leave("another server accepts the writes, or none does yet (\(message.prefix(100)))", .unavailable)
        case .login:
            disconnect()
            return RedisError(code: .refused, message: message)
        case .busy: return RedisError(code: .unavailable, message: "\(address): \(message)")
        case .full: return RedisError(code: .full, message: RedisRefusal.fullWords(message))
        case .fenced: return RedisError(code: .fenced, message: message)
        case .newer:
            disconnect()
            return StoreFormat.error(StoreFormat.refusal(message.split(separator: " ").dropFirst().first.map(String.init)) ?? message)
        case .other: return RedisError(code: .refused, message: message)
        }
    }

    /// Hangs up, and asks the address again only after a pause, which grows from 0.1 to 2 s.
    private func leave(_ words: String, _ code: RedisError.Code) -> RedisError {
        disconnect()
        let error = RedisError(code: code, message: "\(address): \(words)")
        let pause = min(2, (refusal?.pause ?? 0.05) * 2)
        refusal = (error, .now + .seconds(pause), pause)
        return error
    }

    // MARK: - The connection

    private func connected() throws -> UnsafeMutablePointer<redisContext> {
        if let silentAt, ContinuousClock.now - silentAt < Self.silence { throw noAnswer }
        if let context {
            if departures == Departures.count(of: address) { return context }
            disconnect()
        }
        if let refusal, ContinuousClock.now < refusal.until { throw refusal.error }
        departures = Departures.count(of: address)
        let end = ContinuousClock.now + .seconds(deadline)
        let places = try places()
        for (index, place) in places.enumerated() {
            // What is left of the deadline, shared by the addresses that are left.
            let seconds = max(0.1, (end - .now) / .seconds(1)) / Double(places.count - index)
            do { return try connect(to: place, seconds: seconds) } catch  where index < places.count - 1 { disconnect() }
        }
        throw RedisError(code: .unavailable, message: "\(address): the name has no address")
    }

    /// Where to connect to: the addresses of a name as they are now, best first.
    private func places() throws -> [RedisAddress.Place] {
        guard case .tcp(let host, let port) = address.place else { return [address.place] }
        guard let addresses = resolve(host, deadline) else {
            throw RedisError(code: .unavailable, message: "\(address): the name was not resolved within \(Self.text(deadline)) s")
        }
        return addresses.map { .tcp(host: $0, port: port) }
    }

    private func connect(to place: RedisAddress.Place, seconds: Double) throws -> UnsafeMutablePointer<redisContext> {
        let made = try open(place, seconds: seconds)
        redisSetTimeout(made, Self.time(deadline))
        context = made
        let isInterrupted = socket.withLock { socket in
            socket.descriptor = made.pointee.fd
            return socket.isInterrupted
        }
        if isInterrupted {
            disconnect()
            throw RedisError(code: .unavailable, message: "\(address): the connection was ended")
        }
        try logIn(made)
        silentAt = nil
        return made
    }

    private func open(_ place: RedisAddress.Place, seconds: Double) throws -> UnsafeMutablePointer<redisContext> {
        let made: UnsafeMutablePointer<redisContext>?
        switch place {
        case .unix(let path): made = redisConnectUnixWithTimeout(path, Self.time(seconds))
        case .tcp(let host, let port): made = redisConnectWithTimeout(host, Int32(port), Self.time(seconds))
        }
        guard let made else { throw RedisError(code: .unavailable, message: "no memory for a connection") }
        if made.pointee.err == 0 { return made }
        defer { redisFree(made) }
        throw failure(of: made)
    }

    /// Logs in, chooses the database, and leaves a replica: what we wrote there would be refused, what we read may be old.
    private func logIn(_ context: UnsafeMutablePointer<redisContext>) throws {
        if let words = login {
            do { try execute(words, context) } catch let error as RedisError where error.message.contains("wrong number of arguments") {
                // Before Redis 6 there is the default user alone.
                guard address.user == "default", let password = address.password else { throw error }
                try execute(["AUTH", password.revealed], context)
            }
        }
        if address.database != 0 { try execute(["SELECT", String(address.database)], context) }
        append(["ROLE"], to: context)
        switch try reply(from: context) {
        case .list(let items) where items.first?.text == "slave": throw leave("it is a replica", .unavailable)
        case .error(let message) where RedisRefusal(message) == .elsewhere: throw error(for: message)
        // Who may not ask, or a server that does not know the question, finds out by the first write.
        default: break
        }
        if let formatKey { try checkFormat(formatKey, context) }
    }

    /// Before anything else is asked or written.
    private func checkFormat(_ key: String, _ context: UnsafeMutablePointer<redisContext>) throws {
        append(["GET", key], to: context)
        let format: String?
        switch try reply(from: context) {
        case .text(let text): format = text
        case .error(let message) where message.hasPrefix("WRONGTYPE"): format = "another kind of value"
        default: format = nil
        }
        guard let words = StoreFormat.refusal(format) else { return }
        throw leave("\(words); \(StoreFormat.remedy)", .newer)
    }

    private var login: [String]? {
        if let user = address.user { return ["AUTH", user, address.password?.revealed ?? ""] }
        return address.password.map { ["AUTH", $0.revealed] }
    }

    private func execute(_ words: [String], _ context: UnsafeMutablePointer<redisContext>) throws {
        append(words, to: context)
        guard case .error(let message) = try reply(from: context) else { return }
        let problem = error(for: message)
        // The connection stays for another try to log in.
        if !message.contains("wrong number of arguments") { disconnect() }
        throw problem
    }

    private static func time(_ seconds: Double) -> timeval {
        timeval(tv_sec: Int(seconds), tv_usec: Int((seconds - seconds.rounded(.down)) * 1e6))
    }

    private static func text(_ seconds: Double) -> String { seconds == seconds.rounded() ? String(Int(seconds)) : String(seconds) }

    private var noAnswer: RedisError { RedisError(code: .unavailable, message: "\(address): no answer within \(Self.text(deadline)) s") }

    /// What broke the connection; to be asked right after it did.
    private func failure(of context: UnsafeMutablePointer<redisContext>) -> RedisError {
        let number = errno
        if context.pointee.err == REDIS_ERR_IO, number == EAGAIN || number == ETIMEDOUT {
            silentAt = .now
            return noAnswer
        }
        return RedisError(code: .unavailable, message: "\(address): \(Self.message(of: context))")
    }

    private func disconnect() {
        socket.withLock { socket in
            if let context { redisFree(context) }
            socket.descriptor = nil
        }
        context = nil
    }

    private func append(_ words: [String], to context: UnsafeMutablePointer<redisContext>) {
        // All words in one buffer: a word may hold a NUL, so each goes by its length.
        var lengths = words.map(\.utf8.count)
        let bytes = words.flatMap { $0.utf8.map { CChar(bitPattern: $0) } }
        bytes.withUnsafeBufferPointer { buffer in
            var offset = 0
            // Without a byte at all there is no base address, and any address will do for a length of 0.
            var pointers = lengths.map { length in
                defer { offset += length }
                return buffer.baseAddress.map { $0 + offset }
            }
            redisAppendCommandArgv(context, Int32(words.count), &pointers, &lengths)
        }
    }

    private func reply(from context: UnsafeMutablePointer<redisContext>) throws -> RedisReply {
        var pointer: UnsafeMutableRawPointer?
        guard redisGetReply(context, &pointer) == REDIS_OK, let pointer else {
            defer { disconnect() }
            throw failure(of: context)
        }
        defer { freeReplyObject(pointer) }
        return Self.value(of: pointer.assumingMemoryBound(to: redisReply.self))
    }

    private static func value(of pointer: UnsafeMutablePointer<redisReply>) -> RedisReply {
        let reply = pointer.pointee
        func text() -> String {
            guard let string = reply.str else { return "" }
            return String(decoding: UnsafeRawBufferPointer(start: string, count: Int(reply.len)), as: UTF8.self)
        }
        switch reply.type {
        case REDIS_REPLY_STRING, REDIS_REPLY_STATUS: return .text(text())
        case REDIS_REPLY_ERROR: return .error(text())
        case REDIS_REPLY_INTEGER: return .integer(Int(reply.integer))
        case REDIS_REPLY_ARRAY:
            return .list((0..<Int(reply.elements)).compactMap { reply.element[$0].map(value) })
        default: return .none
        }
    }

    private static func message(of context: UnsafeMutablePointer<redisContext>) -> String {
        withUnsafePointer(to: context.pointee.errstr) { tuple in
            tuple.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: context.pointee.errstr)) { String(cString: $0) }
        }
    }
}
