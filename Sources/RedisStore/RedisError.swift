/// A Redis command that was not carried out.
package struct RedisError: Error, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// No server answers, the connection broke, or this server is not the one that takes writes.
        case unavailable
        /// The server has no room for what is written: `OOM`, or `MISCONF` of a disk that it can't write. It goes on answering.
        case full
        /// The server refused the command; its own words are in `message`.
        case refused
        /// A write under a fencing number that is no longer the last one.
        case fenced
        /// An answer of another kind than the command has.
        case unreadable
        /// What is in the store is not what a controller of this installation has written.
        case distrusted
        /// A newer version has written the store, in a format that this one does not read.
        case newer
    }

    package var code: Code
    package var message: String
    package var isRetryable: Bool { code == .unavailable }
    package var description: String { "redis: \(message)" }

    package init(code: Code, message: String) {
        self.code = code
        self.message = message
    }
}

/// What an error of the server's means, by its first word (Redis 6.0 to 7.2).
enum RedisRefusal: Equatable {
    /// Another server takes the writes, or none does yet: the name may lead to it by now.
    case elsewhere
    /// The login is not, or no longer, good: a new connection logs in anew.
    case login
    /// Busy with one long command; nothing is gained by another connection.
    case busy
    case full
    case fenced
    case newer
    case other

    private static let words: [String: RedisRefusal] = [
        "READONLY": .elsewhere, "MASTERDOWN": .elsewhere, "LOADING": .elsewhere, "CLUSTERDOWN": .elsewhere, "NOREPLICAS": .elsewhere,
        "UNBLOCKED": .elsewhere, "NOAUTH": .login, "WRONGPASS": .login, "BUSY": .busy, "TRYAGAIN": .busy, "OOM": .full,
        "MISCONF": .full, "FENCED": .fenced,
        "NEWER": .newer,
    ]

    /// What a full server is, with what to do, whichever command it has refused.
    static func fullWords(_ message: String) -> String {
        message.contains("MISCONF")
            ? "it refuses writes because it can't write to its disk (MISCONF); see Redis's log, and free or repair its disk"
            : "it refuses writes because its memory is full (OOM); raise maxmemory, or remove other data from this Redis"
    }

    /// A script's error has the inner one's word first since Redis 7, before that somewhere behind a hyphen.
    init(_ message: String) {
        let tokens = message.split(separator: " ")
        let inner = tokens.first == "ERR" ? tokens.dropFirst().filter { $0.hasPrefix("-") }.map { $0.dropFirst() } : []
        self = (tokens.prefix(1) + inner).lazy.compactMap { Self.words[String($0)] }.first ?? .other
    }
}
