/// Commands that a controller without the lease hands to the one that holds it, and their answers, in Redis.
///
/// | key | type | holds |
/// | --- | --- | --- |
/// | `<prefix>:orders` | list that expires | commands that nobody has taken yet, oldest first, as `<id> <text>` |
/// | `<prefix>:answer:<id>` | string that expires | the answer to a command |
package struct CommandQueue: Sendable {
    private let connection: RedisConnection
    private let prefix: String
    /// Seconds after which a command that nobody took, or an answer that nobody fetched, is forgotten.
    private static let seconds = "60"

    package init(connection: RedisConnection, prefix: String) {
        self.connection = connection
        self.prefix = prefix
    }

    /// Redis's own clock, in seconds since 1970.
    package func now() async throws -> Int {
        guard let seconds = try await connection.command(["TIME"]).list?.first?.text.flatMap({ Int($0) }) else {
            throw RedisError(code: .unreadable, message: "TIME answered with something else")
        }
        return seconds
    }

    /// - Parameter id: a random word without blanks.
    package func send(_ text: String, id: String) async throws {
        try await connection.transaction([
            ["RPUSH", "\(prefix):orders", "\(id) \(text)"], ["EXPIRE", "\(prefix):orders", Self.seconds],
        ])
    }

    /// Takes a command back; false when somebody has taken it already.
    package func withdraw(_ text: String, id: String) async throws -> Bool {
        try await connection.command(["LREM", "\(prefix):orders", "1", "\(id) \(text)"]).integer == 1
    }

    /// Takes the oldest command, if there is one.
    package func next() async throws -> (id: String, text: String)? {
        guard let entry = try await connection.command(["LPOP", "\(prefix):orders"]).text, let blank = entry.firstIndex(of: " ") else {
            return nil
        }
        return (String(entry[..<blank]), String(entry[entry.index(after: blank)...]))
    }

    /// - Parameter isFirst: one that is there already stays.
    package func answer(_ id: String, with text: String, isFirst: Bool = false) async throws {
        try await connection.command(["SET", "\(prefix):answer:\(id)", text, "EX", Self.seconds] + (isFirst ? ["NX"] : []))
    }

    /// The answer to a command; nil while there is none. It can be read once.
    package func answer(to id: String) async throws -> String? {
        try await connection.command(["GETDEL", "\(prefix):answer:\(id)"]).text
    }
}
