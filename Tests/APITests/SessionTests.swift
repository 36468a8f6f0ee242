@testable import API
@testable import AccessControl
import AuditLog
@testable import EventStreams
import HTTPServing
import Model
import Platform
@testable import RequestPipeline
import Testing

/// Browsers that sign in with a key or a code, and what their cookie is good for.
@Suite(.timeLimit(.minutes(1))) struct SessionTests {
    private static let own = (name: "X-Sallyport-Request", value: "dashboard")

    /// Signs in with a role's key.
    /// - Returns: the cookie as a browser sends it.
    private func signIn(_ subject: Subject, as role: Role, headers: [(name: String, value: String)] = []) async throws -> String {
        let key = try #require(Subject.keys[role])
        let answer = try await subject.call("POST", "/api/auth/session", headers: headers, body: "{\"key\":\"\(key)\"}")
        #expect(answer.status == 201, "\(answer.text)")
        return try #require(answer.headers["set-cookie"]?.split(separator: ";").first.map(String.init))
    }

    @Test(arguments: Way.allCases) func `a key makes a cookie that has its role, until the browser signs out`(way: Way) async throws {
        try await Subject.with(way) { subject in
            for role in Role.allCases {
                let cookie = try await signIn(subject, as: role)
                let who = try await subject.call("GET", "/api/auth/session", headers: [("Cookie", "other=1; \(cookie)")])
                #expect(who.status == 200 && who.text.contains("\"role\":\"\(role.rawValue)\"") && who["idle_seconds"] == .integer(43_200))
                let admin = try await subject.call("GET", "/api/auth/keys", headers: [("Cookie", cookie)])
                #expect(admin.status == (role == .admin ? 200 : 403))
                let me = try await subject.call("GET", "/api/auth/me", headers: [("Cookie", cookie)])
                #expect(me["name"] == .string(role.rawValue))
                let out = try await subject.call("DELETE", "/api/auth/session", headers: [("Cookie", cookie), Self.own])
                #expect(out.status == 204 && out.headers["set-cookie"]?.contains("Max-Age=0") == true)
                let gone = try await subject.call("GET", "/api/exits", headers: [("Cookie", cookie)])
                #expect(gone.status == 401 && gone.error == "session_ended")
            }
        }
    }

    @Test func `the cookie is hidden from scripts and other sites, and sent by TLS alone where a trusted proxy speaks it`() async throws {
        var settings = RequestSettings()
        for (proxies, proto, isSecure) in [([], "https", false), (["127.0.0.1"], "https", true), (["127.0.0.1"], "http", false)] {
            settings.trustedProxies = proxies.compactMap(IPNetwork.init)
            try await Subject.with(.direct, settings: settings) { subject in
                let key = try #require(Subject.keys[.viewer])
                let headers = [(name: "X-Forwarded-Proto", value: proto), (name: "X-Forwarded-For", value: "192.0.2.7")]
                let answer = try await subject.call("POST", "/api/auth/session", headers: headers, body: "{\"key\":\"\(key)\"}")
                let cookie = try #require(answer.headers["set-cookie"])
                #expect(cookie.contains("; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict"))
                #expect(cookie.contains("; Secure") == isSecure)
                #expect(!answer.text.contains(cookie.dropFirst("sallyport_session=".count).prefix(64)))
            }
        }
    }

    /// Header fields beside the cookie, whether the request changes something, and what it is answered.
    @Test(arguments: [
        ([], false, 200), ([], true, 403), (["X-Sallyport-Request: dashboard"], true, 204), (["X-Sallyport-Request: other"], true, 403),
        (["X-Sallyport-Request: dashboard", "Origin: http://ops.example"], true, 204),
        (["X-Sallyport-Request: dashboard", "Origin: https://ops.example:443"], true, 204),
        (["X-Sallyport-Request: dashboard", "Origin: https://OPS.example"], true, 204),
        (["X-Sallyport-Request: dashboard", "Origin: https://ops.example:8443"], true, 403),
        (["X-Sallyport-Request: dashboard", "Origin: https://evil.example"], true, 403),
        (["X-Sallyport-Request: dashboard", "Origin: https://ops.example.evil.example"], true, 403),
        (["X-Sallyport-Request: dashboard", "Origin: null"], true, 403), (["Origin: https://evil.example"], false, 403),
        (["X-Sallyport-Request: dashboard", "X-Forwarded-Host: evil.example", "Origin: https://evil.example"], true, 403),
        (["Sec-Fetch-Site: cross-site"], false, 403), (["Sec-Fetch-Site: same-origin"], false, 200),
        (["X-Sallyport-Request: dashboard", "Sec-Fetch-Site: cross-site"], true, 403),
    ])
    func `another site's page can't use the cookie`(fields: [String], changes: Bool, status: Int) async throws {
        try await Subject.with(.direct) { subject in
            let cookie = try await subject.addSession(of: .admin)
            let headers =
                ([("Cookie", cookie), ("Host", "ops.example")] as [(name: String, value: String)])
                + fields.map { field in
                    let parts = field.split(separator: ":", maxSplits: 1)
                    return (name: String(parts[0]), value: String(parts[1].dropFirst()))
                }
            let answer = try await subject.call(
                changes ? "DELETE" : "GET", changes ? "/api/auth/sessions/s3f9ab27c1d2e" : "/api/exits", headers: headers)
            #expect(answer.status == status, "\(answer.text)")
            if status == 403 { #expect(answer.error == "csrf") }
        }
    }

    @Test func `the host that a trusted proxy names is the one that a page must be of`() async throws {
        var settings = RequestSettings()
        settings.trustedProxies = [IPNetwork("127.0.0.1")].compactMap(\.self)
        try await Subject.with(.direct, settings: settings) { subject in
            let cookie = try await subject.addSession(of: .admin)
            for (origin, status) in [("https://ops.example", 204), ("https://inner:8080", 403)] {
                try await subject.addSession(of: .admin, id: "s2")
                let answer = try await subject.call(
                    "DELETE", "/api/auth/sessions/s2",
                    headers: [
                        ("Cookie", cookie), Self.own, ("Host", "inner:8080"), ("X-Forwarded-Host", "ops.example"),
                        ("X-Forwarded-For", "192.0.2.7"), ("Origin", origin),
                    ])
                #expect(answer.status == status, "\(origin) \(answer.text)")
            }
        }
    }

    @Test func `a sign-in that another site's page sends is refused`() async throws {
        try await Subject.with(.direct) { subject in
            let body = "{\"key\":\"\(try #require(Subject.keys[.viewer]))\"}"
            for headers in [[("Origin", "https://evil.example"), ("Host", "ops.example")], [("Sec-Fetch-Site", "cross-site")]] {
                let answer = try await subject.call(
                    "POST", "/api/auth/session", headers: headers.map { (name: $0.0, value: $0.1) }, body: body)
                #expect(answer.status == 403 && answer.error == "csrf" && answer.headers["set-cookie"] == nil)
            }
        }
    }

    @Test func `a key that is revoked, expired, made anew or given another role takes its sessions along`() async throws {
        try await Subject.with(.direct) { subject in
            let keys = subject.api.callers.keys
            let secret = String(repeating: "s", count: 40)
            func give(_ role: Role, secret: String = secret, expiresAt: Timestamp? = nil) {
                keys.add(
                    APIKey(
                        id: "k1", name: "k", role: role, digest: Digest.sha256(secret), createdAt: SystemClock.now(), expiresAt: expiresAt))
            }
            give(.admin)
            let answer = try await subject.call("POST", "/api/auth/session", headers: [], body: "{\"key\":\"\(secret)\"}")
            let cookie = try #require(answer.headers["set-cookie"]?.split(separator: ";").first.map(String.init))
            func status() async throws -> Int { try await subject.call("GET", "/api/auth/keys", headers: [("Cookie", cookie)]).status }
            #expect(try await status() == 200)
            give(.viewer)
            #expect(try await status() == 403)
            give(.admin, expiresAt: SystemClock.now() + -1)
            #expect(try await status() == 401)
            give(.admin, secret: String(repeating: "t", count: 40))
            #expect(try await status() == 401)
            give(.admin)
            #expect(try await status() == 200)
            keys.remove("k1")
            #expect(try await status() == 401)
        }
    }

    @Test func `a session ends without use, and in any case after some time`() throws {
        let keys = KeyRing([APIKey(name: "a", role: .admin, digest: Digest.sha256("a"))])
        let limits = Session.Limits(seconds: 1000, idleSeconds: 100)
        let table = SessionTable(keys: keys, store: nil) { limits }
        let key = try #require(keys.present("config.a"))
        let begin = Timestamp(milliseconds: 1_000_000)
        table.insert(Session(digest: "d", key: key, createdAt: begin, address: "", userAgent: nil))
        for seconds in stride(from: 90.0, to: 1000, by: 90) { #expect(table.found("d", now: begin + seconds) != nil) }
        #expect(table.found("d", now: begin + 1001) == nil)
        table.insert(Session(digest: "e", key: key, createdAt: begin, address: "", userAgent: nil))
        #expect(table.found("e", now: begin + 101) == nil)
    }

    @Test func `wrong keys and codes of a sign-in count as wrong keys do, and what was tried is in no record`() async throws {
        var settings = RequestSettings()
        (settings.failedKeys, settings.strictRequests) = (3, 1000)
        try await Subject.with(.direct, settings: settings) { subject in
            let wrong = String(repeating: "w", count: 40)
            for (body, code) in [
                ("{\"key\":\"\(wrong)\"}", "key_unknown"), ("{\"code\":\"\(wrong)\"}", "code_unknown"), ("{\"key\":\"x\"}", "key_unknown"),
            ] {
                let answer = try await subject.call("POST", "/api/auth/session", headers: [], body: body)
                #expect(answer.status == 401 && answer.error == code, "\(answer.text)")
            }
            let right = "{\"key\":\"\(try #require(Subject.keys[.admin]))\"}"
            let answer = try await subject.call("POST", "/api/auth/session", headers: [], body: right)
            #expect(answer.status == 429 && answer.error == "too_many_tries" && answer.headers["retry-after"] != nil)
            let entries = try await subject.api.audit.page(AuditQuery(), before: nil, limit: 10).entries.map(\.entry)
            #expect(entries.map(\.kind) == Array(repeating: .refused, count: 4) && entries.allSatisfy { $0.address == "127.0.0.1" })
            #expect(!"\(entries)".contains(wrong))
        }
    }

    @Test func `who signs in and out is in the audit log, without key and token`() async throws {
        try await Subject.with(.direct) { subject in
            let cookie = try await signIn(subject, as: .operator)
            _ = try await subject.call("DELETE", "/api/auth/session", headers: [("Cookie", cookie), Self.own])
            let entries = try await subject.api.audit.page(AuditQuery(), before: nil, limit: 10).entries.map(\.entry)
            #expect(entries.map(\.action) == ["DELETE /api/auth/session", "POST /api/auth/session"])
            #expect(entries.allSatisfy { $0.key == "operator" && $0.kind == .change && $0.address == "127.0.0.1" })
            let key = try #require(Subject.keys[.operator])
            #expect(!"\(entries)".contains(key) && !"\(entries)".contains(cookie.suffix(64)))
        }
    }

    @Test(arguments: ["{}", "{\"key\":\"a\",\"code\":\"b\"}", "{\"key\":1}", "{\"other\":\"a\"}", "[]"])
    func `a sign-in needs either a key or a code`(body: String) async throws {
        try await Subject.with(.direct) { subject in
            let answer = try await subject.call("POST", "/api/auth/session", headers: [], body: body)
            #expect(answer.status == 422, "\(answer.text)")
        }
    }

    @Test func `a code signs in once, for the key that has asked for it, and a session can't ask for one`() async throws {
        try await Subject.with(.direct) { subject in
            let made = try await subject.call("POST", "/api/auth/codes", as: .operator)
            guard case .string(let code)? = made["code"] else { return #expect(made.status == 201, "\(made.text)") }
            let answer = try await subject.call("POST", "/api/auth/session", headers: [], body: "{\"code\":\"\(code)\"}")
            #expect(answer.status == 201 && answer.text.contains("\"role\":\"operator\""))
            let cookie = try #require(answer.headers["set-cookie"]?.split(separator: ";").first.map(String.init))
            let again = try await subject.call("POST", "/api/auth/session", headers: [], body: "{\"code\":\"\(code)\"}")
            #expect(again.status == 401 && again.error == "code_unknown")
            let more = try await subject.call("POST", "/api/auth/codes", headers: [("Cookie", cookie), Self.own])
            #expect(more.status == 403 && more.error == "key_needed")
        }
    }

    @Test func `a code that is too old, altered or of another root key signs nobody in`() async throws {
        let codes = SignInCodes(nil, memory: nil)
        let key = APIKey(name: "a-b", role: .viewer, digest: Digest.sha256("a"))
        let (code, end) = codes.make(for: key)
        #expect(try await codes.take(code, now: end) == nil)
        #expect(try await SignInCodes(nil, memory: nil).take(code) == nil)
        for (index, character) in code.enumerated() where character != "-" {
            var altered = Array(code)
            altered[index] = character == "1" ? "2" : "1"
            #expect(try await codes.take(String(altered)) == nil, "\(index)")
        }
        #expect(try await codes.take(code)?.keyID == "config.a-b")
        #expect(try await codes.take(code) == nil)
    }

    @Test func `everybody sees and ends the sessions of the own key, an admin all`() async throws {
        try await Subject.with(.direct) { subject in
            let viewer = try await subject.addSession(of: .viewer, id: "s1")
            try await subject.addSession(of: .operator, id: "s2")
            let seen = try await subject.call("GET", "/api/auth/sessions", headers: [("Cookie", viewer)])
            #expect(seen.text.contains("\"id\":\"s1\"") && !seen.text.contains("\"id\":\"s2\"") && seen.text.contains("\"current\":true"))
            #expect(try await subject.call("DELETE", "/api/auth/sessions/s2", as: .viewer).status == 404)
            let all = try await subject.call("GET", "/api/auth/sessions", as: .admin)
            #expect(all.text.contains("\"id\":\"s1\"") && all.text.contains("\"id\":\"s2\""))
            #expect(try await subject.call("DELETE", "/api/auth/sessions/s1", as: .admin).status == 204)
            #expect(try await subject.call("GET", "/api/exits", headers: [("Cookie", viewer)]).status == 401)
        }
    }

    @Test func `a key in a header counts, whatever cookie comes along`() async throws {
        try await Subject.with(.direct) { subject in
            let cookie = try await subject.addSession(of: .admin)
            let viewer = try #require(Subject.keys[.viewer])
            for (key, status) in [(viewer, 403), (String(repeating: "w", count: 40), 401)] {
                let answer = try await subject.call("GET", "/api/auth/keys", headers: [("Cookie", cookie), ("X-API-Key", key)])
                #expect(answer.status == status)
            }
        }
    }

    @Test(arguments: ["", "sallyport_session=", "sallyport_session=short", "x=1", "sallyport_session=\(String(repeating: "A", count: 64))"])
    func `a cookie that no session has is no key`(cookie: String) async throws {
        try await Subject.with(.direct) { subject in
            let answer = try await subject.call("GET", "/api/exits", headers: [("Cookie", cookie)])
            #expect(answer.status == 401 && answer.error == "key_missing")
        }
    }

    @Test func `a stream ends with its session`() async throws {
        let subject = try Subject(.direct)
        try await subject.addSession(of: .viewer, id: "s1")
        let key = try #require(subject.api.callers.keys.present("config.viewer"))
        let (ends, stays) = (BodyStream(), BodyStream())
        subject.api.streams.open.add(ends, key, session: "s1", .viewer)
        subject.api.streams.open.add(stays, key, .viewer)
        subject.api.streams.open.check(subject.api.callers)
        #expect(ends.send([1]) && stays.send([1]))
        try await subject.api.callers.sessions.remove(["s1"])
        subject.api.streams.open.check(subject.api.callers)
        #expect(!ends.send([1]) && stays.send([1]))
    }

    @Test func `one session too many of a key ends the one that was used longest ago`() async throws {
        let subject = try Subject(.direct)
        let table = subject.api.callers.sessions
        let key = try #require(subject.api.callers.keys.present("config.viewer"))
        let now = SystemClock.now()
        for number in 0...SessionTable.mostPerKey {
            try await table.add(
                Session(
                    id: "s\(number)", digest: "d\(number)", key: key, createdAt: now + Double(number - 100), address: "", userAgent: nil))
        }
        let ids = Set(table.open().map(\.session.id))
        #expect(ids.count == SessionTable.mostPerKey && !ids.contains("s0") && ids.contains("s1"))
    }
}
