import AccessControl
import HTTPServing
import Model
import OpenAPI
import Platform
import RequestPipeline

/// `/api/auth/session`, `/api/auth/sessions`, `/api/auth/codes`: browsers that have signed in with a key.
struct SessionRoutes: RouteGroup {
    let callers: Callers
    let codes: SignInCodes
    let tries: KeyTries
    let settings: LiveSettings

    var routes: [APIRoute] {
        [
            Route(
                "POST", "/api/auth/session", .open, "Signs a browser in",
                "The answer's cookie `sallyport_session` takes the key's place in later requests without a key. Changes by cookie need the"
                    + " header `X-Sallyport-Request: dashboard`, and an `Origin` that is the requested host.",
                body: Body(
                    .one(
                        of: .maybe("key", .plain(KeyRoutes.keyExample, length: 0...1024), "an API key"),
                        .maybe("code", .plain(SignedIn.codeExample, length: 0...1024), "or a one-time code")),
                    example: .object(["key": .string(KeyRoutes.keyExample)])),
                answers: [.json(201, "the session", .session, headers: ["Set-Cookie"])], problems: [401, 403], limit: .strict,
                .waiting(signIn)),
            Route(
                "GET", "/api/auth/session", .viewer, "The session of this request",
                "A request with a key has no session: the answer has only the key.", answers: [.json(200, "the session", .session)],
                .ready(showSession)),
            Route(
                "DELETE", "/api/auth/session", .viewer, "Signs the browser out",
                "A request with a key has no session, and ends none.", answers: [.empty("the session is ended")],
                .waiting(signOut)),
            Route(
                "GET", "/api/auth/sessions", .viewer, "Sessions", "An admin sees all, others those of their own key.",
                answers: [.json(200, "the sessions, the last used first", .sessions)], limit: .strict, .ready(listSessions)),
            Route(
                "DELETE", "/api/auth/sessions/{session}", .viewer, "Ends a session",
                "At once here, within a second at other controllers. An admin ends any, others those of their own key.",
                answers: [.empty("the session is ended")], limit: .strict, .waiting(endSession)),
            Route(
                "POST", "/api/auth/codes", .viewer, "Makes a one-time code to sign in with",
                "It is valid once, for \(SignInCodes.seconds / 60) minutes, and begins a session of this request's key. A session can't make one.",
                answers: [.json(201, "the code", .signInCode)], limit: .strict, answersSecret: true, .ready(makeCode)),
        ]
    }

    // MARK: - Signing in and out

    func signIn(_ request: ServerRequest) async throws -> ServerResponse {
        let (offered, code): (String?, String?) = try request.body { reader in
            let (key, code) = (reader.string("key"), reader.string("code"))
            if reader.has("key") == reader.has("code") { reader.problem("key", "expected either `key` or `code`") }
            return (key, code)
        }
        try await readKeys()
        let serving = settings.values.serving
        let client = ClientAddress.of(request, trusted: serving.trustedProxies)
        let key =
            if let code {
                try await self.key(of: code, from: client.counted, serving)
            } else {
                try tries.key(offered.flatMap(KeyRing.digest(of:)), from: client.counted, serving)
            }
        let token = SessionCookie.token()
        let session = Session(
            digest: Digest.sha256(token), key: key, createdAt: SystemClock.now(), address: client.text,
            userAgent: request.headers["user-agent"])
        try await APIProblem.ifUnavailable { try await callers.sessions.add(session) }
        let shown = SignedIn(key, session, lastUse: session.createdAt, limits: callers.sessions.limits())
        let isSecure = RequestOrigin(request, trusted: serving.trustedProxies).isSecure
        let cookie = SessionCookie.header(token, seconds: shown.secondsLeft, isSecure: isSecure)
        return .json(SignedIn.view(shown), status: 201, headers: [cookie])
    }

    /// Reads the store's keys where they were not read yet, or not lately: a key that is not known here is not a wrong one then.
    private func readKeys() async throws {
        guard callers.keysAreStale else { return }
        do { try await callers.refreshKeys() } catch { throw APIProblem.callerIsUncertain }
    }

    private func key(of code: String, from address: String, _ serving: RequestSettings) async throws -> APIKey {
        try tries.check(address, serving)
        let taken = try await APIProblem.ifUnavailable { try await codes.take(code) }
        guard let taken, let key = callers.keys.present(taken.keyID, mark: taken.keyMark) else {
            throw tries.failed(
                address, serving,
                .unauthorized("code_unknown", "no such code, or it was used or is older than \(SignInCodes.seconds / 60) minutes"))
        }
        return key
    }

    func signOut(_ request: ServerRequest) async throws -> ServerResponse {
        guard let (session, _) = callers.session(of: request) else { return .noContent }
        try await APIProblem.ifUnavailable { try await callers.sessions.remove([session.id]) }
        var response = ServerResponse.noContent
        response.headers.append(SessionCookie.header("", seconds: 0, isSecure: false))
        return response
    }

    func makeCode(_ request: ServerRequest) throws -> ServerResponse {
        guard callers.session(of: request) == nil, let key = callers.key(of: request) else {
            throw APIProblem(status: 403, code: "key_needed", message: "a code is for whoever has the key: send it as X-API-Key")
        }
        let (code, end) = codes.make(for: key)
        return .json(Fields(["code": code, "expires_at": end]), status: 201)
    }

    // MARK: - Sessions

    func showSession(_ request: ServerRequest) throws -> ServerResponse {
        guard let (session, key) = callers.session(of: request) else {
            guard let key = callers.key(of: request) else { throw APIProblem.notFound("such key any more") }
            return .json(SignedIn.view(SignedIn(key)))
        }
        return .json(SignedIn.view(SignedIn(key, session, lastUse: SystemClock.now(), limits: callers.sessions.limits())))
    }

    func listSessions(_ request: ServerRequest) throws -> ServerResponse {
        let own = callers.session(of: request)?.session.id
        let limits = callers.sessions.limits()
        let views = visible(to: request).map {
            SignedIn.view(SignedIn($0.key, $0.session, lastUse: $0.lastUse, limits: limits, isCurrent: $0.session.id == own))
        }
        return .json(["sessions": views])
    }

    func endSession(_ request: ServerRequest) async throws -> ServerResponse {
        guard let found = visible(to: request).first(where: { $0.session.id == request.parameters["session"] }) else {
            throw APIProblem.notFound("such session")
        }
        try await APIProblem.ifUnavailable { try await callers.sessions.remove([found.session.id]) }
        return .noContent
    }

    private func visible(to request: ServerRequest) -> [(session: Session, key: APIKey, lastUse: Timestamp)] {
        guard let caller = callers.key(of: request) else { return [] }
        return callers.sessions.open().filter { caller.role == .admin || $0.key.id == caller.id }
    }
}
