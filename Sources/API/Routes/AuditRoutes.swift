import AccessControl
import AuditLog
import HTTPServing
import Model
import OpenAPI
import Platform

/// `/audit`: who did what.
struct AuditRoutes: RouteGroup {
    let audit: AuditLog
    let callers: Callers

    var routes: [APIRoute] {
        let cursor = Schema.whole(1...9_007_199_254_740_991, 1000)
        return [
            Route(
                "GET", "/audit/logs", .admin, "The audit log, newest first",
                query: [
                    Parameter("limit", .whole(1...1000, 100), "how many"), Parameter("cursor", cursor, "`next` of the page before"),
                    Parameter("kind", .choice(AuditEntry.Kind.self), "only of this kind"),
                    Parameter("key", .plain("admin", length: 1...64), "only of this key, by name or id"),
                    Parameter("address", .plain("127.0.0.1", length: 1...64), "only from this address"),
                    Parameter("action", .plain("POST /api/exits", length: 1...256), "only this action"),
                    Parameter("method", .choice(["POST", "PUT", "PATCH", "DELETE", "GET", "HEAD"]), "only of this method"),
                    Parameter(
                        "path", .plain("/api/exits", length: 1...512), "only of this path; with `*` at its end, of all paths that begin so"),
                    Parameter("status", .whole(100...599, 202), "only with this status"), Parameter("since", .time, "not before this time"),
                    Parameter("until", .time, "not after this time"),
                ], answers: [.json(200, "a page", .auditLogs)], limit: .strict, .waiting(listAudit)),
            Route(
                "GET", "/audit/stats", .admin, "Figures about the audit log", "Over the newest 10,000 entries.",
                answers: [.json(200, "the figures", .auditStats)], limit: .strict, .waiting(showAuditStats)),
            Route(
                "GET", "/audit/verify", .admin, "Checks the chain of the audit log", "Reads every entry.",
                query: [
                    Parameter(
                        "expect",
                        .text(
                            "17:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
                            pattern: "^[1-9][0-9]{0,14}:[0-9a-f]{64}$"), "an entry that was noted, as number:hash")
                ], answers: [.json(200, "what was found", .auditVerification)], limit: .strict, .waiting(verifyAudit)),
            Route(
                "POST", "/audit/acknowledge", .admin, "Acknowledges damage of the audit log",
                "The alert ends; the problems stay in the log, and verify still reports them.",
                answers: [.json(200, "what was found", .auditVerification)], limit: .strict, .waiting(acknowledgeAudit)),
            Route(
                "GET", "/audit/export", .admin, "The audit log as JSON lines, oldest first",
                "Each line is {\"hash\",\"mac\",\"entry\"}; the hash is that of the entry's text.",
                query: [
                    Parameter("after", .whole(0...9_007_199_254_740_991, 0), "entries after this number"),
                    Parameter("limit", .whole(1...10_000, 1000), "how many"),
                ], answers: [.text("the lines", "application/x-ndjson")], limit: .strict, .waiting(exportAudit)),
        ]
    }

    private struct LineView: Encodable {
        let line: AuditLine
        let entry: AuditEntry

        func encode(to encoder: any Encoder) throws {
            try entry.encode(to: encoder)
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(line.hash, forKey: .hash)
        }

        enum Key: String, CodingKey { case hash }
    }

    func listAudit(_ request: ServerRequest) async throws -> ServerResponse {
        let query = try AuditQuery(request)
        let cursor = request.whole("cursor")
        let limit = request.whole("limit") ?? 100
        return try await APIProblem.ifUnavailable {
            let page = try await audit.page(query, before: cursor, limit: limit)
            return .json(
                Fields(["entries": page.entries.map { LineView(line: $0.line, entry: $0.entry) }, "next": page.next.map(String.init)]),
                asIs: true)
        }
    }

    func showAuditStats(_ request: ServerRequest) async throws -> ServerResponse {
        try await APIProblem.ifUnavailable { .json(try await audit.statistics(), asIs: true) }
    }

    func verifyAudit(_ request: ServerRequest) async throws -> ServerResponse {
        var expected: [AuditHead] = []
        if let text = request.query("expect") {
            guard let head = AuditHead(text.replacing(":", with: " ")), head.seq > 0 else {
                throw APIProblem.invalid("expect", "expected number:hash, as verify has shown it")
            }
            expected = [head]
        }
        let heads = expected
        return try await APIProblem.ifUnavailable {
            Self.view(of: try await audit.verify(expecting: heads))
        }
    }

    func acknowledgeAudit(_ request: ServerRequest) async throws -> ServerResponse {
        let key = callers.key(of: request)?.name
        return try await APIProblem.ifUnavailable { Self.view(of: try await audit.acknowledge(by: key)) }
    }

    private static func view(of found: AuditChain.Verifier) -> ServerResponse {
        return .json(
            Fields([
                "intact": found.problems.isEmpty, "entries": found.count, "first": found.first, "head": found.head?.text,
                "problems": found.problems, "acknowledged": found.problems.filter { !found.open.contains($0) },
            ]))
    }

    func exportAudit(_ request: ServerRequest) async throws -> ServerResponse {
        let after = request.whole("after") ?? 0
        let limit = request.whole("limit") ?? 1000
        return try await APIProblem.ifUnavailable {
            let lines = try await audit.store.lines(after: after, limit: limit)
            let text = lines.map { $0.exported + "\n" }.joined()
            return ServerResponse(status: 200, headers: [("Content-Type", "application/x-ndjson")], body: Array(text.utf8))
        }
    }
}

extension AuditQuery {
    fileprivate init(_ request: ServerRequest) throws {
        self.init()
        (since, until) = (try request.time("since"), try request.time("until"))
        (kind, key, address) = (request.query("kind"), request.query("key"), request.query("address"))
        (action, method, path) = (request.query("action"), request.query("method"), request.query("path"))
        status = request.whole("status")
    }
}

extension Schema {
    static let auditEntry = named(
        "AuditEntry", .always("seq", .whole(17)),
        .always("prev", .text("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"), "hash of the entry before"),
        .always("hash", .text("60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752")), .always("at", .time),
        .always("kind", .choice(AuditEntry.Kind.self)), .always("action", .text("POST /api/exits")), .maybe("key", .text("admin")),
        .maybe("key_id", .text("config.admin")), .maybe("role", .choice(Role.self)), .maybe("address", .text("127.0.0.1")),
        .maybe("method", .text("POST")), .maybe("path", .text("/api/exits")), .maybe("status", .whole(100...599, 202)),
        .maybe("duration_ms", .number(0...1e9, 3.25)), .maybe("request_id", .text("0f3c9a1b2c3d4e5f")),
        .maybe("user_agent", .text("curl/7.88.1")), .maybe("before", .anything, "the state before"),
        .maybe("after", .anything, "the answer, without secrets"), .maybe("details", .text("a sentence")),
        .maybe("uid", .text("3w5e11264sgsf"), "the entry's own"),
        showing: ["role": .string("admin"), "before": nil, "after": .object(["id": .string("us-1")]), "details": nil])
    static let auditLogs = named(
        "AuditLogs", .always("entries", .list(.auditEntry), "newest first"),
        .maybe("next", .text("17"), "the cursor of the next page; absent on the last"))
    static let auditStats = named(
        "AuditStats", .always("entries", .whole(17)),
        .always("head", .text("60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752")),
        .always("waiting", .whole(0), "entries that are not written yet"),
        .always("looked_at", .whole(17), "the newest entries that the figures below are of"),
        .always("kinds", .map(.whole(17), key: "change")), .always("actions", .map(.whole(17), key: "POST /api/exits")),
        .always("keys", .map(.whole(17), key: "admin")), .always("statuses", .map(.whole(17), key: "202")))
    static let auditVerification = named(
        "AuditVerification", .always("intact", .flag), .always("entries", .whole(17)), .maybe("first", .whole(1)),
        .maybe(
            "head", .text("17 60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"), "note it, and pass it as `expect` later"),
        .always("problems", .list(.text("entry 5 was altered: its hash is not that of its text"))),
        .always("acknowledged", .list(.text("entries 5 to 7 are missing")), "acknowledged problems"),
        showing: ["intact": .bool(true), "problems": .array([]), "acknowledged": .array([])])
}
