@testable import API
@testable import RequestPipeline
@testable import AccessControl
import HTTPServing
import Model
@testable import OpenAPI
import Platform
import TestSupport
import Testing

/// One call of each route, as its own examples say.
struct RouteCase: Sendable, CustomTestStringConvertible {
    var route: Route<Contract>
    var method: String { route.method }
    var target: String { route.exampleTarget }
    var role: Role? { if case .role(let role) = route.access.access { role } else { nil } }
    var isForUsers: Bool { route.access.access == .user }
    var body: String? { route.exampleBody?.jsonText }
    var testDescription: String { "\(method) \(route.pattern)" }

    static let all: [RouteCase] = ((try? Subject(.direct))?.api.pipeline.table.routes ?? []).map(RouteCase.init)
}

@Suite(.timeLimit(.minutes(1))) struct AccessTests {
    @Test(arguments: RouteCase.all, Way.allCases)
    func `a route answers those whose role is high enough as it promises, and nobody else`(call: RouteCase, way: Way) async throws {
        for role in [nil] + Role.allCases.map(Optional.some) {
            // A stream has no end to wait for; StreamTests read them.
            let isStream = call.route.access.answers.contains { $0.mediaType == "text/event-stream" }
            if isStream, way == .live, let role, let wanted = call.role, role >= wanted { continue }
            try await Subject.with(way) { subject in
                if let role { try await subject.addSession(of: role) }
                let answer = try await subject.call(call.method, call.target, as: role, body: call.body)
                if call.isForUsers || call.role.map({ wanted in role.map { $0 < wanted } ?? true }) ?? false {
                    #expect(answer.status == (role == nil ? 401 : 403))
                    #expect(answer.error == (role == nil ? "key_missing" : call.isForUsers ? "user_token_needed" : "role_too_low"))
                    #expect(Schema.problem.problems(with: answer.json) == [])
                    if role == nil { #expect(answer.headers["www-authenticate"]?.hasPrefix("Bearer ") == true) }
                    return
                }
                let promised = try #require(
                    call.route.access.answers.first { $0.status == answer.status }, "\(answer.status) \(answer.text)")
                #expect((200..<300).contains(answer.status), "\(answer.text)")
                if !promised.mediaType.isEmpty { #expect(answer.headers["content-type"]?.hasPrefix(promised.mediaType) == true) }
                if let schema = promised.schema { #expect(schema.problems(with: answer.json) == [], "\(answer.text)") }
            }
        }
    }

    @Test(arguments: RouteCase.all)
    func `a key that is expired, revoked or wrong opens nothing, whatever its role was`(call: RouteCase) async throws {
        try await Subject.with(.direct) { subject in
            func key(_ id: String, expiresAt: Timestamp? = nil) -> String {
                let secret = id + String(repeating: "s", count: 40)
                subject.api.pipeline.access.callers.keys.add(
                    APIKey(
                        id: id, name: id, role: .admin, digest: Digest.sha256(secret), createdAt: SystemClock.now(), expiresAt: expiresAt))
                return secret
            }
            let expired = key("expired", expiresAt: SystemClock.now() + -1)
            let revoked = key("revoked")
            #expect(try await subject.call("GET", "/api/auth/me", headers: [("X-API-Key", revoked)]).status == 200)
            subject.api.pipeline.access.callers.keys.remove("revoked")
            for offered in [expired, revoked, String(repeating: "w", count: 43)] where call.role != nil || call.isForUsers {
                let answer = try await subject.call(call.method, call.target, headers: [("X-API-Key", offered)], body: call.body)
                #expect(answer.status == 401 && answer.error == "key_unknown", "\(answer.text)")
            }
        }
    }

    /// Its head is kept; what its key may do is not.
    @Test func `a connection that asks the same again gets what its key may have by then`() async throws {
        try await Subject.with(.live) { subject in
            let secret = "changing" + String(repeating: "s", count: 40)
            func give(_ role: Role, expiresAt: Timestamp? = nil) {
                let digest = Digest.sha256(secret)
                subject.api.pipeline.access.callers.keys.add(
                    APIKey(id: "changing", name: "c", role: role, digest: digest, createdAt: SystemClock.now(), expiresAt: expiresAt))
            }
            let raw = try Raw(port: try #require(subject.port))
            func status() async throws -> Substring {
                try await Blocking.run {
                    raw.send("HEAD /api/users HTTP/1.1\r\nHost: x\r\nX-API-Key: \(secret)\r\n\r\n")
                    return String(decoding: raw.receive() ?? [], as: UTF8.self).dropFirst(9).prefix(3)
                }
            }
            #expect(try await status() == "401")
            give(.admin)
            #expect(try await status() == "200")
            give(.viewer)
            #expect(try await status() == "403")
            give(.admin)
            #expect(try await status() == "200")
            give(.admin, expiresAt: SystemClock.now() + -1)
            #expect(try await status() == "401")
            give(.admin)
            #expect(try await status() == "200")
            subject.api.pipeline.access.callers.keys.remove("changing")
            #expect(try await status() == "401")
        }
    }

    @Test(arguments: Way.allCases)
    func `a key that nobody has is refused, in either header`(way: Way) async throws {
        try await Subject.with(way) { subject in
            let right = try #require(Subject.keys[.viewer])
            let wrong = String(right.dropLast()) + "x"
            for (headers, status) in [
                ([("X-API-Key", right)], 200), ([("Authorization", "Bearer \(right)")], 200), ([("authorization", "bearer \(right)")], 200),
                ([("X-API-Key", wrong)], 401), ([("Authorization", "Bearer \(wrong)")], 401), ([("Authorization", "Basic \(right)")], 401),
                ([("X-API-Key", "short")], 401), ([("X-API-Key", right + right + right + right + right + right + right)], 401),
                ([("X-API-Key", wrong), ("Authorization", "Bearer \(right)")], 401),
            ] as [([(String, String)], Int)] {
                let answer = try await subject.call("GET", "/api/exits", headers: headers.map { (name: $0.0, value: $0.1) })
                #expect(answer.status == status, "\(headers)")
                if status == 401 { #expect(answer.error == "key_unknown") }
            }
        }
    }

    /// A C string ends at its first NUL.
    @Test(arguments: ["X-API-Key: ", "x-api-key:", "Authorization: Bearer ", "Authorization: bearer "])
    func `a key with anything behind a NUL, a blank or a control character is not that key`(header: String) async throws {
        try await Subject.with(.live) { subject in
            let key = try #require(Subject.keys[.admin])
            for (value, statuses) in [
                (key, ["200"]), (key + "\0junk", ["400"]), (key + "\0", ["400"]), (key + "\0\0junk", ["400"]),
                ("\0" + key, ["400", "401"]),
                (key.prefix(20) + "\0" + key.dropFirst(20), ["400"]), (key + " junk", ["401"]), (key + "\tjunk", ["401"]),
                (key + "\u{1}", ["400", "401"]), (key + "\u{7F}", ["400", "401"]), (key + "\u{A0}", ["401"]), (key + ",", ["401"]),
                (key.prefix(20) + " " + key.dropFirst(20), ["401"]), (key + "\rjunk", ["400"]),
            ] as [(String, [String])] {
                for more in ["", "Accept: */*\r\n"] {
                    let raw = try Raw(port: try #require(subject.port))
                    raw.send("GET /api/users HTTP/1.1\r\nHost: x\r\n\(header)\(value)\r\n\(more)Connection: close\r\n\r\n")
                    let answer = try #require(try await raw.receiveAll())
                    #expect(statuses.contains(String(answer.dropFirst(9).prefix(3))), "\(value.debugDescription): \(answer.prefix(200))")
                }
                let last = try Raw(port: try #require(subject.port))
                last.send("GET /api/users HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\(header)\(value)\r\n\r\n")
                let answer = try #require(try await last.receiveAll())
                #expect(statuses.contains(String(answer.dropFirst(9).prefix(3))), "\(value.debugDescription): \(answer.prefix(200))")
            }
        }
    }

    @Test func `a table of keys that was asked for before a change does not undo it`() {
        func key(_ id: String) -> APIKey {
            APIKey(id: id, name: id, role: .viewer, digest: Digest.sha256(id), createdAt: SystemClock.now())
        }
        let keys = KeyRing([])
        keys.add(key("old"))
        let edition = keys.edition
        keys.add(key("new"))
        keys.replaceStored([key("old")], edition: edition)
        #expect(keys.all.map(\.id) == ["old", "new"])
        let later = keys.edition
        keys.remove("old")
        keys.replaceStored([key("old"), key("new")], edition: later)
        #expect(keys.all.map(\.id) == ["new"])
        keys.replaceStored([key("other")], edition: keys.edition)
        #expect(keys.all.map(\.id) == ["other"])
    }

    @Test func `a key is kept as its digest alone`() throws {
        let key = try #require(Subject.keys[.admin])
        let subject = try Subject(.direct)
        var dumped = ""
        dump(subject.api, to: &dumped)
        #expect(!dumped.contains(key))
    }
}
