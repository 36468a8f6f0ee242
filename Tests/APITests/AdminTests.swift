@testable import API
@testable import AccessControl
@testable import AuditLog
import Model
@testable import OpenAPI
import Platform
import RequestPipeline
@testable import RequestPipeline
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct AdminTests {
    @Test func `settings are changed one by one, checked, and audited with what was before`() async throws {
        try await Subject.with(.direct) { subject in
            let before = try await subject.call("GET", "/api/settings").json
            #expect(try await subject.call("PATCH", "/api/settings", body: #"{"requests":-1}"#).fields == ["requests"])
            #expect(try await subject.call("PATCH", "/api/settings", body: #"{"rekwests":1}"#).fields == ["rekwests"])
            #expect(try await subject.call("GET", "/api/settings").json == before)
            let changed = try await subject.call("PATCH", "/api/settings", body: #"{"requests":70000,"audit_requests":true}"#)
            #expect(changed["requests"] == .integer(70_000) && subject.api.live.values.serving.requests == 70_000)
            let text = try await subject.call("GET", "/audit/export").text
            #expect(text.contains(#""before":{"audit_requests":false"#) && text.contains(#""requests":70000"#))
        }
    }

    @Test func `a changed setting outlives a reload, is given back by null, and a store that is away changes nothing`() async throws {
        let store = SettingsInMemory()
        var parts = API.Parts()
        parts.settings = store
        try await Subject.with(.direct, parts: parts) { subject in
            #expect(
                try await subject.call("PATCH", "/api/settings", body: #"{"requests":70000}"#)["changed"] == .array([.string("requests")]))
            #expect(store.kept.withLock { $0 } == ["requests": "70000"])
            var configured = RequestSettings()
            (configured.requests, configured.strictRequests) = (80_000, 90_000)
            subject.api.configure(configured, auditRetentionDays: 7)
            let after = try await subject.call("GET", "/api/settings")
            #expect(after["requests"] == .integer(70_000) && after["strict_requests"] == .integer(90_000))
            #expect(after["audit_retention_days"] == .integer(7) && subject.api.audit.retentionDays == 7)

            store.isAway.withLock { $0 = true }
            let refused = try await subject.call("PATCH", "/api/settings", body: #"{"requests":1}"#)
            #expect(refused.status == 503 && refused.error == "store_unavailable" && subject.api.live.values.serving.requests == 70_000)
            store.isAway.withLock { $0 = false }

            let back = try await subject.call("PATCH", "/api/settings", body: #"{"requests":null,"audit_retention_days":3}"#)
            #expect(back["requests"] == .integer(80_000) && back["changed"] == .array([.string("audit_retention_days")]))
            #expect(store.kept.withLock { $0 } == ["audit_retention_days": "3"] && subject.api.audit.retentionDays == 3)
        }
    }

    @Test func `what the store holds is checked again: a wrong value is left out, the others count`() async throws {
        let store = SettingsInMemory()
        store.kept.withLock {
            $0 = ["requests": "-1", "strict_requests": "71000", "log_requests": "\"yes\"", "colour": "1", "failed_keys": "}"]
        }
        var parts = API.Parts()
        parts.settings = store
        try await Subject.with(.direct, parts: parts) { subject in
            try await eventually("the good one is taken over", within: 30) { subject.api.live.values.serving.strictRequests == 71_000 }
            #expect(
                subject.api.live.values.serving.requests == 100_000 && subject.api.live.values.serving.logsRequests
                    && subject.api.live.values.serving.failedKeys == 100_000)
            #expect(try await subject.call("GET", "/api/settings")["changed"] == .array([.string("strict_requests")]))
        }
    }

    private final class SettingsInMemory: SettingStore {
        let kept = Mutex<[String: String]>([:])
        let isAway = Mutex(false)
        private struct Away: Error {}

        func settings() async throws -> [String: String] {
            if isAway.withLock({ $0 }) { throw Away() }
            return kept.withLock { $0 }
        }

        func save(settings: [String: String?]) async throws {
            if isAway.withLock({ $0 }) { throw Away() }
            kept.withLock { kept in for (name, value) in settings { kept[name] = value } }
        }
    }

    @Test func `a reload tells what has changed, and one that is refused changes nothing`() async throws {
        let refuses = Mutex(false)
        var parts = API.Parts()
        parts.reload = {
            if refuses.withLock({ $0 }) { throw ReloadRefusal(problems: ["api.port: is 0, expected 1 to 65535"]) }
            return ReloadReport(changed: ["api.limits"], needsRestart: ["gateway"])
        }
        try await Subject.with(.live, parts: parts) { subject in
            let answer = try await subject.call("POST", "/admin/reload")
            #expect(answer.text == #"{"changed":["api.limits"],"needs_restart":["gateway"]}"#)
            refuses.withLock { $0 = true }
            let refused = try await subject.call("POST", "/admin/reload")
            #expect(refused.status == 422 && refused.text.contains("api.port: is 0"))
        }
    }

    @Test(arguments: Way.allCases) func `the ways in are told, with the exits that each leads to`(way: Way) async throws {
        var parts = API.Parts()
        parts.entries = { state in
            [ProxyEntry(address: "127.0.0.1:8128", protocols: ["http", "socks5"], choice: .user, isOpen: true)]
                + state.pools.keys.map {
                    ProxyEntry(
                        address: "127.0.0.1:8443", protocols: ["https"], choice: .name, country: $0, names: ["proxy-us.*"], isOpen: false)
                }
        }
        try await Subject.with(way, parts: parts) { subject in
            let answer = try await subject.call("GET", "/admin/routes")
            #expect(Schema.routes.problems(with: answer.json) == [])
            #expect(
                answer.text
                    == #"{"routes":[{"address":"127.0.0.1:8128","by":"user","names":[],"open":true,"protocols":["http","socks5"]},"#
                    + #"{"address":"127.0.0.1:8443","by":"name","country":"US","exits":["us-1"],"fallback":[],"names":["proxy-us.*"],"#
                    + #""open":false,"protocols":["https"]}]}"#, "\(answer.text)")
        }
    }

    @Test func `an address that has used its limit up begins anew when it is cleared`() async throws {
        var settings = RequestSettings()
        (settings.requests, settings.strictRequests, settings.windowSeconds) = (3, 100, 3600)
        try await Subject.with(.direct, settings: settings) { subject in
            for _ in 0..<3 { _ = try await subject.call("GET", "/api/pools", as: nil) }
            #expect(try await subject.call("GET", "/api/pools", as: nil).status == 429)
            let stats = try await subject.call("GET", "/admin/ratelimit/stats/127.0.0.1")
            #expect(stats["standard"] == .object(["used": .integer(3), "limit": .integer(3)]))
            #expect(try await subject.call("POST", "/admin/ratelimit/clear/127.0.0.1").status == 200)
            #expect(try await subject.call("GET", "/api/pools", as: nil).status == 401)
            #expect(try await subject.call("GET", "/admin/ratelimit/stats/localhost").status == 422)
        }
    }

    @Test(.enabled(if: Files.exists("/usr/bin/promtool"), "promtool isn't installed: apt-get install prometheus"))
    func `the metrics are what Prometheus's own checker takes`() async throws {
        try await Subject.with(.direct) { subject in
            _ = try await subject.call("GET", "/api/exits")
            _ = try await subject.call("GET", "/nowhere\"{}")
            let text = try await subject.call("GET", "/metrics").text
            #expect(text.contains("sallyport_exits{country=\"US\",state=\"serving\"} 1\n"))
            #expect(text.contains("sallyport_api_requests_total{method=\"GET\",route=\"/api/exits\",status=\"200\"} 1\n"))
            #expect(text.contains("sallyport_api_request_duration_seconds_bucket{route=\"/api/exits\",le=\"+Inf\"} 1\n"))
            let folder = try TemporaryFolder()
            try Files.write(text, to: "\(folder.path)/metrics", mode: 0o600)
            let result = try await Programs.run("sh", ["-c", "promtool check metrics <\(folder.path)/metrics"], deadline: 20)
            #expect(result.status == 0 && result.output.isEmpty, "\(result.output)")
        }
    }
}
