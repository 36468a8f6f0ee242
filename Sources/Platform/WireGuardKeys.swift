import COpenSSL
package import Model

/// A pair of WireGuard keys: X25519 (RFC 7748), as base64.
package struct WireGuardKeys: Sendable {
    package let privateKey: Secret
    package let publicKey: String

    /// A new pair, from the kernel's random numbers.
    package init() {
        var generator = SystemRandomNumberGenerator()
        var bytes = (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }
        // RFC 7748, section 5: the bits that every private key has alike.
        bytes[0] &= 248
        bytes[31] = bytes[31] & 127 | 64
        privateKey = Secret(Base64.encode(bytes))
        publicKey = Self.publicKey(of: bytes)
    }

    /// The pair of a private key; nil for what is none.
    package init?(privateKey: Secret) {
        guard let bytes = Base64.wireGuardKey(privateKey.revealed) else { return nil }
        self.privateKey = privateKey
        publicKey = Self.publicKey(of: bytes)
    }

    /// - Parameter bytes: 32, any of which are a private key.
    private static func publicKey(of bytes: [UInt8]) -> String {
        var publicBytes = [UInt8](repeating: 0, count: 32)
        var length = 32
        let key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nil, bytes, bytes.count)
        defer { EVP_PKEY_free(key) }
        EVP_PKEY_get_raw_public_key(key, &publicBytes, &length)
        return Base64.encode(publicBytes)
    }
}
