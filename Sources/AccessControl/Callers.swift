package import HTTPServing
import Model
import Platform

/// Who calls: by an API key in a header, or by a session's cookie where there is no such header.
package struct Callers: Sendable {
    package let keys: KeyRing
    package let sessions: SessionTable

    package init(keys: KeyRing, sessions: SessionTable) {
        self.keys = keys
        self.sessions = sessions
    }

    /// The key of a request that was let in.
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
