@testable import HAProxyControl
import HTTPTransport
import Model
import OpenAPI
import Planning
import Platform
import TestSupport
import Testing

/// `http://ip.sallyport/status`, on a real HAProxy.
@Suite(.timeLimit(.minutes(1))) struct HAProxyStatusTests {
    typealias Subject = GatewaySubject
    private let alice = Subject.user("alice")

    /// How somebody comes to the page.
    enum Way: String, CaseIterable, Sendable { case plain, tunnel, socks5 }

    private struct Told {
        var status: Int
        var reason: String?
        var headers: [String: String]
        var text: String
        var fields: [String: Document] { if case .object(let fields)? = try? Document(json: Array(text.utf8)) { fields } else { [:] } }
        /// A field's value as JSON, a text without its quotes.
        subscript(_ name: String) -> String? { fields[name].map { Self.plain($0) } }
        static func plain(_ value: Document) -> String { value.jsonText.replacing("\"", with: "") }
        /// Of each refusal its source, reason, country and count.
        var refusals: [String] {
            guard case .array(let items)? = fields["refusals"] else { return [] }
            return items.map { item in
                guard case .object(let fields) = item else { return "?" }
                return ["source", "reason", "country", "count"].map { fields[$0].map(Self.plain) ?? "?" }.joined(separator: " ")
            }
        }
    }

    private func ask(
        _ subject: Subject, _ way: Way = .plain, user: String = "alice-country-us", password: String = Subject.password,
        _ path: String = "/status", method: String = "GET"
    ) async throws -> Told {
        var request = subject.request(user, password: password, tunnels: way == .tunnel)
        (request.method, request.url) = (method, "http://ip.sallyport\(path)")
        if way == .socks5 { request.proxy = "socks5h://127.0.0.1:\(subject.settings.gatewayPort)" }
        let answer = try await subject.client.send(request)
        return Told(status: answer.status, reason: answer.headers["x-sallyport-reason"], headers: answer.headers, text: answer.text)
    }

    private func layout(_ exits: [ScriptedServer], _ users: [ProxyUser]) -> GatewayLayout {
        GatewayLayout(pools: [Subject.pool(us, exits.indices.map { Subject.slot($0 + 1, exits[$0]) }), Subject.pool(de)], users: users)
    }

    @Test(arguments: Way.allCases) func `a user is told quotas, session and connections`(way: Way) async throws {
        try await Subject.with { subject in
            var user = alice
            user.limits.connections = 7
            user.limits.bytesPerDay = 1000
            user.limits.bytesTotal = 5000
            try await subject.gateway.publish(layout([try Subject.exit("american")], [user, Subject.user("bob")]))
            let used = Usage(bytesIn: 300, bytesOut: 400)
            try await subject.gateway.tell(["alice": user.limits.quotas((used, used, used))], now: SystemClock.now())

            let before = try await ask(subject, way, user: "alice-country-us-session-a1")
            #expect(before.status == 200 && before.headers["content-type"] == "application/json", "\(before)")
            #expect(before.headers["cache-control"] == "no-store")
            #expect(before["user"] == "alice" && before["country"] == "US" && before["session"] == "a1")
            // A tunnel begins the session, as a tunnel to the page does.
            #expect(
                (before["session_seconds_left"] == "null" && before["exit"] == "null") == (way == .plain) && before["refused"] == "null")
            #expect(before["connection_limit"] == "7")

            _ = try await subject.send("alice-country-us-session-a1")
            let told = try await ask(subject, way, user: "alice-country-us-session-a1")
            #expect(told["exit"] == "us-1", "\(told)")
            #expect((590...600).contains(told["session_seconds_left"].flatMap { Int($0) } ?? 0), "\(told)")
            let midnight = SystemClock.now().nextDay.description.replacing(".000Z", with: "Z")
            let quota = try #require(told["quota"])
            #expect(quota.contains("day:{left:300,limit:1000,resets_at:\(midnight),used:700}"), "\(quota)")
            #expect(quota.contains("total:{left:4300,limit:5000,resets_at:null,used:700}") && !quota.contains("month"), "\(quota)")
            let asOf = try #require(quota.firstMatch(of: /as_of:([^,}]+)/)?.1)
            #expect((Timestamp(rfc3339: String(asOf)).map { abs(SystemClock.now() - $0) } ?? 99) < 30)
            #expect(try await ask(subject, way, user: "bob-country-us")["quota"] == "null")

            // A new worker knows the same.
            let worker = try await subject.workerPid
            try await subject.gateway.publish(layout([try Subject.exit("american"), try Subject.exit("another")], [user]))
            var grown = layout([try Subject.exit("american")], [user])
            grown.pools.append(Subject.pool(try #require(CountryCode("ca"))))
            try await subject.gateway.publish(grown)
            #expect(try await subject.workerPid != worker)
            #expect(try await ask(subject, way)["quota"] == told["quota"])
        }
    }

    @Test(arguments: Way.allCases) func `who is refused can still read why, and nothing else`(way: Way) async throws {
        try await Subject.with { subject in
            var user = alice
            user.countries = [us, de]
            var layout = layout([try Subject.exit("american")], [user])
            layout.blocked = ["alice": .day]
            try await subject.gateway.publish(layout)
            let over = try await ask(subject, way)
            #expect(over.status == 200 && over["refused"] == "quota_day" && over["country"] == "US", "\(over)")
            let page = try await ask(subject, way, "/")
            #expect(page.status == 429 && page.reason == "quota_day", "\(page)")
            #expect(try await subject.send().headers["x-sallyport-reason"] == "quota_day")

            layout.blocked = [:]
            try await subject.gateway.publish(layout)
            for (name, reason, status) in [
                ("alice-country-de", "no_exit", 503), ("alice-country-gb", "country_not_allowed", 403), ("alice", "country_missing", 400),
            ] {
                let told = try await ask(subject, way, user: name)
                #expect(told.status == 200, "\(name): \(told)")
                let page = try await ask(subject, way, user: name, "/")
                #expect(page.status == status && page.reason == reason, "\(name): \(page)")
            }
            // The exits' own way is as closed as before.
            #expect(try await subject.send("alice-country-gb").status == 403)
        }
    }

    @Test func `a name that may not come in is told nothing`() async throws {
        try await Subject.with { subject in
            var user = alice
            try await subject.gateway.publish(layout([try Subject.exit("american")], [user]))
            let wrong = try await ask(subject, password: "a-wrong-password", "/status")
            #expect(wrong.status == 407 && !wrong.text.contains("quota"), "\(wrong)")
            #expect(try await ask(subject, user: "alice-country-us-colour-red").reason == "unknown_parameter")
            func isRefused(_ user: String, _ password: String, _ status: Int) async -> Bool {
                do { _ = try await ask(subject, .tunnel, user: user, password: password) } catch {
                    return "\(error)".hasSuffix("answered CONNECT with \(status)")
                }
                return false
            }
            #expect(await isRefused("alice-country-us", "a-wrong-password", 407))
            #expect(await isRefused("alice-country-us-colour-red", Subject.password, 400))
            for (change, reason): ((inout ProxyUser) -> Void, String) in [
                ({ $0.isDisabled = true }, "user_disabled"), ({ $0.expiresAt = Timestamp(milliseconds: 1000) }, "user_expired"),
                ({ $0.addresses = ["198.18.0.0/16"] }, "address_not_allowed"),
            ] {
                user = alice
                change(&user)
                try await subject.gateway.publish(layout([try Subject.exit("american")], [user]))
                let told = try await ask(subject)
                #expect(told.status == 403 && told.reason == reason, "\(told)")
                #expect(await isRefused("alice-country-us", Subject.password, 403))
            }
        }
    }

    @Test(arguments: [false, true])
    func `the last refusals are the user's own, the latest first, and the same again counts as one`(isCrowded: Bool) async throws {
        // In the crowded one all users share one variable.
        let code = try Subject.code("status.lua", replacing: "10, 20, 0xFFF", with: "10, 20, 0")
        try await Subject.with({ if isCrowded { $0.luaFolder = code.path } }) { subject in
            let silent = try ScriptedServer(address: ScriptedServer.ownAddress()) { connection in
                while connection.head() != nil { connection.answer(502, "", headers: "X-Sallyport-Reason: dns_failed") }
            }
            var bob = Subject.user("bob")
            bob.countries = [de]
            try await subject.gateway.publish(layout([silent], [alice, bob]))
            #expect(try await ask(subject).refusals == [])
            for _ in 1...3 { _ = try await subject.send() }
            _ = try await subject.send("alice-country-de")
            _ = try await subject.send("bob-country-us")
            _ = try await subject.send("alice-country-us-colour-red")
            var request = subject.request()
            request.url = "http://10.0.0.1/"
            _ = try await subject.client.send(request)
            request.proxy = "socks5h://127.0.0.1:\(subject.settings.gatewayPort)"
            _ = try? await subject.client.send(request)
            _ = try await subject.send("alice-country-us", password: "a-wrong-password")
            // A page is an answer of Lua's own.
            request = subject.request("alice-country-us-colour-blue")
            request.headers = [("Accept", "text/html")]
            #expect(try await subject.client.send(request).text.contains("unknown parameter"))
            let told = try await ask(subject, user: "alice-country-us")
            #expect(
                told.refusals == [
                    "gateway unknown_parameter null 2", "gateway target_not_allowed US 2", "gateway no_exit DE 1", "target dns_failed US 3",
                ], "\(told)")
            #expect(!told.text.contains("10.0.0.1"), "targets are not kept")
            #expect(try await ask(subject, user: "bob-country-de").refusals == ["gateway country_not_allowed US 1"])

            // A later user of the name is another one.
            let heir = ProxyUser(name: "alice", passwords: alice.passwords, createdAt: Timestamp(milliseconds: 1000))
            try await subject.gateway.publish(layout([silent], [heir, bob]))
            #expect(try await ask(subject).refusals == [])
        }
    }

    @Test func `no more than ten are kept of a user, from all threads`() async throws {
        try await Subject.with { subject in
            try await subject.gateway.publish(layout([], [alice]))
            let countries = ["ca", "gb", "fr", "it", "es", "nl", "be", "at", "ch", "se", "no", "fi"]
            // Each on a connection of its own, which any thread takes.
            for country in countries {
                let client = HTTPClient()
                _ = try await client.send(subject.request("alice-country-\(country)"))
                client.close()
            }
            let wanted = countries.reversed().prefix(10).map { "gateway no_exit \($0.uppercased()) 1" }
            for _ in 1...8 {
                let client = HTTPClient()
                defer { client.close() }
                var request = subject.request()
                request.url = "http://ip.sallyport/status"
                let answer = try await client.send(request)
                let told = Told(status: answer.status, reason: nil, headers: [:], text: answer.text)
                #expect(told.refusals == wanted, "\(told)")
            }
        }
    }

    @Test(arguments: Way.allCases) func `HEAD has no body, and other methods are refused`(way: Way) async throws {
        try await Subject.with { subject in
            try await subject.gateway.publish(layout([try Subject.exit("american")], [alice]))
            let head = try await ask(subject, way, method: "HEAD")
            #expect(head.status == 200 && head.text.isEmpty && head.headers["cache-control"] == "no-store", "\(head)")
            let post = try await ask(subject, way, method: "POST")
            #expect(post.status == 405 && post.headers["allow"] == "GET, HEAD", "\(post)")
        }
    }

    /// A client may send what it likes: what the page says comes from HAProxy alone.
    @Test func `nobody writes their own status`() async throws {
        try await Subject.with { subject in
            try await subject.gateway.publish(layout([try Subject.exit("american")], [alice]))
            for way in [Way.plain, .tunnel] {
                var request = subject.request(tunnels: way == .tunnel)
                request.url = "http://ip.sallyport/status"
                request.headers = [("X-Sallyport-Status", "{\"user\": \"bob\"}"), ("X-Sallyport-Page", "{}")]
                #expect(try await subject.client.send(request).text.contains(#""user": "alice""#))
            }
        }
    }
}
