import Glibc
package import Model

/// The one secret of an installation, from which every other key of ours is derived: 32 random bytes in a file that only its owner
/// may read. Controllers that share a store share this file.
///
/// During a rotation the file holds more than one key, each on a line of its own: the first one makes, the others still check and open.
package struct RootKey: Sendable {
    /// 64 lower-case hexadecimal digits.
    private let text: Secret
    /// The keys that only check and open.
    package let older: [RootKey]

    package init(text: Secret, older: [RootKey] = []) {
        self.text = text
        self.older = older
    }

    /// A file that can't be used as a root key.
    package struct Invalid: Error, CustomStringConvertible {
        package var path: String
        package var description: String {
            "\(path) holds no root key, expected 64 hexadecimal digits on each line; put the file back from a copy"
        }
    }

    /// Reads the key from a file, which is made (mode 0600) where there is none.
    ///
    /// Throws `FileError` where the file can be neither read nor made, and `Invalid` where it holds something else.
    package static func load(_ path: String) throws -> RootKey {
        if !Files.exists(path) { try Files.create(Digest.randomHex(bytes: 32) + "\n", at: path, mode: 0o600) }
        return try read(path)
    }

    /// Reads the key from a file that is there.
    package static func read(_ path: String) throws -> RootKey {
        let keys = try lines(of: path).map { RootKey(text: Secret($0)) }
        guard let first = keys.first else { throw Invalid(path: path) }
        return RootKey(text: first.text, older: Array(keys.dropFirst()))
    }

    private static func lines(of path: String) throws -> [String] {
        let lines = try Files.readText(path, limit: 4096).split(whereSeparator: \.isNewline)
            .map { $0.filter { !$0.isWhitespace }.lowercased() }.filter { !$0.isEmpty }
        let areKeys = lines.allSatisfy { line in
            line.utf8.count == 64 && line.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
        }
        guard areKeys, Set(lines).count == lines.count else { throw Invalid(path: path) }
        return lines
    }

    /// Puts a new key before those of a file.
    package static func rotate(_ path: String) throws {
        let lines = try lines(of: path)
        guard !lines.isEmpty else { throw Invalid(path: path) }
        try Files.write(([Digest.randomHex(bytes: 32)] + lines).joined(separator: "\n") + "\n", to: path, mode: 0o600)
    }

    /// Leaves the first key of a file alone in it.
    package static func dropOlder(_ path: String) throws {
        guard let first = try lines(of: path).first else { throw Invalid(path: path) }
        try Files.write(first + "\n", to: path, mode: 0o600)
    }

    /// What the key is called where it is used: 8 hexadecimal digits, which tell nothing of it.
    package var id: String { String(derived(for: "id").revealed.prefix(8)) }

    /// The key for one purpose, as 64 lower-case hexadecimal digits. Keys of different purposes tell nothing of each other or of the
    /// root (HKDF's expansion of one block, RFC 5869, with the purpose as its information).
    package func derived(for purpose: String) -> Secret {
        Secret(Digest.hmac(Array(purpose.utf8) + [1], key: text.revealed))
    }
}
