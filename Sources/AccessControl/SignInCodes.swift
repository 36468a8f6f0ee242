package import Model
package import Platform
import Synchronization

/// One-time codes: each signs in once, for the key that asked for it, within five minutes.
///
/// A code says all of that itself, under an authentication code of the root key's: nothing is kept until it is used.
package final class SignInCodes: Sendable {
    package static let seconds = 300
    private let authenticator: Authenticator
    private let memory: (any SharedMemory)?
    /// Digests of codes that were used here, with the time from which they are void.
    private let used = Mutex<[String: Timestamp]>([:])

    /// - Parameters:
    ///   - authenticator: nil makes codes that this process alone takes.
    ///   - memory: where controllers see that a code was used.
    package init(_ authenticator: Authenticator?, memory: (any SharedMemory)?) {
        self.authenticator = authenticator ?? Authenticator(RootKey(text: Secret(Digest.randomHex(bytes: 32))), purpose: Self.purpose)
        self.memory = memory
    }

    /// What the root key's part is for.
    package static let purpose = "api/codes"

    package func make(for key: APIKey, now: Timestamp = SystemClock.now()) -> (code: String, expiresAt: Timestamp) {
        let end = now + Double(Self.seconds)
        let words = [key.id, key.mark, String(end.milliseconds), Digest.randomHex(bytes: 8)]
        return ("\(words[2])-\(words[3])-\(words[1])-\(authenticator.code(words))-\(words[0])", end)
    }

    /// Takes a code, once.
    /// - Returns: the id and the mark of its key; nil where it is no code of ours, too old, or was used.
    /// - Throws: what the memory throws; the code is still good then.
    package func take(_ code: String, now: Timestamp = SystemClock.now()) async throws -> (keyID: String, keyMark: String)? {
        let parts = code.split(separator: "-", maxSplits: 4, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 5, code.utf8.count <= 512, let milliseconds = Int64(parts[0]) else { return nil }
        let end = Timestamp(milliseconds: milliseconds)
        guard authenticator.check(parts[3], [parts[4], parts[2], parts[0], parts[1]]) == .valid, now < end else { return nil }
        let digest = Digest.sha256(code)
        if let memory, try await memory.claim("code:\(digest)", "used", seconds: Self.seconds) != nil { return nil }
        let isFirst = used.withLock { used in
            used = used.filter { $0.value > now }
            return used.updateValue(end, forKey: digest) == nil
        }
        return isFirst ? (parts[4], parts[2]) : nil
    }
}
