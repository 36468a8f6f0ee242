import Glibc
import Platform

/// HAProxy's runtime API on a Unix socket: one connection a command, its answer up to the end.
///
/// Source: https://docs.haproxy.org/2.6/management.html, section 9.3, "Unix Socket commands".
struct RuntimeSocket: Sendable {
    private let path: String
    /// Seconds for one command.
    private let deadline: Double

    init(path: String, deadline: Double = 2) {
        self.path = path
        self.deadline = deadline
    }

    /// The answer without the empty line at its end.
    /// - Parameter payload: lines that follow the command. An empty one would end it, and what follows would be commands; so carriage
    ///   returns end a line too, and empty lines are left out.
    func send(_ command: String, payload: String? = nil) async throws -> String {
        // A line break would begin a command of somebody else's.
        guard !command.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
            throw HAProxyError(code: .refused, action: "sending a command", message: "it holds a control character")
        }
        guard let payload else { return try await Blocking.run { try sendBlocking(command) } }
        // By bytes: to Swift a carriage return with a line feed is one character, and no line feed.
        let lines = payload.utf8.split { $0 == 0x0A || $0 == 0x0D }.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\n")
        return try await Blocking.run { try sendBlocking("\(command) <<\n\(lines)\n") }
    }

    private func sendBlocking(_ command: String) throws -> String {
        let descriptor = try connected()
        defer { close(descriptor) }
        var rest = Array("\(command)\n".utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { throw failure() }
            rest = rest.dropFirst(count)
        }
        // The master's socket stays open for the next command unless it is told that there is none.
        shutdown(descriptor, Int32(SHUT_WR))
        return try answer(descriptor)
    }

    private func connected() throws -> Int32 {
        guard let name = SocketAddress(path: path) else {
            throw HAProxyError(code: .unavailable, action: "connecting to \(path)", message: "the path is longer than 107 bytes")
        }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw failure() }
        SocketOptions.setDeadline(deadline, of: descriptor)
        guard name.connect(descriptor) else {
            defer { close(descriptor) }
            throw failure()
        }
        return descriptor
    }

    /// Up to the end, at most 64 MiB.
    private func answer(_ descriptor: Int32) throws -> String {
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count == 0 { break }
            guard count > 0 else { throw failure() }
            answer += chunk.prefix(count)
            guard answer.count < 64 << 20 else {
                throw HAProxyError(code: .disagrees, action: "reading \(path)", message: "its answer is incomplete")
            }
        }
        while answer.last == 0x0A { answer.removeLast() }
        return String(decoding: answer, as: UTF8.self)
    }

    private func failure() -> HAProxyError {
        // A deadline is told as "Resource temporarily unavailable".
        let words = errno == EAGAIN ? "no answer within \(deadline) s" : String(cString: strerror(errno))
        return HAProxyError(code: .unavailable, action: "talking to HAProxy on \(path)", message: words)
    }
}
