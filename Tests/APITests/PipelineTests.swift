@testable import API
@testable import AccessControl
import HTTPServing
import Model
import Platform
@testable import RequestPipeline
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct PipelineTests {
    private func settings(_ change: (inout RequestSettings) -> Void) -> RequestSettings {
        var settings = RequestSettings()
        change(&settings)
        return settings
    }

    @Test func `each address and each key has its own limit, and every answer says how much is left`() async throws {
        try await Subject.with(.direct, settings: settings { ($0.requests, $0.windowSeconds) = (5, 3600) }) { subject in
            for left in [4, 3, 2, 1, 0] {
                let answer = try await subject.call("GET", "/api/exits", as: .viewer)
                #expect(answer.status == 200 && answer.headers["x-ratelimit-remaining"] == String(left))
                #expect(answer.headers["x-ratelimit-limit"] == "5")
            }
            let refused = try await subject.call("GET", "/api/exits", as: .viewer)
            #expect(refused.status == 429 && refused.error == "too_many_requests")
            #expect(refused.headers["retry-after"].flatMap(Int.init).map { (1...7200).contains($0) } == true)
            #expect(refused.headers["x-ratelimit-remaining"] == "0")
            // Health is never limited, and what is refused is not counted.
            for path in ["/health", "/health/live", "/health/ready"] {
                let health = try await subject.call("GET", path, as: nil)
                #expect(health.status == 200 && health.headers["x-ratelimit-limit"] == "5")
                #expect(health.headers["x-ratelimit-remaining"] == "0" && health.headers["x-ratelimit-reset"] != nil)
            }
            let cleared = try await subject.call("GET", "/api/auth/me", as: .viewer)
            #expect(cleared.status == 200, "the strict class counts by itself")
        }
    }

    @Test func `a window slides: what was let in counts less and less`() {
        let now = Mutex(1000.0)
        let limiter = RateLimiter { now.withLock { $0 } }
        for _ in 0..<10 { #expect(limiter.take("a", limit: 10, window: 100).isAllowed) }
        #expect(!limiter.take("a", limit: 10, window: 100).isAllowed)
        now.withLock { $0 = 1105 }
        #expect(!limiter.take("a", limit: 10, window: 100).isAllowed, "95 percent of ten are more than nine")
        now.withLock { $0 = 1150 }
        for _ in 0..<5 { #expect(limiter.take("a", limit: 10, window: 100).isAllowed) }
        let refused = limiter.take("a", limit: 10, window: 100)
        #expect(!refused.isAllowed && refused.reset == 10)
        now.withLock { $0 += Double(refused.reset) }
        #expect(limiter.take("a", limit: 10, window: 100).isAllowed, "it is as it was told")
        now.withLock { $0 = 1400 }
        #expect(limiter.take("a", limit: 10, window: 100).remaining == 9)
    }

    @Test func `one who guesses keys must wait, even with a right one`() async throws {
        try await Subject.with(.direct, settings: settings { $0.failedKeys = 3 }) { subject in
            let wrong = [(name: "X-API-Key", value: String(repeating: "w", count: 40))]
            for _ in 0..<3 { #expect(try await subject.call("GET", "/api/exits", headers: wrong).status == 401) }
            let answer = try await subject.call("GET", "/api/exits", as: .admin)
            #expect(answer.status == 429 && answer.error == "too_many_tries" && answer.headers["retry-after"] != nil)
            #expect(subject.api.pipeline.access.callers.keys.lastUse(of: "config.admin") == nil, "it was not used")
        }
    }

    @Test func `a key that has come from an address before is no guess there`() async throws {
        try await Subject.with(.live, settings: settings { $0.failedKeys = 3 }) { subject in
            let wrong = [(name: "X-API-Key", value: String(repeating: "w", count: 40))]
            let first = try await subject.call("GET", "/api/exits", as: .viewer)
            #expect(first.status == 200)
            for _ in 0..<3 { #expect(try await subject.call("GET", "/api/exits", headers: wrong).status == 401) }
            #expect(try await subject.call("GET", "/api/exits", headers: wrong).status == 429)
            #expect(try await subject.call("GET", "/api/exits", as: .viewer).status == 200)
            #expect(try await subject.call("GET", "/api/exits", as: .admin).status == 429)
        }
    }

    @Test func `addresses of one IPv6 network share a limit, as its holder has all of them`() async throws {
        let trusted = [try #require(IPNetwork("127.0.0.0/8"))]
        let settings = settings {
            $0.trustedProxies = trusted
            $0.requests = 3
        }
        try await Subject.with(.direct, settings: settings) { subject in
            for (address, status) in [
                ("2001:db8:0:1::1", 401), ("2001:db8:0:1:ffff::2", 401), ("2001:DB8:0:1:0:0:0:3", 401), ("2001:db8:0:1::4", 429),
                ("2001:db8:0:2::1", 401), ("192.0.2.1", 401), ("192.0.2.2", 401), ("192.0.2.3", 401), ("192.0.2.4", 401),
            ] {
                let answer = try await subject.call("GET", "/api/exits", headers: [("X-Forwarded-For", address)])
                #expect(answer.status == status, "\(address)")
            }
            let stats = try await subject.call("GET", "/admin/ratelimit/stats/2001:db8:0:1::9")
            #expect(stats["address"] == .string("2001:db8:0:1::/64"))
            #expect(stats["standard"] == .object(["used": .integer(3), "limit": .integer(3)]))
            #expect(try await subject.call("POST", "/admin/ratelimit/clear/2001:db8:0:1::9").status == 200)
            let again = try await subject.call("GET", "/api/exits", headers: [("X-Forwarded-For", "2001:db8:0:1::4")])
            #expect(again.status == 401)
        }
    }

    @Test func `only allowed addresses may call, but for health`() async throws {
        let networks = [try #require(IPNetwork("10.0.0.0/8"))]
        try await Subject.with(.live, settings: settings { $0.allowedNetworks = networks }) { subject in
            let refused = try await subject.call("GET", "/api/exits")
            #expect(refused.error == "address_not_allowed")
            #expect(try await subject.call("GET", "/health/live").status == 200)
        }
    }

    @Test(arguments: Way.allCases) func `pages of listed origins may call, others get no word of it`(way: Way) async throws {
        try await Subject.with(way, settings: settings { $0.origins = ["https://good.example"] }) { subject in
            let key = try #require(Subject.keys[.viewer])
            for (origin, isAllowed) in [("https://good.example", true), ("https://evil.example", false), ("null", false)] {
                let answer = try await subject.call("GET", "/api/exits", headers: [("Origin", origin), ("X-API-Key", key)])
                #expect(answer.headers["access-control-allow-origin"] == (isAllowed ? origin : nil))
                let preflight = try await subject.call(
                    "OPTIONS", "/api/exits", headers: [("Origin", origin), ("Access-Control-Request-Method", "POST")])
                #expect(preflight.status == 204 && preflight.headers["allow"] == "GET, HEAD, OPTIONS, POST")
                #expect((preflight.headers["access-control-allow-methods"] != nil) == isAllowed)
            }
        }
    }

    @Test(arguments: ["/api/exits", "/nowhere", "/health/live", "/docs"]) func `every answer has the security headers`(path: String)
        async throws
    {
        try await Subject.with(.live) { subject in
            let answer = try await subject.call("GET", path)
            for header in SecurityHeaders.api.all { #expect(answer.headers[header.name.lowercased()] == header.value) }
            #expect(answer.headers["x-request-id"] != nil && answer.headers["x-response-time"] != nil)
        }
    }

    @Test(
        arguments: [
            ("GET", "/%zz", "", 0, 400), ("GET", "/api/exits", "X-Long", 20_000, 431), ("POST", "/api/exits", "", 70_000, 413),
            ("GET", "/api/exits", "Content-Type", -1, 400),
        ])
    func `what is refused before its route is known has all headers too, and counts for the limits`(
        method: String, path: String, header: String, size: Int, status: Int
    ) async throws {
        try await Subject.with(.live, settings: settings { ($0.requests, $0.windowSeconds) = (10, 3600) }) { subject in
            // A header that must stand alone, twice; a long one; or a long body.
            let headers = size < 0 ? [(header, "a"), (header, "b")] : header.isEmpty ? [] : [(header, String(repeating: "x", count: size))]
            let body = header.isEmpty && size > 0 ? String(repeating: "x", count: size) : nil
            for turn in 1...12 {
                let answer = try await subject.call(method, path, headers: headers.map { (name: $0.0, value: $0.1) }, body: body)
                #expect(answer.status == status && answer["request_id"] != nil)
                for header in SecurityHeaders.api.all { #expect(answer.headers[header.name.lowercased()] == header.value) }
                #expect(answer.headers["x-request-id"] != nil && answer.headers["x-response-time"] != nil)
                #expect(answer.headers["x-ratelimit-remaining"] == String(max(0, 10 - turn)))
            }
            #expect(try await subject.call("GET", "/api/exits").status == 429)
            #expect(subject.api.pipeline.metrics.requests.values[[method, "none", String(status)]] == 12)
        }
    }

    @Test func `who is told to come back is told when`() async throws {
        try await Subject.with(.live) { subject in
            subject.operations.with { $0.shown.problems = ["engine": "nobody answers"] }
            let answer = try await subject.call("GET", "/health/ready")
            #expect(answer.status == 503 && answer.headers["retry-after"] == "10" && answer.headers["x-ratelimit-limit"] != nil)
        }
    }

    @Test func `a limit of 0 is none, and leaves the strict one`() async throws {
        try await Subject.with(.direct, settings: settings { ($0.requests, $0.strictRequests) = (0, 2) }) { subject in
            for _ in 0..<50 {
                let answer = try await subject.call("GET", "/api/exits")
                #expect(answer.status == 200 && answer.headers["x-ratelimit-limit"] == nil)
            }
            #expect(subject.api.pipeline.access.limiter.size == 1, "only wrong keys are counted")
            for status in [200, 200, 429] { #expect(try await subject.call("GET", "/admin/status").status == status) }
        }
    }

    @Test func `a body of 500 bytes is compressed for those who accept it, and is the same`() async throws {
        try await Subject.with(.direct) { subject in
            func headers(_ value: String) -> [(name: String, value: String)] { [("Accept-Encoding", value)] }
            let plain = try await subject.call("GET", "/openapi.json", headers: [])
            for (value, isCompressed) in [
                ("gzip", true), ("br, gzip;q=0.5", true), ("*", true), ("gzip;q=0", false), ("br", false), ("*;q=0", false),
                ("identity", false),
            ] {
                let answer = try await subject.call("GET", "/openapi.json", headers: headers(value))
                #expect((answer.headers["content-encoding"] == "gzip") == isCompressed, "\(value)")
                #expect(isCompressed ? answer.body.prefix(2) == [0x1F, 0x8B] : answer.body == plain.body)
                #expect(answer.headers["vary"]?.contains("Accept-Encoding") == true)
            }
            #expect(try await subject.call("GET", "/health/live", headers: headers("gzip")).headers["content-encoding"] == nil)
        }
        try await Subject.with(.live) { subject in
            // libcurl asks for gzip and undoes it.
            let answer = try await subject.call("GET", "/openapi.json", as: nil)
            #expect(answer.headers["content-encoding"] == "gzip" && answer["openapi"] == .string("3.1.0"))
        }
    }

    @Test(arguments: Way.allCases) func `what has not changed is 304`(way: Way) async throws {
        try await Subject.with(way) { subject in
            let key = try #require(Subject.keys[.viewer])
            let tag = try #require(try await subject.call("GET", "/api/exits").headers["etag"])
            for (header, status) in [(tag, 304), ("\"x\", \(tag)", 304), ("*", 304), ("\"x\"", 200), (String(tag.dropFirst(2)), 304)] {
                let answer = try await subject.call("GET", "/api/exits", headers: [("X-API-Key", key), ("If-None-Match", header)])
                #expect(answer.status == status && (answer.body.isEmpty == (status == 304)), "\(header)")
            }
            _ = try await subject.call("POST", "/api/exits", body: #"{"country":"us"}"#)
            #expect(try await subject.call("GET", "/api/exits", headers: [("X-API-Key", key), ("If-None-Match", tag)]).status == 200)
        }
    }

    @Test(arguments: Way.allCases) func `what the client can't take or should not send is told`(way: Way) async throws {
        try await Subject.with(way) { subject in
            let key = try #require(Subject.keys[.admin])
            func call(_ method: String, _ path: String, _ header: (String, String), body: String? = nil) async throws -> Answer {
                try await subject.call(method, path, headers: [("X-API-Key", key), (name: header.0, value: header.1)], body: body)
            }
            #expect(try await call("GET", "/api/exits", ("Accept", "application/json;q=0")).status == 406)
            #expect(try await call("GET", "/api/exits", ("Accept", "text/html, application/*;q=0.1")).status == 200)
            #expect(try await call("POST", "/api/exits", ("Content-Type", "text/plain"), body: "{}").status == 415)
            #expect(try await call("POST", "/api/exits", ("Content-Type", "application/json; charset=utf-8"), body: "{}").status == 422)
            #expect(try await call("POST", "/api/exits", ("Content-Type", "application/json;Charset=\"UTF-8\""), body: "{}").status == 422)
            #expect(try await call("POST", "/api/exits", ("Content-Type", "application/json; charset=utf-16"), body: "{}").status == 415)
            #expect(try await call("DELETE", "/api/exits/us-1", ("Content-Type", "application/json"), body: #"{"x":1}"#).status == 415)
        }
    }

    @Test(arguments: Way.allCases) func `a POST that is sent again with its key is done once`(way: Way) async throws {
        try await Subject.with(way) { subject in
            let key = try #require(Subject.keys[.admin])
            func post(_ name: String, _ body: String, path: String = "/api/exits") async throws -> Answer {
                try await subject.call("POST", path, headers: [("X-API-Key", key), ("Idempotency-Key", name)], body: body)
            }
            let first = try await post("one", #"{"country":"us"}"#)
            let second = try await post("one", #"{"country":"us"}"#)
            #expect(first.status == 202 && second.status == 202 && first.json == second.json)
            #expect(second.headers["idempotent-replayed"] == "true" && second.headers["location"] == "/api/exits/us-2")
            #expect(subject.operations.state.exits.count == 2)
            #expect(try await post("one", #"{"country":"de"}"#).error == "key_reused")
            #expect(try await post("a b", #"{"country":"us"}"#).fields == ["Idempotency-Key"])
            #expect(try await post("two", #"{"country":"us"}"#)["id"] == .string("us-3"))
            let user = try await post("three", #"{"name":"bob"}"#, path: "/api/users")
            #expect(try await post("three", #"{"name":"bob"}"#, path: "/api/users").json == user.json)
        }
    }
}
