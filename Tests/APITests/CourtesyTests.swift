@testable import API
import HTTPServing
import Model
@testable import OpenAPI
import Platform
@testable import RequestPipeline
import Testing

/// Requests that clients of the field send, which mean what they always meant.
@Suite(.timeLimit(.minutes(1))) struct CourtesyTests {
    private static let accepted = [
        "*", "*;q=0.5", "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "application/openmetrics-text;version=1.0.0;charset=utf-8",
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited", "text/html", "image/png", "text/*",
        "application/xml", "", " ", ",", ";;;", "json", "application/json;q=nonsense", "text/plain;version=0.0.4", "TEXT/HTML",
    ]

    @Test(arguments: Way.allCases) func `whatever is accepted, the answer is what the route has`(way: Way) async throws {
        try await Subject.with(way) { subject in
            let key = try #require(Subject.keys[.admin])
            for path in ["/health", "/health/live", "/health/ready", "/metrics", "/api/exits", "/api/exits/us-1/logs", "/openapi.json"] {
                let plain = try await subject.call("GET", path)
                for accept in Self.accepted {
                    let answer = try await subject.call("GET", path, headers: [("X-API-Key", key), ("Accept", accept)])
                    #expect(answer.status == 200, "\(path) \(accept) \(answer.text)")
                    #expect(answer.headers["content-type"] == plain.headers["content-type"])
                }
            }
        }
    }

    @Test(arguments: Way.allCases) func `a refusal of the only kind there is is 406, but never where supervisors ask`(way: Way) async throws
    {
        try await Subject.with(way) { subject in
            let key = try #require(Subject.keys[.admin])
            for accept in ["application/json;q=0", "*/*;q=0", "text/html, */*; q=0.0", "*;q=0"] {
                let answer = try await subject.call("GET", "/api/exits", headers: [("X-API-Key", key), ("Accept", accept)])
                #expect(answer.status == 406 && answer.error == "not_acceptable", "\(answer.text)")
                for path in ["/health", "/health/live", "/health/ready"] {
                    #expect(try await subject.call("GET", path, headers: [("Accept", accept)]).status == 200)
                    #expect(try await subject.call("HEAD", path, headers: [("Accept", accept)]).status == 200)
                }
            }
        }
    }

    private static func post(_ body: String, as type: String, _ call: RouteCase, _ subject: Subject) async throws -> Answer {
        try await subject.addSession(of: .admin)
        let headers = [(name: "X-API-Key", value: Subject.key(for: call)), ("Content-Type", type)]
        return try await subject.call(call.method, call.target, headers: headers, body: body)
    }

    @Test(arguments: RouteCase.all.filter { $0.route.access.body == nil })
    func `a body that says nothing is none, whatever it is called, where none is taken`(call: RouteCase) async throws {
        let bodies = [
            ("{}", "application/json"), (" ", "application/json"), ("\r\n", "application/x-www-form-urlencoded"), ("{ \n}", "text/plain"),
            (" {}\n", "application/json"), ("null", "application/json"),
        ]
        for (body, type) in bodies {
            try await Subject.with(.direct) { subject in
                let answer = try await Self.post(body, as: type, call, subject)
                #expect((200..<300).contains(answer.status), "\(body) as \(type): \(answer.text)")
            }
        }
        try await Subject.with(.direct) { subject in
            let answer = try await Self.post(#"{"x":1}"#, as: "application/json", call, subject)
            #expect(answer.status == (call.route.access.limit == .none ? 200 : 415), "\(answer.text)")
        }
    }

    @Test(arguments: RouteCase.all.filter { $0.route.access.body?.isOptional == true })
    func `a body that may be left out may be blank`(call: RouteCase) async throws {
        for (body, type) in [(" \n", "application/json"), ("{}", "text/plain"), ("\r\n", "application/x-www-form-urlencoded")] {
            try await Subject.with(.direct) { subject in
                let answer = try await Self.post(body, as: type, call, subject)
                #expect((200..<300).contains(answer.status), "\(body) as \(type): \(answer.text)")
            }
        }
    }

    /// As a string of structured fields (RFC 9651, section 4.2.5), which the draft of Idempotency-Key asks for.
    @Test(arguments: Way.allCases) func `a key in quotes is the key`(way: Way) async throws {
        try await Subject.with(way) { subject in
            let admin = try #require(Subject.keys[.admin])
            func post(_ name: String) async throws -> Answer {
                try await subject.call(
                    "POST", "/api/exits", headers: [("X-API-Key", admin), ("Idempotency-Key", name)], body: #"{"country":"us"}"#)
            }
            let first = try await post(#""8e03978e-40d5-43e8-bc93-6894a57f9324""#)
            #expect(first.status == 202, "\(first.text)")
            for again in ["8e03978e-40d5-43e8-bc93-6894a57f9324", #""8e03978e-40d5-43e8-bc93-6894a57f9324";v=1"#] {
                let answer = try await post(again)
                #expect(answer.headers["idempotent-replayed"] == "true" && answer.json == first.json, "\(again): \(answer.text)")
            }
            for name in [#""a b/c+d=""#, #""a\"b""#, #""a\\b""#, #""\#(String(repeating: "k", count: 128))""#] {
                #expect(try await post(name).status == 202, "\(name)")
            }
            for name in [#""""#, #"""#, #""a"#, #"a""#, #""a"b"#, #""a\b""#, "'a b'", #""\#(String(repeating: "k", count: 129))""#, "a,b"] {
                #expect(try await post(name).fields == ["Idempotency-Key"], "\(name)")
            }
        }
    }

    /// What a reader has not come to is not unknown.
    @Test(arguments: RouteCase.all.filter { $0.route.access.body != nil })
    func `no field that the document names is ever unknown`(call: RouteCase) async throws {
        guard case .object(let fields)? = call.route.access.body?.schema.kind else { return }
        let headers = [(name: "X-API-Key", value: Subject.key(for: call))]
        try await Subject.with(.direct) { subject in
            for field in fields {
                for value in [field.schema.example, .array([.null]), .string(""), .integer(-1), .bool(true)] {
                    let body = Document.object([field.name: value]).jsonText
                    let answer = try await subject.call(call.method, call.target, headers: headers, body: body)
                    #expect(!answer.text.contains("unknown field"), "\(body): \(answer.text)")
                }
            }
            let answer = try await subject.call(call.method, call.target, headers: headers, body: #"{"sizes":1}"#)
            for field in fields { #expect(answer.text.contains(field.name), "\(answer.text)") }
        }
    }
}
