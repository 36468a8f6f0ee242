package import HTTPServing
import Model
import Platform

/// Who calls: by an API key or a proxy user's token in a header, or by a session's cookie where there is no such header.
package struct Callers: Sendable {
    package let keys: KeyRing
    package let sessions: SessionTable
    package let tokens: UserTokens
    private let keyStore: (any KeyStore)?

    /// - Parameter keyStore: nil keeps keys as long as this process lives.
    package init(keys: KeyRing, sessions: SessionTable, tokens: UserTokens, keyStore: (any KeyStore)?) {
        self.keys = keys
        self.sessions = sessions
        self.tokens = tokens
        self.keyStore = keyStore
    }

    // MARK: - What the store may know better

    /// True where the store may have keys that are not known here.
    package var keysAreStale: Bool { keyStore != nil && keys.isStale }

    /// True for the digest of a key that is not known here and that the store may have.
    package func mayBeStored(key digest: String) -> Bool { !keys.knows(digest: digest) && keysAreStale && tokens.user(digest) == nil }

    /// True for the digest of a session's token where the session or its key is not known here and the store may have it.
    package func mayBeStored(session digest: String) -> Bool {
        if sessions.mayBeNew(digest) { return true }
        return sessions.keyID(digest).map { !keys.knows(id: $0) && keysAreStale } ?? false
    }

    /// Takes over the keys and sessions of the store.
    /// - Throws: what the store throws; who is not known here may be known there.
    package func refresh() async throws {
        if keysAreStale { try await refreshKeys() }
        try await sessions.refresh()
    }

    /// Takes over the keys of the store.
    package func refreshKeys() async throws {
        if let keyStore { try await keys.refresh(from: keyStore) }
    }

    // MARK: - Finding

    /// The key of a request that was let in; nil for a user's token.
    package func key(of request: ServerRequest) -> APIKey? {
        if request.headers["x-api-key"] != nil || request.headers["authorization"] != nil { return keys.key(of: request) }
        return session(of: request)?.key
    }

    /// The key of the session whose cookie an answer sets.
    package func key(signedInBy response: ServerResponse) -> APIKey? {
        response.headers.first { $0.name == "Set-Cookie" }.flatMap { SessionCookie.digest($0.value) }.flatMap { sessions.found($0)?.key }
    }

    /// The session that a request comes by; nil for one that brings a key.
    package func session(of request: ServerRequest) -> (session: Session, key: APIKey)? {
        guard request.headers["x-api-key"] == nil, request.headers["authorization"] == nil else { return nil }
        return SessionCookie.digest(request.headers["cookie"]).flatMap { sessions.found($0) }
    }
}
