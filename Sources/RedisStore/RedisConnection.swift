import CHiredis
import Glibc
package import Model
import Platform
import Synchronization

/// A Redis command that was not carried out.
package struct RedisError: Error, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// No server answers, or the connection broke.
        case unavailable
        /// The server refused the command; its own words are in `message`.
        case refused
        /// A write under a fencing number that is no longer the last one.
        case fenced
        /// An answer of another kind than the command has.
        case unreadable
    }

    package var code: Code
    package var message: String
    package var isRetryable: Bool { code == .unavailable }
    package var description: String { "redis: \(message)" }
}

/// Where a Redis server listens.
package enum RedisAddress: Sendable, CustomStringConvertible {
    case unix(path: String)
    case tcp(host: String, port: Int, password: Secret?, database: Int)

    /// Reads `unix:///path` or `redis://[:password@]host[:port][/database]`; nil for anything else.
    package init?(_ text: String) {
        if text.hasPrefix("unix://"), text.count > 7 {
            self = .unix(path: String(text.dropFirst(7)))
            return
        }
        guard text.hasPrefix("redis://") else { return nil }
        var rest = text.dropFirst("redis://".count)
        var password: Secret?
        if let at = rest.lastIndex(of: "@") {
            // We log in as the default user: another one's name must not be silently left out.
            guard rest.first == ":" else { return nil }
            password = Secret(String(rest[..<at].dropFirst()))
            rest = rest[rest.index(after: at)...]
        }
        var database = 0
        if let slash = rest.firstIndex(of: "/") {
            let path = rest[rest.index(after: slash)...]
            guard path.isEmpty || UInt8(path) != nil else { return nil }
            database = Int(path) ?? 0
            rest = rest[..<slash]
        }
        let parts = rest.split(separator: ":", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), !parts[0].isEmpty, let port = parts.count == 2 ? Int(parts[1]) : 6379,
            (1...65535).contains(port)
        else { return nil }
        self = .tcp(host: String(parts[0]), port: port, password: password, database: database)
    }

    package var description: String {
        switch self {
        case .unix(let path): "unix://\(path)"
        case .tcp(let host, let port, _, let database): "redis://\(host):\(port)/\(database)"
        }
    }
}

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
package actor RedisConnection {
    private let address: RedisAddress
    private let thread: SerialThread
    /// Seconds until a command without an answer is an error.
    private let deadline: Int
    private var context: UnsafeMutablePointer<redisContext>?
    /// When the server last let the deadline pass. What has waited for its turn meanwhile fails too, or each would wait once more.
    private var silentAt: ContinuousClock.Instant?
    private static let silence = Duration.milliseconds(200)
    /// The context's socket, which `interrupt` may shut down from another thread: never after it was closed.
    private let socket = Mutex<(descriptor: Int32?, isInterrupted: Bool)>((nil, false))

    package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    package init(address: RedisAddress, deadline: Int = 2) {
        self.address = address
        self.deadline = deadline
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
        for case .error(let message) in replies {
            throw RedisError(code: message.hasPrefix("FENCED") ? .fenced : .refused, message: message)
        }
        guard isAtomic else { return replies }
        guard let results = replies.last?.list else { throw RedisError(code: .unreadable, message: "EXEC answered with no list") }
        for case .error(let message) in results { throw RedisError(code: .refused, message: message) }
        return results
    }

    // MARK: - The connection

    private func connected() throws -> UnsafeMutablePointer<redisContext> {
        if let silentAt, ContinuousClock.now - silentAt < Self.silence { throw noAnswer }
        if let context { return context }
        let timeout = timeval(tv_sec: deadline, tv_usec: 0)
        let made: UnsafeMutablePointer<redisContext>?
        switch address {
        case .unix(let path): made = redisConnectUnixWithTimeout(path, timeout)
        case .tcp(let host, let port, _, _): made = redisConnectWithTimeout(host, Int32(port), timeout)
        }
        guard let made else { throw RedisError(code: .unavailable, message: "no memory for a connection") }
        guard made.pointee.err == 0 else {
            defer { redisFree(made) }
            throw failure(of: made)
        }
        redisSetTimeout(made, timeout)
        context = made
        let isInterrupted = socket.withLock { socket in
            socket.descriptor = made.pointee.fd
            return socket.isInterrupted
        }
        if isInterrupted {
            disconnect()
            throw RedisError(code: .unavailable, message: "\(address): the connection was ended")
        }
        if case .tcp(_, _, let password, let database) = address {
            if let password { _ = try greet(["AUTH", password.revealed], made) }
            if database != 0 { _ = try greet(["SELECT", String(database)], made) }
        }
        return made
    }

    private func greet(_ words: [String], _ context: UnsafeMutablePointer<redisContext>) throws {
        append(words, to: context)
        if case .error(let message) = try reply(from: context) {
            disconnect()
            throw RedisError(code: .refused, message: message)
        }
    }

    private var noAnswer: RedisError { RedisError(code: .unavailable, message: "\(address): no answer within \(deadline) s") }

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
