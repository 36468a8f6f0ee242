import COpenSSL

/// Hashes, comparisons and random bytes, by libcrypto.
package enum Digest {
    /// SHA-256 of the text's UTF-8, as 64 lower-case hexadecimal digits.
    package static func sha256(_ text: String) -> String {
        var text = text
        return text.withUTF8 { sha256(UnsafeRawBufferPointer($0)) }
    }

    package static func sha256(_ bytes: [UInt8]) -> String { bytes.withUnsafeBytes { sha256($0) } }

    private static func sha256(_ bytes: UnsafeRawBufferPointer) -> String {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Int(EVP_MAX_MD_SIZE)) { digest in
            var length: UInt32 = 0
            _ = EVP_Digest(bytes.baseAddress, bytes.count, digest.baseAddress, &length, algorithm.pointer ?? EVP_sha256(), nil)
            return hex(digest.prefix(Int(length)))
        }
    }

    /// Looked up once, where EVP_sha256() has libcrypto look it up for each digest. Nobody changes it, and it lives as long as we do.
    private struct Algorithm: @unchecked Sendable { let pointer: OpaquePointer? }
    private static let algorithm = Algorithm(pointer: EVP_MD_fetch(nil, "SHA256", nil))

    /// HMAC-SHA256 (RFC 2104) as 64 lower-case hexadecimal digits.
    package static func hmac(_ bytes: [UInt8], key: String) -> String {
        let key = Array(key.utf8)
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        _ = HMAC(EVP_sha256(), key, Int32(key.count), bytes, bytes.count, &digest, &length)
        return hex(digest.prefix(Int(length)))
    }

    /// Compares in a time that depends on the lengths alone.
    package static func equal(_ left: String, _ right: String) -> Bool {
        var (left, right) = (left, right)
        return left.withUTF8 { left in
            right.withUTF8 { right in
                guard left.count == right.count else { return false }
                guard let first = left.baseAddress, let second = right.baseAddress else { return true }
                return CRYPTO_memcmp(first, second, left.count) == 0
            }
        }
    }

    /// Random bytes from the kernel, as hexadecimal digits, two for each byte.
    package static func randomHex(bytes count: Int) -> String {
        var generator = SystemRandomNumberGenerator()
        return hex((0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) })
    }

    /// A password or key of letters and digits alone, so that it needs no escaping in a URL or a shell.
    package static func randomWord(length: Int) -> String {
        let alphabet = Array("abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789")
        var generator = SystemRandomNumberGenerator()
        return String((0..<length).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &generator)] })
    }

    package static func hex(_ bytes: some Collection<UInt8>) -> String {
        func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }
        return String(unsafeUninitializedCapacity: bytes.count * 2) { buffer in
            var end = 0
            for byte in bytes {
                buffer[end] = digit(byte >> 4)
                buffer[end + 1] = digit(byte & 15)
                end += 2
            }
            return end
        }
    }
}

/// Base64 (RFC 4648, section 4) of WireGuard keys and Basic credentials.
package enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    package static func encode(_ bytes: [UInt8]) -> String {
        var result: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var value = 0
            for offset in 0..<3 { value = value << 8 | (offset < group.count ? Int(group[start + offset]) : 0) }
            for digit in 0..<4 { result.append(digit <= group.count ? alphabet[value >> (18 - 6 * digit) & 63] : 0x3D) }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// True for the canonical base64 of exactly 32 bytes, which is what a WireGuard key is.
    package static func isWireGuardKey(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            guard bytes.count == 44, bytes[43] == 0x3D else { return false }
            var last = -1
            for byte in bytes[..<43] {
                last = Int(values[Int(byte)])
                if last < 0 { return false }
            }
            return last & 3 == 0
        }
    }

    /// The bytes of a key; nil where it is none.
    package static func wireGuardKey(_ text: String) -> [UInt8]? {
        guard isWireGuardKey(text) else { return nil }
        var bytes: [UInt8] = []
        var (bits, count) = (0, 0)
        for byte in text.utf8.dropLast() {
            bits = (bits << 6 | Int(values[Int(byte)])) & 0xFFFF
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> count))
            }
        }
        return bytes
    }

    /// What each byte stands for; -1 for those outside the alphabet.
    private static let values: [Int8] = {
        var values = [Int8](repeating: -1, count: 256)
        for (value, byte) in alphabet.enumerated() { values[Int(byte)] = Int8(value) }
        return values
    }()
}

/// libcrypto's life in this process.
package enum CryptoLibrary {
    /// Call before anything that uses OpenSSL: its own atexit handler would race with the end of our threads.
    package static func initialize() { OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil) }
}
