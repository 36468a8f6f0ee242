import COpenSSL

/// The primitives of WireGuard's handshake, by libcrypto. All sizes are in bytes.
enum HandshakeCrypto {
    /// BLAKE2s with 32 bytes of output.
    static func hash(_ parts: [UInt8]...) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        let input = parts.flatMap { $0 }
        _ = EVP_Digest(input, input.count, &digest, &length, EVP_blake2s256(), nil)
        return digest
    }

    /// Keyed BLAKE2s with 16 bytes of output.
    static func mac(_ key: [UInt8], _ input: ArraySlice<UInt8>) -> [UInt8] {
        var size = 16
        var output = [UInt8](repeating: 0, count: 16)
        var length = 0
        let input = Array(input)
        let parameters = [OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size), OSSL_PARAM_construct_end()]
        _ = EVP_Q_mac(nil, "BLAKE2SMAC", nil, nil, parameters, key, key.count, input, input.count, &output, output.count, &length)
        return output
    }

    /// HKDF of the Noise protocol (its section 4.3), with HMAC of BLAKE2s.
    static func derive(_ count: Int, _ chainingKey: [UInt8], _ input: [UInt8]) -> [[UInt8]] {
        let secret = hmac(chainingKey, input)
        var outputs: [[UInt8]] = []
        for index in 1...count { outputs.append(hmac(secret, (outputs.last ?? []) + [UInt8(index)])) }
        return outputs
    }

    private static func hmac(_ key: [UInt8], _ input: [UInt8]) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: 32)
        var length = 0
        _ = EVP_Q_mac(nil, "HMAC", nil, "BLAKE2S-256", nil, key, key.count, input, input.count, &output, output.count, &length)
        return output
    }

    /// X25519; nil where the other's key is one of the few that give nothing away but zeros.
    static func exchange(_ privateKey: [UInt8], _ publicKey: [UInt8]) -> [UInt8]? {
        guard let mine = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nil, privateKey, 32) else { return nil }
        defer { EVP_PKEY_free(mine) }
        guard let theirs = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nil, publicKey, 32) else { return nil }
        defer { EVP_PKEY_free(theirs) }
        guard let context = EVP_PKEY_CTX_new(mine, nil) else { return nil }
        defer { EVP_PKEY_CTX_free(context) }
        var shared = [UInt8](repeating: 0, count: 32)
        var length = 32
        guard EVP_PKEY_derive_init(context) == 1, EVP_PKEY_derive_set_peer(context, theirs) == 1,
            EVP_PKEY_derive(context, &shared, &length) == 1, length == 32
        else { return nil }
        return shared
    }

    static func publicKey(of privateKey: [UInt8]) -> [UInt8]? {
        guard let key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nil, privateKey, 32) else { return nil }
        defer { EVP_PKEY_free(key) }
        var output = [UInt8](repeating: 0, count: 32)
        var length = 32
        guard EVP_PKEY_get_raw_public_key(key, &output, &length) == 1 else { return nil }
        return output
    }

    /// ChaCha20-Poly1305 with a nonce of zeros (each key is used once): ciphertext and its tag of 16.
    static func seal(_ key: [UInt8], _ plain: [UInt8], _ authenticated: [UInt8]) -> [UInt8]? {
        guard let context = EVP_CIPHER_CTX_new() else { return nil }
        defer { EVP_CIPHER_CTX_free(context) }
        let nonce = [UInt8](repeating: 0, count: 12)
        var length: Int32 = 0
        var output = [UInt8](repeating: 0, count: plain.count)
        var tag = [UInt8](repeating: 0, count: 16)
        guard EVP_EncryptInit_ex(context, EVP_chacha20_poly1305(), nil, key, nonce) == 1,
            EVP_EncryptUpdate(context, nil, &length, authenticated, Int32(authenticated.count)) == 1,
            EVP_EncryptUpdate(context, &output, &length, plain, Int32(plain.count)) == 1,
            EVP_EncryptFinal_ex(context, nil, &length) == 1,
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, &tag) == 1
        else { return nil }
        return output + tag
    }

    /// Whether a tag over nothing but the authenticated bytes is right.
    static func isRight(_ tag: [UInt8], _ key: [UInt8], _ authenticated: [UInt8]) -> Bool {
        guard let expected = seal(key, [], authenticated), tag.count == expected.count else { return false }
        return CRYPTO_memcmp(expected, tag, tag.count) == 0
    }
}
