@testable import API
@testable import AccessControl
import HTTPServing
import Model
import OpenAPI
import Platform
@testable import RequestPipeline
import Testing

/// What a proxy user's token is for, and that it is for nothing else.
@Suite(.timeLimit(.minutes(1))) struct MeTests {
    private static func session(_ key: String, at exit: Exit?, seconds: Double = 540) -> ProxySession? {
        let number = exit.map { GatewayOccupant(exit: $0.id, generation: $0.generation).number } ?? 4711
        return ProxySession(key: key, exitNumber: number, endsAt: SystemClock.now() + seconds)
    }

    private func token(_ subject: Subject, of name: String = "alice", _ body: String? = nil) async throws -> String {
        let answer = try await subject.call("POST", "/api/users/\(name)/token", body: body)
        #expect(answer.status == 201, "\(answer.text)")
        guard case .string(let token)? = answer["token"] else { return "" }
        return token
    }

    private func call(_ subject: Subject, _ method: String, _ target: String, _ token: String, body: String? = nil) async throws -> Answer {
        try await subject.call(method, target, headers: [("Authorization", "Bearer \(token)")], body: body)
    }

    @Test(arguments: Way.allCases) func `a user's token opens what concerns the user`(way: Way) async throws {
        try await Subject.with(way) { subject in
            subject.operations.with { state in
                state.shown.users[0].limits.bytesPerDay = 1_000_000
                state.shown.users[0].countries = [us]
            }
            let token = try await token(subject)
            let me = try await call(subject, "GET", "/api/me?hours=1&days=1", token)
            #expect(me.status == 200 && Schema.me.problems(with: me.json) == [], "\(me.text)")
            #expect(me["name"] == .string("alice") && me["countries"] == .array([.string("US")]))
            let report = try await subject.operations.usage(of: "alice", hours: 1, days: 1)
            guard case .array(let quotas)? = me["quotas"], case .object(let day)? = quotas.first else {
                return #expect(Bool(false), "\(me.text)")
            }
            #expect(day["left"] == .integer(1_000_000 - report.today.sum.bytes) && day["period"] == .string("day"))
            #expect(!me.text.contains(token) && !me.text.contains("digest") && !me.text.contains("password"))

            for call in RouteCase.all where call.isForUsers {
                let exits = Array(subject.operations.state.exits.values)
                subject.operations.with { $0.sessions = [Self.session("alice/a1/us/", at: nil)].compactMap(\.self) }
                #expect(exits.count == 1)
                let answer = try await self.call(subject, call.method, call.target, token, body: call.body)
                let promised = try #require(call.route.access.answers.first { $0.status == answer.status }, "\(answer.text)")
                if let schema = promised.schema { #expect(schema.problems(with: answer.json) == [], "\(answer.text)") }
            }
        }
    }

    @Test(arguments: RouteCase.all) func `everything else is refused to it with a clear word`(route: RouteCase) async throws {
        guard route.role != nil else { return }
        try await Subject.with(.direct) { subject in
            let token = try await token(subject)
            let before = subject.operations.revision
            let answer = try await call(subject, route.method, route.target, token, body: route.body)
            #expect(answer.status == 403 && answer.error == "user_token" && answer.text.contains("/api/me"), "\(answer.text)")
            #expect(subject.operations.revision == before, "nothing is changed")
        }
    }

    @Test(arguments: Way.allCases) func `nobody signs in with it`(way: Way) async throws {
        try await Subject.with(way) { subject in
            let token = try await token(subject)
            let answer = try await subject.call("POST", "/api/auth/session", as: nil, body: #"{"key":"\#(token)"}"#)
            #expect(answer.status == 403 && answer.error == "user_token" && answer.headers["set-cookie"] == nil, "\(answer.text)")
        }
    }

    @Test func `a session or key of an operator is no user's`() async throws {
        try await Subject.with(.direct) { subject in
            let cookie = try await subject.addSession(of: .admin)
            let answer = try await subject.call("GET", "/api/me", headers: [("Cookie", cookie)])
            #expect(answer.status == 403 && answer.error == "user_token_needed", "\(answer.text)")
        }
    }

    @Test func `it ends at once with its user, its time, or another one`() async throws {
        try await Subject.with(.direct) { subject in
            let first = try await token(subject)
            #expect(try await call(subject, "GET", "/api/me", first).status == 200)
            let second = try await token(subject)
            #expect(try await call(subject, "GET", "/api/me", first).error == "key_unknown", "a new one takes its place")
            #expect(try await call(subject, "GET", "/api/me", second).status == 200)

            _ = try await subject.call("PATCH", "/api/users/alice", body: #"{"disabled":true}"#)
            let disabled = try await call(subject, "GET", "/api/me", second)
            #expect(disabled.status == 403 && disabled.error == "user_disabled")
            _ = try await subject.call("PATCH", "/api/users/alice", body: #"{"disabled":false,"expires_at":"2020-01-01T00:00:00Z"}"#)
            #expect(try await call(subject, "GET", "/api/me", second).error == "user_expired")
            _ = try await subject.call("PATCH", "/api/users/alice", body: #"{"expires_at":null}"#)
            #expect(try await call(subject, "GET", "/api/me", second).status == 200)

            #expect(try await subject.call("DELETE", "/api/users/alice/token").status == 204)
            #expect(try await subject.call("DELETE", "/api/users/alice/token").status == 404)
            #expect(try await call(subject, "GET", "/api/me", second).status == 401)

            let third = try await token(subject, #"{"expires_in_seconds":60}"#)
            #expect(subject.api.callers.tokens.user(Digest.sha256(third)) != nil)
            #expect(subject.api.callers.tokens.user(Digest.sha256(third), now: SystemClock.now() + 61) == nil)
            _ = try await subject.call("DELETE", "/api/users/alice")
            #expect(try await call(subject, "GET", "/api/me", third).status == 401)
        }
    }

    @Test func `sessions are the user's own, with their exits`() async throws {
        try await Subject.with(.direct) { subject in
            let exit = try #require(subject.operations.state.exits.values.first)
            subject.operations.with {
                $0.sessions = [
                    Self.session("alice/a1/us/", at: exit), Self.session("alice/b2/any/dallas", at: nil),
                    Self.session("alicia/c3/us/", at: exit),
                    Self.session("bob/d4/us/", at: exit),
                ].compactMap(\.self)
            }
            let answer = try await call(subject, "GET", "/api/me/sessions", try await token(subject))
            guard case .array(let sessions)? = answer["sessions"], sessions.count == 2 else {
                return #expect(Bool(false), "\(answer.text)")
            }
            #expect(answer.text.contains(#""exit":"us-1""#) && answer.text.contains(#""city":"dallas""#), "\(answer.text)")
            #expect(!answer.text.contains("c3") && !answer.text.contains("d4"))
        }
    }

    @Test func `a session moves where another exit serves what it asks for`() async throws {
        try await Subject.with(.direct) { subject in
            let exit = try #require(subject.operations.state.exits.values.first)
            let token = try await token(subject)
            func rotate(_ body: String) async throws -> Answer { try await call(subject, "POST", "/api/me/rotate", token, body: body) }
            subject.operations.with {
                $0.sessions = [Self.session("alice/a1/us/", at: exit), Self.session("bob/b1/us/", at: exit)].compactMap(\.self)
            }
            let alone = try await rotate(#"{"session":"a1"}"#)
            #expect(alone.status == 409 && alone.error == "no_other_exit", "\(alone.text)")
            #expect(try await rotate(#"{"session":"b1"}"#).status == 404, "another user's")
            #expect(try await rotate("{}").fields == ["session"])

            // A second exit, in another city.
            var other = exit
            other.id = ExitID(country: us, number: 2)
            other.server?.city = "New York"
            subject.operations.with { [other] state in
                state.shown.exits[other.id] = other
                state.shown.revision += 1
            }
            let moved = try await rotate(#"{"session":"a1"}"#)
            #expect(moved.status == 200 && moved.text.contains(#""session":"a1""#), "\(moved.text)")
            #expect(subject.operations.with { $0.moved.map(\.key) } == ["alice/a1/us/"])
            #expect(try await rotate(#"{"session":"a1","country":"de"}"#).status == 404)

            subject.operations.with { $0.sessions = [Self.session("alice/c1/us/dallas", at: exit)].compactMap(\.self) }
            #expect(try await rotate(#"{"session":"c1"}"#).status == 409, "no other one in its city")
            subject.operations.with { $0.sessions = [Self.session("alice/d1/us/newyork", at: exit)].compactMap(\.self) }
            #expect(try await rotate(#"{"session":"d1"}"#).status == 200)
        }
    }

    @Test func `the audit log has who made it, and not the token`() async throws {
        try await Subject.with(.direct) { subject in
            let token = try await token(subject)
            _ = try await call(subject, "POST", "/api/me/rotate", token, body: #"{"session":"a1"}"#)
            _ = try await call(subject, "GET", "/api/users", token)
            _ = try await subject.call("DELETE", "/api/users/alice/token")
            let log = try await subject.call("GET", "/audit/logs")
            #expect(log.text.contains("POST /api/users/{name}/token") && log.text.contains("DELETE /api/users/{name}/token"), "\(log.text)")
            #expect(log.text.contains(#""key":"user alice""#) && log.text.contains("POST /api/me/rotate"))
            #expect(!log.text.contains(token) && log.text.contains("********"))
            let digest = Digest.sha256(token)
            #expect(!log.text.contains(digest))
            let user = try await subject.call("GET", "/api/users/alice")
            #expect(!user.text.contains(digest) && !user.text.contains(token))
        }
    }

    @Test func `its calls count against limits as a key's do`() async throws {
        var settings = RequestSettings()
        (settings.requests, settings.strictRequests) = (100, 3)
        try await Subject.with(.direct, settings: settings) { subject in
            let token = try await token(subject)
            let statuses = [
                try await call(subject, "GET", "/api/me/sessions", token).status,
                try await call(subject, "GET", "/api/me/sessions", token).status,
                try await call(subject, "GET", "/api/me/sessions", token).status,
                try await call(subject, "GET", "/api/me/sessions", token).status,
            ]
            #expect(statuses.contains(429) && statuses.first == 200, "\(statuses)")
        }
    }
}
