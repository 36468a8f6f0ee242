import Model

/// Makes and checks message authentication codes (HMAC-SHA256) by keys that are derived from the root key for one purpose.
package struct Authenticator: Sendable {
    package enum Finding: Sendable, Equatable {
        case valid, invalid
        /// Made by a key that is not in our file, with its id.
        case unknownKey(String)
    }

    private let keys: [(id: String, key: Secret)]
    /// The id of the key that makes.
    package var id: String { keys[0].id }

    package init(_ root: RootKey, purpose: String) {
        keys = ([root] + root.older).map { ($0.id, $0.derived(for: purpose)) }
    }

    /// `<id of the key>.<64 hexadecimal digits>`. Parts are told apart: `["ab", "c"]` has another code than `["a", "bc"]`.
    package func code(_ parts: [String]) -> String { "\(keys[0].id).\(Self.digits(parts, keys[0].key))" }

    package func check(_ code: String, _ parts: [String]) -> Finding {
        let words = code.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard words.count == 2, words[0].utf8.count == 8 else { return .invalid }
        guard let key = keys.first(where: { $0.id == words[0] }) else { return .unknownKey(String(words[0])) }
        return Digest.equal(Self.digits(parts, key.key), String(words[1])) ? .valid : .invalid
    }

    /// The 64 hexadecimal digits alone, by the key of that id; nil where it is not in our file.
    package func digits(_ parts: [String], keyID: String) -> String? {
        keys.first { $0.id == keyID }.map { Self.digits(parts, $0.key) }
    }

    private static func digits(_ parts: [String], _ key: Secret) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(parts.reduce(0) { $0 + $1.utf8.count + 12 })
        for part in parts {
            bytes += Array("\(part.utf8.count):".utf8)
            bytes += Array(part.utf8)
        }
        return Digest.hmac(bytes, key: key.revealed)
    }
}
