package import HTTPServing
package import Model
import Platform
import Synchronization

/// The tokens of proxy users: each is for what concerns its own user, and for nothing else.
package final class UserTokens: Sendable {
    private let revision: @Sendable () -> Int
    private let users: @Sendable () -> [ProxyUser]
    /// Those of a revision, by the digests of their tokens.
    private let known = Mutex<(revision: Int, users: [String: ProxyUser])?>(nil)

    /// - Parameters:
    ///   - revision: equal ones stand for equal users.
    ///   - users: as they are now.
    package init(revision: @escaping @Sendable () -> Int, users: @escaping @Sendable () -> [ProxyUser]) {
        self.revision = revision
        self.users = users
    }

    /// The user whose token has this digest, whether or not they are admitted; nil for one that has expired.
    package func user(_ digest: String, now: Timestamp = SystemClock.now()) -> ProxyUser? {
        guard let user = byDigest()[digest], let token = user.token, Digest.equal(token.digest, digest),
            token.expiresAt.map({ $0 > now }) ?? true
        else { return nil }
        return user
    }

    /// The user whose token a request carries.
    package func user(of request: ServerRequest) -> ProxyUser? { KeyRing.digest(request.head).flatMap { user($0) } }

    private func byDigest() -> [String: ProxyUser] {
        let revision = revision()
        if let known = known.withLock({ $0 }), known.revision == revision { return known.users }
        let pairs = users().compactMap { user in user.token.map { ($0.digest, user) } }
        let users = Dictionary(pairs) { $1 }
        known.withLock { $0 = (revision, users) }
        return users
    }
}
