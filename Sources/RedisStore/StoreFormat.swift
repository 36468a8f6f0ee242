/// The form of what the store holds: a number that grows where the version before could not read, or would harm, what is written now.
///
/// A store without a number has the first format.
package enum StoreFormat {
    /// What this version reads and writes.
    package static let current = 1
    package static let remedy =
        "run the version of Sallyport that has written it, or give Redis its copy from before the upgrade; nothing was changed"

    package static func key(_ prefix: String) -> String { "\(prefix):format" }

    /// Why this version may not touch a store that says this of its format; nil where it may.
    package static func refusal(_ text: String?) -> String? {
        guard let text else { return nil }
        guard let number = Int(text), number > 0 else {
            return "the store says that its format is '\(text.prefix(20))', which is no number: this version does not know what it holds"
        }
        guard number > current else { return nil }
        return "a newer version of Sallyport has written the store, in format \(number); this one reads format \(current) at most"
    }

    static func error(_ words: String) -> RedisError { RedisError(code: .newer, message: "\(words); \(remedy)") }
}

extension Store {
    /// The version of the server: "7.0.15"; nil where it does not say.
    package func serverVersion() async throws -> String? {
        let text = try await connection.command(["INFO", "server"]).text ?? ""
        let name = "redis_version:"
        return text.split(whereSeparator: \.isNewline).first { $0.hasPrefix(name) }.map { String($0.dropFirst(name.count)) }
    }

    /// Why this version may not touch what is stored; nil where it may.
    package func foreignFormat() async throws -> String? {
        StoreFormat.refusal(try await connection.command(["GET", StoreFormat.key(prefix)]).text)
    }
}
