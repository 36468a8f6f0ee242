import COpenSSL
import FoundationEssentials
package import Model

/// Seals secrets that must lie in a store (AES-256-GCM, a random nonce of 96 bits for each), by keys derived from the root key: the first
/// key of the file seals, all of them open.
package struct Sealer: Sendable {
    /// A sealed text that can't be opened.
    package struct Unopened: Error, CustomStringConvertible {
        package var keyID: String?
        package init(keyID: String? = nil) { self.keyID = keyID }
        package var description: String {
            keyID.map { "it is sealed with the root key \($0), which is not in root_key_file" }
                ?? "it was changed, or moved to another place"
        }
    }

    private static let nonceSize = 12
    private static let tagSize = 16
    private let keys: [(id: String, key: Secret)]

    package init(_ root: RootKey, purpose: String) {
        keys = ([root] + root.older).map { ($0.id, $0.derived(for: purpose)) }
    }

    package static func isSealed(_ text: String) -> Bool { text.hasPrefix("v1:") }

    /// True where the first key has sealed it.
    package func isCurrent(_ text: String) -> Bool { text.hasPrefix("v1:\(keys[0].id):") }

    /// `v1:<id of the key>:<base64 of nonce, text and tag>`.
    /// - Parameter place: where the text lies: it can be opened for the same place alone.
    package func seal(_ secret: Secret, for place: [String]) throws -> String {
        var generator = SystemRandomNumberGenerator()
        let nonce = (0..<Self.nonceSize).map { _ in UInt8.random(in: 0...255, using: &generator) }
        guard let sealed = Self.run(Array(secret.revealed.utf8), nonce, keys[0].key, Self.bytes(of: place), tag: nil) else {
            throw Unopened()
        }
        return "v1:\(keys[0].id):\(Base64.encode(nonce + sealed))"
    }

    /// - Throws: `Unopened`
    package func open(_ text: String, for place: [String]) throws -> Secret {
        let words = text.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard words.count == 3, words[0] == "v1", let bytes = Data(base64Encoded: String(words[2])).map({ Array($0) }),
            bytes.count >= Self.nonceSize + Self.tagSize
        else { throw Unopened() }
        guard let key = keys.first(where: { $0.id == words[1] })?.key else { throw Unopened(keyID: String(words[1])) }
        let body = Array(bytes[Self.nonceSize..<bytes.count - Self.tagSize])
        guard
            let opened = Self.run(
                body, Array(bytes.prefix(Self.nonceSize)), key, Self.bytes(of: place), tag: Array(bytes.suffix(Self.tagSize)))
        else { throw Unopened() }
        return Secret(String(decoding: opened, as: UTF8.self))
    }

    private static func bytes(of place: [String]) -> [UInt8] { place.flatMap { Array("\($0.utf8.count):\($0)".utf8) } }

    /// Seals where there is no tag, and returns the text with its tag; else opens. Nil where libcrypto refuses, as for a wrong tag.
    private static func run(_ input: [UInt8], _ nonce: [UInt8], _ key: Secret, _ place: [UInt8], tag: [UInt8]?) -> [UInt8]? {
        guard let context = EVP_CIPHER_CTX_new() else { return nil }
        defer { EVP_CIPHER_CTX_free(context) }
        // 32 bytes, from 64 hexadecimal digits.
        let digits = Array(key.revealed.utf8)
        let key = stride(from: 0, to: digits.count - 1, by: 2).map { value(of: digits[$0]) << 4 | value(of: digits[$0 + 1]) }
        let isSealing: Int32 = tag == nil ? 1 : 0
        var length: Int32 = 0
        var output = [UInt8](repeating: 0, count: input.count + tagSize)
        guard key.count == 32, EVP_CipherInit_ex(context, EVP_aes_256_gcm(), nil, key, nonce, isSealing) == 1,
            EVP_CipherUpdate(context, nil, &length, place, Int32(place.count)) == 1,
            EVP_CipherUpdate(context, &output, &length, input, Int32(input.count)) == 1
        else { return nil }
        var tag = tag ?? [UInt8](repeating: 0, count: tagSize)
        if isSealing == 0, EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(tagSize), &tag) != 1 { return nil }
        // GCM writes nothing at its end, but checks the tag.
        var rest = [UInt8](repeating: 0, count: tagSize)
        guard EVP_CipherFinal_ex(context, &rest, &length) == 1 else { return nil }
        guard isSealing == 1 else { return Array(output.prefix(input.count)) }
        guard EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(tagSize), &tag) == 1 else { return nil }
        return output.prefix(input.count) + tag
    }

    private static func value(of digit: UInt8) -> UInt8 { digit < 0x3A ? digit - 0x30 : digit - 0x57 }
}
