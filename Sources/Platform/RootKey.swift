package import Model

/// The one secret of an installation, from which every other key of ours is derived: 32 random bytes in a file that only its owner
/// may read. Controllers that share a store share this file.
package struct RootKey: Sendable {
    /// 64 lower-case hexadecimal digits.
    private let text: Secret

    package init(text: Secret) { self.text = text }

    /// A file that can't be used as a root key.
    package struct Invalid: Error, CustomStringConvertible {
        package var path: String
        package var description: String {
            "\(path) holds no root key, want 64 hexadecimal digits; put the file back from a copy"
        }
    }

    /// Reads the key from a file, which is made (mode 0600) where there is none.
    ///
    /// Throws `FileError` where the file can be neither read nor made, and `Invalid` where it holds something else.
    package static func load(_ path: String) throws -> RootKey {
        if !Files.exists(path) { try Files.write(Digest.randomHex(bytes: 32) + "\n", to: path, mode: 0o600) }
        let text = try Files.read(path, limit: 4096).filter { !$0.isWhitespace }.lowercased()
        guard text.utf8.count == 64, text.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }) else {
            throw Invalid(path: path)
        }
        return RootKey(text: Secret(text))
    }

    /// The key for one purpose, as 64 lower-case hexadecimal digits. Keys of different purposes tell nothing of each other or of the
    /// root (HKDF's expansion of one block, RFC 5869, with the purpose as its information).
    package func derived(for purpose: String) -> Secret {
        Secret(Digest.hmac(Array(purpose.utf8) + [1], key: text.revealed))
    }
}
