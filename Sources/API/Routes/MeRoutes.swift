import AccessControl
import HTTPServing
import Model
import OpenAPI
import Platform

/// `/api/me`: what a proxy user's token is for, of that user alone.
struct MeRoutes: RouteGroup {
    let operations: any Operations
    let tokens: UserTokens

    var routes: [APIRoute] {
        [
            Route(
                "GET", "/api/me", .user, "The user of this token",
                "Limits, what is left of quotas, and usage by hour, day and country, in UTC, the newest first.", query: UsageSpan.query,
                answers: [.json(200, "the user", .me)], .waiting(showUser)),
            Route(
                "GET", "/api/me/sessions", .user, "The user's sessions at the proxies",
                "As the gateway knows them, the first to end first.",
                answers: [.json(200, "the sessions", .proxySessions)], limit: .strict, .waiting(listSessions)),
            Route(
                "POST", "/api/me/rotate", .user, "Gives a session another exit",
                "The session moves with its next request; connections that stand stay where they are. Where no other exit serves, 409"
                    + " `no_other_exit` says so.",
                body: Body(
                    .always("session", .text("a1", pattern: "^[A-Za-z0-9_]{1,32}$"), "its name, as in `alice-country-us-session-a1`"),
                    .maybe("country", .country, "of several sessions of this name only that of this country"),
                    example: .object(["session": .string("a1")])),
                answers: [.json(200, "the sessions that move, as they were", .proxySessions)], problems: [404], limit: .strict,
                .waiting(rotate)),
        ]
    }

    private func user(of request: ServerRequest) throws -> ProxyUser {
        guard let user = tokens.user(of: request) else { throw APIProblem.notFound("such user any more") }
        return user
    }

    func showUser(_ request: ServerRequest) async throws -> ServerResponse {
        let user = try user(of: request)
        let (hours, days) = UsageSpan.span(of: request)
        let usage = try await operations.usage(of: user.name, hours: hours, days: days)
        return .json(usage.ownFields(of: user, blocked: operations.state.blockedUsers[user.name], now: SystemClock.now()))
    }

    func listSessions(_ request: ServerRequest) async throws -> ServerResponse {
        let sessions = try await operations.sessions(of: try user(of: request).name)
        return shown(sessions)
    }

    func rotate(_ request: ServerRequest) async throws -> ServerResponse {
        let user = try user(of: request)
        let (name, country): (String, CountryCode?) = try request.body { reader in
            let (name, country) = (
                reader.required("session", reader.string("session"), want: "a session's name"), reader.country("country")
            )
            return name.map { ($0, country) }
        }
        let named = try await operations.sessions(of: user.name).filter { $0.name == name }
        let wanted = named.filter { session in country.map { session.countries == [$0] } ?? true }
        guard !wanted.isEmpty else {
            throw APIProblem(
                status: 404, code: "not_found", message: "there is no session of that name: one begins with its first request")
        }
        let exits = operations.state.exits.values
        let movable = wanted.filter { session in exits.contains { session.takes($0, of: user) && !session.isAt($0) } }
        guard !movable.isEmpty else {
            throw APIProblem(status: 409, code: "no_other_exit", message: "no other exit serves what the session asks for; try later")
        }
        try await operations.move(movable)
        return shown(movable)
    }

    private func shown(_ sessions: [ProxySession]) -> ServerResponse {
        let (exits, now) = (operations.state.exits.values, SystemClock.now())
        return .json([
            "sessions": sessions.map { session in
                ShownProxySession.view(ShownProxySession(session: session, exit: exits.first(where: session.isAt)?.id, now: now))
            }
        ])
    }
}
