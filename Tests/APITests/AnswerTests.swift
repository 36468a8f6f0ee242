@testable import API
@testable import AccessControl
import HTTPServing
import Model
import Platform
import Testing

@Suite(.timeLimit(.minutes(1))) struct AnswerTests {
    private static let create = #"{"country":"us"}"#

    @Test(arguments: Way.allCases)
    func `an exit is shown as the design says`(way: Way) async throws {
        try await Subject.with(way) { subject in
            let answer = try await subject.call("GET", "/api/exits/us-1", as: .viewer)
            #expect(answer["id"] == .string("us-1") && answer["country"] == .string("US") && answer["provider"] == .string("nordvpn"))
            #expect(
                answer["state"] == .string("serving") && answer["exit_ip"] == .string("198.18.1.1")
                    && answer["exit_country"] == .string("US"))
            #expect(
                answer["server"]
                    == .object([
                        "hostname": .string("us1"), "address": .string("198.18.1.1"), "city": .string("Dallas"), "load": .integer(7),
                        "latency_ms": .number(12.346),
                    ]))
            #expect(
                answer["proxy"]
                    == .object([
                        "url": .string("http://127.0.0.1:8128"), "socks5": .string("socks5h://127.0.0.1:8128"),
                        "username": .string("<user>-country-us"),
                    ]))
            #expect(try await subject.call("GET", "/api/exits/us-1/health").json == answer["health"])
        }
    }

    @Test(arguments: Way.allCases)
    func `a list is filtered by country and state`(way: Way) async throws {
        try await Subject.with(way) { subject in
            _ = try await subject.call("POST", "/api/exits", body: #"{"country":"uk"}"#)
            func ids(_ target: String) async throws -> [Document] {
                guard case .array(let exits)? = try await subject.call("GET", target)["exits"] else { return [] }
                return exits.compactMap { if case .object(let fields) = $0 { fields["id"] } else { nil } }
            }
            #expect(try await ids("/api/exits") == [.string("gb-2"), .string("us-1")])
            #expect(try await ids("/api/exits?country=us") == [.string("us-1")])
            #expect(try await ids("/api/exits?country=UK&state=pending") == [.string("gb-2")])
            #expect(try await ids("/api/exits?state=failed") == [])
        }
    }

    @Test func `the list of exits is encoded once for each state`() throws {
        let operations = FakeOperations()
        let list = ExitList(operations, proxy: ProxyAddress(host: "127.0.0.1", port: 8128))
        let first = list.response.body
        // The same revision is the same state by its promise: another content shows that nothing was encoded anew.
        operations.with { $0.shown.exits = [:] }
        #expect(list.response.body == first)
        operations.with { $0.shown.revision += 1 }
        #expect(String(decoding: list.response.body, as: UTF8.self) == #"{"exits":[]}"#)
    }

    @Test(arguments: Way.allCases)
    func `an exit is waited for as long as is asked, and no longer`(way: Way) async throws {
        try await Subject.with(way) { subject in
            let now = try await subject.call("POST", "/api/exits", body: Self.create)
            #expect(now.status == 202 && now["state"] == .string("pending") && now.headers["location"] == "/api/exits/us-2")
            #expect(try await subject.call("POST", "/api/exits?wait=0", body: Self.create)["state"] == .string("pending"))
            #expect(subject.operations.with { $0.waits } == [])
            #expect(try await subject.call("POST", "/api/exits?wait=2.5", body: Self.create)["state"] == .string("serving"))
            subject.operations.with { $0.neverServes = true }
            #expect(try await subject.call("POST", "/api/exits?wait=120", body: Self.create)["state"] == .string("pending"))
            #expect(subject.operations.with { $0.waits } == [2.5, 120])
        }
    }

    @Test(arguments: Way.allCases)
    func `a password that was made is shown once, one that was chosen never`(way: Way) async throws {
        try await Subject.with(way) { subject in
            let made = try await subject.call("POST", "/api/users", body: #"{"name":"bob"}"#)
            guard case .string(let password)? = made["password"] else { return #expect(Bool(false), "\(made.text)") }
            #expect(password.utf8.count == 24 && made.status == 201)
            let bob = try #require(subject.operations.state.users.last)
            #expect(
                bob.name == "bob" && bob.passwords[0].digest == Digest.sha256("\(bob.passwords[0].salt):\(password)")
                    && bob.passwords[0].salt.utf8.count == 32)

            let chosen = "a-password-of-ones-own"
            let taken = try await subject.call("POST", "/api/users", body: #"{"name":"carol","password":"\#(chosen)"}"#)
            #expect(taken.status == 201 && taken["password"] == nil)
            let carol = try #require(subject.operations.state.users.last)
            #expect(carol.passwords[0].digest == Digest.sha256("\(carol.passwords[0].salt):\(chosen)"))

            let list = try await subject.call("GET", "/api/users").text
            #expect(
                !list.contains(password) && !list.contains(chosen) && !list.contains(bob.passwords[0].salt)
                    && !list.contains(bob.passwords[0].digest))
            #expect(try await subject.call("POST", "/api/users", body: #"{"name":"bob"}"#).status == 409)
        }
    }

    @Test(arguments: Way.allCases)
    func `an error has its word, its sentence and the request's id`(way: Way) async throws {
        try await Subject.with(way) { subject in
            for (target, role) in [("/api/exits", nil), ("/api/users", .viewer), ("/nowhere", .admin), ("/api/exits?x=1", .admin)]
                as [(String, Role?)]
            {
                let answer = try await subject.call("GET", target, as: role)
                guard case .object(var fields) = answer.json else { return #expect(Bool(false), "\(answer.text)") }
                fields["fields"] = nil
                #expect(fields.keys.sorted() == ["error", "message", "request_id"])
                guard case .string(let id)? = fields["request_id"] else { return #expect(Bool(false), "\(answer.text)") }
                #expect(id == answer.headers["x-request-id"] ?? "the-request")
                #expect(answer.headers["content-type"] == "application/json")
            }
        }
    }

    @Test(arguments: Way.allCases)
    func `an error that nobody expected tells nothing about itself`(way: Way) async throws {
        struct Private: Error { let secret = "the secret" }
        try await Subject.with(way) { subject in
            subject.operations.with { $0.error = Private() }
            let answer = try await subject.call("DELETE", "/api/exits/us-1")
            #expect(answer.status == 500 && answer.error == "internal" && !answer.text.contains("secret"))
            subject.operations.with {
                $0.error = APIProblem(status: 503, code: "store_unavailable", message: "away", headers: [("Retry-After", "10")])
            }
            let away = try await subject.call("DELETE", "/api/exits/us-1")
            #expect(away.status == 503 && away.error == "store_unavailable" && away.headers["retry-after"] == "10")
        }
    }

    @Test(arguments: Way.allCases)
    func `readiness names the parts that don't answer`(way: Way) async throws {
        try await Subject.with(way) { subject in
            #expect(try await subject.call("GET", "/health/ready", as: nil).text == #"{"problems":{},"role":"leader","status":"ready"}"#)
            subject.operations.with { $0.shown.problems = ["store": "nobody answers"] }
            let answer = try await subject.call("GET", "/health/ready", as: nil)
            #expect(answer.status == 503 && answer.text == #"{"problems":{"store":"nobody answers"},"role":"leader","status":"not_ready"}"#)
            #expect(try await subject.call("GET", "/health/live", as: nil).status == 200)
        }
    }

    @Test(arguments: Way.allCases)
    func `servers come in pages that link to each other, least loaded first`(way: Way) async throws {
        try await Subject.with(way) { subject in
            let page = try await subject.call("GET", "/api/nordvpn/servers?limit=10&offset=10&country=us")
            #expect(page["total"] == .integer(25) && page["limit"] == .integer(10) && page["offset"] == .integer(10))
            guard case .array(let servers)? = page["servers"], case .object(let first)? = servers.first else {
                Issue.record("no servers: \(page.text)")
                return
            }
            #expect(servers.count == 10 && first["hostname"] == .string("us11") && first["country_code"] == .string("US"))
            #expect(
                first.keys.sorted() == [
                    "address", "city", "country", "country_code", "country_name", "hostname", "identifier", "load", "port", "provider",
                    "public_key", "tags",
                ])
            #expect(
                page.headers["link"]
                    == #"</api/nordvpn/servers?country=us&limit=10&offset=20>; rel="next", </api/nordvpn/servers?country=us&limit=10&offset=0>; rel="prev""#
            )
            let last = try await subject.call("GET", "/api/all/servers/us?limit=10&offset=20&city=dallas")
            #expect(last["total"] == .integer(13) && last["servers"] == .array([]) && last.headers["link"]?.contains("next") == false)
            let top = try await subject.call("GET", "/api/all/servers/top")
            #expect(top["limit"] == .integer(10) && top["total"] == .integer(28))
        }
    }

    @Test(arguments: ["/api/nobody/servers", "/api/nobody/countries", "/api/nordvpn/servers/zz"], Way.allCases)
    func `a provider or a country that is not there is 404`(path: String, way: Way) async throws {
        try await Subject.with(way) { subject in
            let answer = try await subject.call("GET", path)
            #expect(answer.status == 404 && answer.error == "not_found")
        }
    }

    @Test(arguments: Way.allCases)
    func `pools and countries tell how many exits serve`(way: Way) async throws {
        try await Subject.with(way) { subject in
            let pool = try await subject.call("GET", "/api/pools/us")
            #expect(pool["size"] == .integer(1) && pool["serving"] == .integer(1) && pool["exits"] == .array([.string("us-1")]))
            #expect(pool["name"] == .string("United States"))
            let countries = try await subject.call("GET", "/api/countries").text
            #expect(
                countries
                    == #"{"countries":[{"best_load":31,"code":"DE","country":"DE","country_name":"Germany","exits":0,"name":"Germany","on_demand":false,"servers":3,"serving":0},{"best_load":1,"code":"US","country":"US","country_name":"United States","exits":1,"name":"United States","on_demand":false,"servers":25,"serving":1}]}"#
            )
        }
    }

    @Test(arguments: Way.allCases)
    func `a pool shows the servers that it is limited to, each once`(way: Way) async throws {
        try await Subject.with(way) { subject in
            let body = #"{"size":1,"tags":["p2p"],"hostnames":["US2.lab.test","us1.lab.test","us1.lab.test"],"exclude":[]}"#
            let pool = try await subject.call("PUT", "/api/pools/us", body: body)
            #expect(pool["tags"] == .array([.string("p2p")]))
            #expect(pool["hostnames"] == .array([.string("us1.lab.test"), .string("us2.lab.test")]))
            #expect(pool["exclude"] == nil, "an empty list limits nothing")
            #expect(try await subject.call("PUT", "/api/pools/us", body: #"{"size":1}"#)["tags"] == nil)
        }
    }

    @Test func `no answer holds a key, a digest, a salt or what only the inside knows`() async throws {
        for call in RouteCase.all {
            try await Subject.with(.direct) { subject in
                let answer = try await subject.call(call.method, call.target, body: call.body)
                for secret in ["the salt", "the digest", "the public key", "the container", "172.31.0.2"] + Subject.keys.values {
                    #expect(!answer.text.contains(secret), "\(call.testDescription): \(secret)")
                }
            }
        }
    }
}
