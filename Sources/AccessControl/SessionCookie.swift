import HTTPServing
import Platform

/// The cookie that a session's token is in (RFC 6265).
package enum SessionCookie {
    package static let name = "sallyport_session"

    /// A new token: 64 hexadecimal digits of 32 random bytes.
    package static func token() -> String { Digest.randomHex(bytes: 32) }

    /// SHA-256 of the token in a `Cookie` header; nil where none looks like that, or there are two.
    package static func digest(_ header: String?) -> String? {
        guard let header else { return nil }
        let tokens = header.split { $0 == ";" || $0 == "," }.compactMap { pair -> Substring? in
            let pair = pair.drop { $0 == " " }
            return pair.hasPrefix("\(name)=") ? pair.dropFirst(name.utf8.count + 1) : nil
        }
        guard tokens.count == 1, let token = tokens.first, isToken(token) else { return nil }
        return Digest.sha256(String(token))
    }

    private static func isToken(_ text: Substring) -> Bool {
        text.utf8.count == 64 && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    /// The `Set-Cookie` header that keeps a token in a browser; scripts can't read it, and other sites' pages don't make it be sent.
    /// - Parameters:
    ///   - seconds: until the browser forgets it; 0 forgets it at once.
    ///   - isSecure: it is sent by TLS alone.
    package static func header(_ token: String, seconds: Int, isSecure: Bool) -> (name: String, value: String) {
        ("Set-Cookie", "\(name)=\(token); Path=/; Max-Age=\(seconds); HttpOnly; SameSite=Strict" + (isSecure ? "; Secure" : ""))
    }
}
