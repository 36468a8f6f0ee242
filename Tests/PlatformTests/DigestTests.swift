import Glibc
import Model
import Platform
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct DigestTests {
    @Test(
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
            (String(repeating: "a", count: 1_000_000), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
        ])
    func `SHA-256 is that of FIPS 180-4's examples`(text: String, digest: String) {
        #expect(Digest.sha256(text) == digest && Digest.sha256(Array(text.utf8)) == digest)
    }

    @Test(arguments: [
        ("", "", true), ("a", "a", true), ("a", "b", false), ("a", "aa", false), ("", "a", false), ("é", "é", true),
        ("ab\0c", "ab\0d", false),
    ])
    func `two texts are equal or not`(left: String, right: String, equal: Bool) {
        #expect(Digest.equal(left, right) == equal && Digest.equal(right, left) == equal)
    }

    @Test func `a comparison takes as long for the first byte as for the last`() {
        // Medians of many: a comparison that stops at the first difference is hundreds of times faster there.
        let size = 1 << 20
        let text = [UInt8](repeating: 97, count: size)
        func changed(at index: Int) -> String {
            var bytes = text
            bytes[index] = 98
            return String(decoding: bytes, as: UTF8.self)
        }
        let (whole, first, last) = (String(decoding: text, as: UTF8.self), changed(at: 0), changed(at: size - 1))
        func median(_ other: String) -> Duration {
            let times = (0..<15).map { _ in ContinuousClock().measure { _ = Digest.equal(whole, other) } }
            return times.sorted()[7]
        }
        #expect((0.2...5).contains(median(first) / median(last)))
    }

    @Test func `random words and digits have their length and alphabet, and don't repeat`() {
        let words = (0..<200).map { _ in Digest.randomWord(length: 24) }
        #expect(
            Set(words).count == 200
                && words.allSatisfy { $0.utf8.count == 24 && $0.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) } })
        let numbers = (0..<200).map { _ in Digest.randomHex(bytes: 16) }
        #expect(
            Set(numbers).count == 200 && numbers.allSatisfy { $0.utf8.count == 32 && $0.allSatisfy(\.isHexDigit) && $0 == $0.lowercased() })
        #expect(Digest.hex([0, 15, 16, 255]) == "000f10ff" && Digest.hex([]) == "")
    }
}

@Suite(.timeLimit(.minutes(1))) struct KeyTests {
    @Test(
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
        ])
    func `base64 is that of RFC 4648's examples`(text: String, encoded: String) {
        #expect(Base64.encode(Array(text.utf8)) == encoded)
        #expect(Base64.encode([0xFB, 0xFF, 0xFE]) == "+//+")
    }

    private static let key = "9TYCXhc1dpXaJ8OgwsqNEVTuEUZmUfDhCSDrxuUBGUY="

    @Test(
        arguments: [
            (key, true), (String(repeating: "A", count: 43) + "=", true), ("", false), (String(key.dropLast()), false), (key + "=", false),
            (" " + key.dropFirst(), false), (key.dropLast(2) + "==", false),
            // The last digit holds two bits that no byte has: all but sixteen digits are not canonical there.
            (key.dropLast(2) + "Z=", false), (key.dropLast(2) + "U=", true), (key.replacing("O", with: "-"), false),
            (key.replacing("O", with: "_"), false),
            (key.replacing("O", with: "\n"), false), (key.replacing("=", with: "A"), false),
            (Base64.encode([UInt8](repeating: 7, count: 31)), false),
            (Base64.encode([UInt8](repeating: 7, count: 33)), false), (Base64.encode([UInt8](repeating: 255, count: 32)), true),
        ] as [(String, Bool)])
    func `a WireGuard key is the one base64 of 32 bytes`(text: String, isKey: Bool) {
        #expect(Base64.isWireGuardKey(text) == isKey)
    }

    private static let hasWG = ["/usr/bin/wg", "/usr/local/bin/wg"].contains(where: Files.exists)

    @Test(.enabled(if: hasWG, "wireguard-tools is not installed")) func `a public key is the one that wg makes of the private key`()
        async throws
    {
        let folder = try TemporaryFolder()
        for _ in 0..<5 {
            let keys = WireGuardKeys()
            #expect(Base64.isWireGuardKey(keys.privateKey.revealed) && Base64.isWireGuardKey(keys.publicKey))
            try Files.write(keys.privateKey.revealed, to: "\(folder.path)/key", mode: 0o600)
            let result = try await Programs.run("sh", ["-c", "wg pubkey <\(folder.path)/key"])
            #expect(result.output == keys.publicKey + "\n")
        }
    }

    @Test func `a private key is never printed`() {
        let keys = WireGuardKeys()
        var dumped = "\(keys) \(String(reflecting: keys))"
        dump(keys, to: &dumped)
        #expect(!dumped.contains(keys.privateKey.revealed) && dumped.contains("********"))
    }
}
