import Glibc
package import Model
package import Platform
import Synchronization

/// Takes what HAProxy's Lua code asks for on a Unix socket in the gateway's directory: an exit of a country that has none.
///
/// One line comes, `open us alice`, and one goes back: `coming`, or `refused` and a reason. Only who may write to the gateway's directory can
/// ask. Of several controllers the one that leads listens.
package struct DemandSocket: Sendable {
    /// Connections at once; more are closed, and their requests ask again.
    private static let limit = 64
    private static let longestLine = 128

    private let path: String
    private let mayListen: @Sendable () -> Bool
    private let answer: @Sendable (CountryCode, String) async -> DemandAnswer?
    private let sharing: FileSharing
    private let log: Log

    /// - Parameters:
    ///   - sharing: who may ask.
    ///   - mayListen: asked five times a second at least; false where another controller leads.
    ///   - answer: decides about a country that a user asks for; nil while it can't, so that the request waits and asks again.
    package init(
        path: String, sharing: FileSharing = .none, log: Log, mayListen: @escaping @Sendable () -> Bool,
        answer: @escaping @Sendable (CountryCode, String) async -> DemandAnswer?
    ) {
        (self.path, self.sharing, self.log, self.mayListen, self.answer) = (path, sharing, log, mayListen, answer)
    }

    /// Runs until it is cancelled.
    package func run() async {
        await SocketWatch.run(path) {
            try listen($0)
        } failed: { error in
            log.warning("requests can't open countries", ["error": "\(error)"])
        }
    }

    /// Returns when this controller leads no longer, or the socket's file is another one.
    private func listen(_ watch: SocketWatch) throws {
        while !mayListen() {
            if watch.isCancelled { return }
            usleep(100_000)
        }
        let descriptor = try openSocket()
        let node = watch.node
        defer {
            close(descriptor)
            // Who asks next is told at once that nobody listens.
            if watch.node == node { unlink(path) }
        }
        let counter = Counter()
        while !watch.isCancelled, mayListen() {
            let connection = accept(descriptor, nil, nil)
            guard connection < 0 else {
                _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
                take(connection, counter)
                continue
            }
            guard [EAGAIN, EINTR, ECONNABORTED].contains(errno) else { throw failure("taking a question") }
            // Somebody else has taken the socket's file away, or made another one.
            if watch.node != node { return }
        }
    }

    private final class Counter: Sendable {
        private let value = Mutex(0)
        func begin(below limit: Int) -> Bool {
            value.withLock { count in
                if count >= limit { return false }
                count += 1
                return true
            }
        }
        func end() { value.withLock { $0 -= 1 } }
    }

    /// Reads the question, which comes in one piece right after the connection, and answers it beside the others.
    private func take(_ connection: Int32, _ counter: Counter) {
        SocketOptions.setDeadline(0.2, of: connection)
        var buffer = [UInt8](repeating: 0, count: Self.longestLine)
        let count = recv(connection, &buffer, buffer.count, 0)
        guard count > 0, let (country, user) = Self.question(buffer.prefix(count)), counter.begin(below: Self.limit) else {
            close(connection)
            return
        }
        let answer = answer
        Task {
            let line = await answer(country, user).map { Array("\($0.line)\n".utf8) } ?? []
            _ = line.withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            close(connection)
            counter.end()
        }
    }

    /// `open us alice`; nil for anything else.
    static func question(_ line: ArraySlice<UInt8>) -> (CountryCode, user: String)? {
        guard line.last == 0x0A else { return nil }
        let words = String(decoding: line.dropLast(), as: UTF8.self).split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, words[0] == "open", let country = CountryCode(String(words[1])), !words[2].isEmpty else { return nil }
        return (country, String(words[2]))
    }

    private func openSocket() throws -> Int32 {
        guard let name = SocketAddress(path: path) else {
            throw HAProxyError(code: .unavailable, action: "listening on \(path)", message: "the path is longer than 107 bytes")
        }
        try sharing.makeFolder(path.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" })
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw failure("opening a socket") }
        unlink(path)
        guard name.bind(descriptor), sharing.share(socket: path), Glibc.listen(descriptor, 128) == 0 else {
            defer { close(descriptor) }
            throw failure("listening on \(path)")
        }
        SocketOptions.setDeadline(0.2, of: descriptor)
        return descriptor
    }

    private func failure(_ action: String) -> HAProxyError {
        HAProxyError(code: .unavailable, action: action, message: String(cString: strerror(errno)))
    }
}
