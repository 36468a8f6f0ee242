/// One WireGuard handshake from our side: Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s.
///
/// Source: "WireGuard: Next Generation Kernel Network Tunnel" (Donenfeld, 2017), section 5.4, whose names the comments use.
struct Handshake {
    static let initiationSize = 148
    static let responseSize = 92
    static let cookieReplySize = 64

    /// What our side of every handshake has alike.
    struct Identity {
        let privateKey: [UInt8]
        let publicKey: [UInt8]

        /// Nil where it is no private key.
        init?(_ privateKey: [UInt8]) {
            guard privateKey.count == 32, let publicKey = HandshakeCrypto.publicKey(of: privateKey) else { return nil }
            self.privateKey = privateKey
            self.publicKey = publicKey
        }
    }

    private static let construction = Array("Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s".utf8)
    private static let identifier = Array("WireGuard v1 zx2c4 Jason@zx2c4.com".utf8)
    private static let firstChain = HandshakeCrypto.hash(construction)
    private static let firstHash = HandshakeCrypto.hash(firstChain, identifier)

    /// The first message: 148 bytes.
    let initiation: [UInt8]
    private let identity: Identity
    private let ephemeral: [UInt8]
    private let presharedKey: [UInt8]
    private let chain: [UInt8]
    private let hash: [UInt8]

    /// - Parameters:
    ///   - index: names this handshake in the answer.
    ///   - now: seconds and nanoseconds since 1970; a server ignores what is not newer than the last one of the same key.
    /// - Returns: nil where the server's key is no point to talk to.
    init?(
        _ identity: Identity, server: [UInt8], presharedKey: [UInt8] = [UInt8](repeating: 0, count: 32), index: UInt32,
        ephemeral: [UInt8], now: (seconds: Int, nanoseconds: Int)
    ) {
        guard let ephemeralPublic = HandshakeCrypto.publicKey(of: ephemeral),
            let ephemeralShared = HandshakeCrypto.exchange(ephemeral, server),
            let staticShared = HandshakeCrypto.exchange(identity.privateKey, server)
        else { return nil }
        var message: [UInt8] = [1, 0, 0, 0] + Self.littleEndian(index)

        var hash = HandshakeCrypto.hash(Self.firstHash, server)
        var chain = HandshakeCrypto.derive(1, Self.firstChain, ephemeralPublic)[0]
        message += ephemeralPublic
        hash = HandshakeCrypto.hash(hash, ephemeralPublic)

        var keys = HandshakeCrypto.derive(2, chain, ephemeralShared)
        guard let sealedKey = HandshakeCrypto.seal(keys[1], identity.publicKey, hash) else { return nil }
        message += sealedKey
        hash = HandshakeCrypto.hash(hash, sealedKey)

        keys = HandshakeCrypto.derive(2, keys[0], staticShared)
        guard let sealedTime = HandshakeCrypto.seal(keys[1], Self.tai64n(now), hash) else { return nil }
        message += sealedTime
        hash = HandshakeCrypto.hash(hash, sealedTime)
        chain = keys[0]

        message += HandshakeCrypto.mac(HandshakeCrypto.hash(Array("mac1----".utf8), server), message[...])
        message += [UInt8](repeating: 0, count: 16)
        initiation = message
        self.identity = identity
        self.ephemeral = ephemeral
        self.presharedKey = presharedKey
        self.chain = chain
        self.hash = hash
    }

    /// The handshake that an answer is for; nil where it is none.
    static func index(ofAnswer message: ArraySlice<UInt8>) -> UInt32? {
        guard let kind = message.first else { return nil }
        let at: Int
        switch (kind, message.count) {
        case (2, responseSize): at = message.startIndex + 8
        case (3, cookieReplySize): at = message.startIndex + 4
        default: return nil
        }
        return (0..<4).reduce(0) { $0 | UInt32(message[at + $1]) << (8 * UInt32($1)) }
    }

    /// True for the server's word that it is busy, which it gives before it looks at keys.
    static func isCookieReply(_ message: ArraySlice<UInt8>) -> Bool { message.first == 3 && message.count == cookieReplySize }

    /// Whether a response is the server's, made for our key: nobody else can have made it.
    func accepts(_ response: ArraySlice<UInt8>) -> Bool {
        guard response.count == Self.responseSize, response.first == 2 else { return false }
        let start = response.startIndex
        let theirs = Array(response[start + 12..<start + 44])
        let tag = Array(response[start + 44..<start + 60])
        guard let first = HandshakeCrypto.exchange(ephemeral, theirs), let second = HandshakeCrypto.exchange(identity.privateKey, theirs)
        else { return false }
        var chain = HandshakeCrypto.derive(1, chain, theirs)[0]
        var hash = HandshakeCrypto.hash(hash, theirs)
        chain = HandshakeCrypto.derive(1, chain, first)[0]
        chain = HandshakeCrypto.derive(1, chain, second)[0]
        let keys = HandshakeCrypto.derive(3, chain, presharedKey)
        hash = HandshakeCrypto.hash(hash, keys[1])
        return HandshakeCrypto.isRight(tag, keys[2], hash)
    }

    private static func littleEndian(_ number: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }

    /// TAI64N (D. J. Bernstein, "TAI64, TAI64N, and TAI64NA"), with the offset of 10 s that WireGuard's implementations use.
    private static func tai64n(_ now: (seconds: Int, nanoseconds: Int)) -> [UInt8] {
        let seconds = 0x4000_0000_0000_000A &+ UInt64(now.seconds)
        let nanoseconds = UInt64(now.nanoseconds)
        return (0..<8).map { UInt8(truncatingIfNeeded: seconds >> (56 - 8 * $0)) }
            + (0..<4).map { UInt8(truncatingIfNeeded: nanoseconds >> (24 - 8 * $0)) }
    }
}
