@testable import API
@testable import RequestPipeline
import HTTPServing
import Model
@testable import OpenAPI
import Platform
import Testing

/// What the document tells must fit together, and old names stay for a release.
@Suite(.timeLimit(.minutes(1))) struct DocumentTests {
    @Test(arguments: ["/pages", "/api", "/API/exits", "/api/exits/us-1/more", "/nothing"], Way.allCases)
    func `who has lost the way is told where the way is described`(path: String, way: Way) async throws {
        try await Subject.with(way) { subject in
            let answer = try await subject.call("GET", path, as: nil)
            #expect(answer.status == 404 && answer.text.contains("/docs") && answer.headers["link"]?.contains("</docs>") == true)
            for headers in [[], [(name: "X-API-Key", value: String(repeating: "w", count: 43))]] {
                let refused = try await subject.call("GET", "/api/exits", headers: headers)
                #expect(refused.status == 401 && refused.text.contains("/docs") && refused.headers["link"]?.contains("</docs>") == true)
            }
        }
    }

    // MARK: - Old names

    /// Calls the body with every object in a value that a schema describes, and its fields.
    private static func visit(_ value: Document, _ schema: Schema, _ body: ([String: Document], [Schema.Field]) -> Void) {
        switch (schema.resolved.kind, value) {
        case (.nullable(let schema), _): visit(value, schema, body)
        case (.list(let schema, _), .array(let items)): for item in items { visit(item, schema, body) }
        case (.map(let schema), .object(let fields)): for item in fields.values { visit(item, schema, body) }
        case (.object(let described), .object(let fields)):
            body(fields, described)
            for field in described { if let item = fields[field.name] { visit(item, field.schema, body) } }
        default: break
        }
    }

    @Test(arguments: RouteCase.all) func `what is told under an old name is told under the new one`(call: RouteCase) async throws {
        guard !call.route.access.answers.contains(where: { $0.mediaType == "text/event-stream" }) else { return }
        try await Subject.with(.direct) { subject in
            let answer = try await subject.call(call.method, call.target, body: call.body)
            guard let schema = call.route.access.answers.first(where: { $0.status == answer.status })?.schema else { return }
            Self.visit(answer.json, schema) { fields, described in
                for field in described {
                    if let newName = field.newName { #expect(fields[field.name] == fields[newName], "\(field.name)") }
                }
            }
        }
    }

    @Test func `an old name is marked as one`() throws {
        let text = String(decoding: try Subject(.direct).api.pipeline.table.document.response.body, as: UTF8.self)
        #expect(text.components(of: "\"deprecated\":true") >= 12)
        for (schema, old, new) in [
            (Schema.server, "identifier", "hostname"), (.server, "latency", "latency_ms"), (.server, "country", "country_name"),
            (.pool, "name", "country_name"), (.health, "handshake_age_s", "handshake_age_seconds"), (.exitUsage, "id", "exit"),
        ] {
            guard case .object(let fields) = schema.resolved.kind else { return #expect(Bool(false)) }
            #expect(fields.first { $0.name == old }?.newName == new && fields.contains { $0.name == new && $0.newName == nil })
        }
    }

    // MARK: - Examples

    /// Every answer's example, with what it is of.
    private static let examples: [(String, Document, Schema)] = RouteCase.all.flatMap { call in
        call.route.access.answers.compactMap { answer in
            guard let schema = answer.schema, let example = answer.example else { return nil }
            return ("\(call.testDescription) \(answer.status)", example, schema)
        }
    }

    private static func contradiction(_ fields: [String: Document]) -> String? {
        func text(_ name: String) -> String? { if case .string(let text)? = fields[name] { text } else { nil } }
        func number(_ name: String) -> Double? { if case .integer(let number)? = fields[name] { Double(number) } else { nil } }
        func count(_ name: String) -> Int? { if case .array(let items)? = fields[name] { items.count } else { nil } }
        let isWell = ["healthy", "ready", "ok", "serving"]
        if [text("verdict"), text("status"), text("state")].contains(where: { $0.map(isWell.contains) ?? false }) {
            if fields["reason"] != nil || fields["problem"] != nil || fields["detail"] != nil { return "well, with a reason" }
            if case .object(let problems)? = fields["problems"], !problems.isEmpty { return "ready, with problems" }
        }
        if let state = text("state"), ["pending", "starting", "verifying"].contains(state) {
            if case .object(let health)? = fields["health"], health["verdict"] == .string("healthy") {
                return "healthy before it is verified"
            }
            if fields["exit_ip"] != nil { return "an address before it is verified" }
        }
        if let compared = text("compared_at"), let checked = text("checked_at"), compared >= checked { return "compared after its check" }
        if fields["exit"] != nil, case .object(let total)? = fields["total"], total["countries"] != nil { return "an exit with countries" }
        if text("status") == "not_ready", fields["problems"] == .object([:]) { return "not ready, without a problem" }
        if text("state") == "closed", fields["open_until"] != nil || fields["reason"] != nil { return "closed, and open" }
        if text("role") == "leader", fields["leader"] != nil { return "two leaders" }
        if case .bool(let isDelivered)? = fields["delivered"], isDelivered == (fields["error"] != nil) { return "delivered, with an error" }
        if case .bool(let isIntact)? = fields["intact"], isIntact != (count("problems") == 0) { return "intact, with problems" }
        if fields["enabled"] == .bool(true), fields["disabled_at"] != nil { return "enabled and disabled" }
        if number("failures") == 0, fields["last_error"] != nil || fields["failing_since"] != nil { return "failing without a failure" }
        if fields["stale"] == .bool(false), fields["problem"] != nil { return "fresh, with a problem" }
        if fields["disabled"] == .bool(false), fields["blocked"] != nil { return "allowed and blocked" }
        if fields["leaks_counted"] == .bool(false), fields["leaked_packets"] != nil { return "counted and not" }
        if let made = text("created_at"), let end = text("expires_at"), made >= end { return "ends before it begins" }
        if let size = number("size"), let exits = count("exits"), Double(exits) != size { return "\(exits) exits of \(size)" }
        if let id = text("id"), id.hasPrefix("credential:"), text("severity") == "info" { return "an alert that is none" }
        return nil
    }

    @Test func `no example contradicts itself`() {
        #expect(Self.examples.count > 40)
        for (name, example, schema) in Self.examples {
            #expect(schema.problems(with: example) == [], "\(name)")
            Self.visit(example, schema) { fields, _ in
                let wrong = Self.contradiction(fields)
                #expect(wrong == nil, "\(name): \(wrong ?? "") in \(fields)")
            }
        }
    }

    /// What an answer's example tells of the request's own fields is what the request says. A country is written in two ways, and the
    /// `seconds` of a speed test are a limit in the request and a measurement in the answer. A sign-in's `key` is the key itself in the
    /// request, its name and role in the answer.
    @Test func `an answer's example fits the body's example`() {
        for call in RouteCase.all where call.method != "DELETE" {
            guard case .object(let body)? = call.route.exampleBody, case .object(let answer)? = call.route.access.answers.first?.example
            else {
                continue
            }
            for (name, value) in body where answer[name] != nil && !["country", "seconds", "key"].contains(name) {
                #expect(answer[name] == value, "\(call.testDescription): \(name)")
            }
        }
    }

    @Test func `every time of an example is after the one of its event's id`() {
        let text = Self.examples.map(\.1.jsonText).joined()
        #expect(text.contains("1795222923456-0") && Timestamp(rfc3339: "2026-11-21T01:02:03.456Z")?.milliseconds == 1_795_222_923_456)
        #expect(!text.contains("1763686923"))
    }

    @Test func `a status says what the answer is`() {
        for call in RouteCase.all {
            for answer in call.route.access.answers {
                let words = answer.about.split(separator: " ")
                #expect(words.count > 1, "\(call.testDescription): \(answer.about)")
                #expect(words.first != "it" && words.first != "they", "\(call.testDescription): \(answer.about)")
            }
        }
    }

    // MARK: - Filters

    @Test(arguments: [
        ("method=POST", 2), ("method=DELETE", 1), ("path=/api/exits", 1), ("path=/api/exits*", 2), ("path=*", 3), ("path=/api/exit", 0),
        ("method=POST&path=/api/users", 1), ("method=PUT", 0),
    ])
    func `the audit log is narrowed by method and path`(query: String, count: Int) async throws {
        try await Subject.with(.direct) { subject in
            _ = try await subject.call("POST", "/api/exits", body: #"{"country":"us"}"#)
            _ = try await subject.call("POST", "/api/users", body: #"{"name":"bob"}"#)
            _ = try await subject.call("DELETE", "/api/exits/us-1")
            let answer = try await subject.call("GET", "/audit/logs?kind=change&\(query)")
            guard case .array(let entries)? = answer["entries"] else { return #expect(Bool(false), "\(answer.text)") }
            #expect(entries.count == count, "\(answer.text)")
            #expect(try await subject.call("GET", "/audit/logs?method=FETCH").fields == ["method"])
        }
    }

    @Test func `warn and warning are one level`() async throws {
        let tail = LogTail()
        var parts = API.Parts()
        parts.logTail = tail
        let log = Log(descriptor: 1_000_000, tail: tail)
        try await Subject.with(.direct, parts: parts) { subject in
            log.info("a line")
            log.warning("another")
            for level in ["warn", "warning"] {
                let text = try await subject.call("GET", "/api/logs?level=\(level)").text
                #expect(text.contains("another") && !text.contains("a line"))
            }
        }
    }

    @Test func `the configuration in force is told with where it comes from, changes through the API too`() async throws {
        var parts = API.Parts()
        parts.configuration = {
            [
                SettingView(name: "api.limits.requests", value: "6000", from: "sallyport.yaml"),
                SettingView(name: "api.port", value: "8080", from: "default"),
            ]
        }
        try await Subject.with(.direct, parts: parts) { subject in
            _ = try await subject.call("PATCH", "/api/settings", body: #"{"requests":100000}"#)
            let text = try await subject.call("GET", "/admin/config").text
            #expect(text.contains(#"{"from":"changed through the API","name":"api.limits.requests","value":"100000"}"#), "\(text)")
            #expect(
                text.contains(#"{"from":"default","name":"api.port","value":"8080"}"#) && text.contains(#""api.limits.requests: 100000""#))
        }
    }
}

extension String {
    /// How often a text is in it.
    fileprivate func components(of text: String) -> Int { ranges(of: text).count }
}
