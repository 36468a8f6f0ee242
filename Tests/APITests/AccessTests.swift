@testable import API
import HTTPServing
import Model
import Testing

/// One call of each route, with the role that it needs and the status that it then has.
struct RouteCase: Sendable, CustomTestStringConvertible {
    var method: String
    var target: String
    var role: Role?
    var status: Int
    var body: String?
    var testDescription: String { "\(method) \(target)" }

    init(_ method: String, _ target: String, _ role: Role?, _ status: Int, body: String? = nil) {
        self.method = method
        self.target = target
        self.role = role
        self.status = status
        self.body = body
    }

    static let all = [
        RouteCase("GET", "/health/live", nil, 200),
        RouteCase("GET", "/health/ready", nil, 200),
        RouteCase("GET", "/api/exits", .viewer, 200),
        RouteCase("POST", "/api/exits", .operator, 202, body: #"{"country":"us"}"#),
        RouteCase("GET", "/api/exits/us-1", .viewer, 200),
        RouteCase("DELETE", "/api/exits/us-1", .operator, 202),
        RouteCase("POST", "/api/exits/us-1/rotate", .operator, 202),
        RouteCase("GET", "/api/exits/us-1/health", .viewer, 200),
        RouteCase("GET", "/api/exits/us-1/logs", .operator, 200),
        RouteCase("GET", "/api/pools", .viewer, 200),
        RouteCase("GET", "/api/pools/us", .viewer, 200),
        RouteCase("PUT", "/api/pools/us", .operator, 200, body: #"{"size":2}"#),
        RouteCase("PUT", "/api/pools/de", .operator, 201, body: #"{"size":2}"#),
        RouteCase("DELETE", "/api/pools/us", .operator, 204),
        RouteCase("GET", "/api/countries", .viewer, 200),
        RouteCase("GET", "/api/nordvpn/servers", .viewer, 200),
        RouteCase("GET", "/api/all/servers/top", .viewer, 200),
        RouteCase("GET", "/api/all/servers/us", .viewer, 200),
        RouteCase("GET", "/api/nordvpn/countries", .viewer, 200),
        RouteCase("GET", "/api/users", .admin, 200),
        RouteCase("POST", "/api/users", .admin, 201, body: #"{"name":"bob"}"#),
        RouteCase("DELETE", "/api/users/alice", .admin, 204),
    ]
}

@Suite(.timeLimit(.minutes(1))) struct AccessTests {
    @Test func `the table of calls below has every route`() throws {
        let api = try Subject(.direct).api
        let router = Router(api.routes)
        let called = RouteCase.all.compactMap { call -> String? in
            guard let path = RequestTarget.parse(call.target)?.path,
                case .found(let route, _) = router.match(method: call.method, path: path)
            else { return nil }
            return "\(route.method) \(route.pattern)"
        }
        #expect(called.count == RouteCase.all.count)
        #expect(Set(called) == Set(api.routes.map { "\($0.method) \($0.pattern)" }))
    }

    @Test(arguments: RouteCase.all, Way.allCases)
    func `a route answers those whose role is high enough, and nobody else`(call: RouteCase, way: Way) async throws {
        for role in [nil] + Role.allCases.map(Optional.some) {
            try await Subject.with(way) { subject in
                let answer = try await subject.call(call.method, call.target, as: role, body: call.body)
                guard let wanted = call.role else {
                    #expect(answer.status == call.status)
                    return
                }
                guard let role else {
                    #expect(answer.status == 401 && answer.error == "key_missing")
                    #expect(answer.headers["www-authenticate"]?.hasPrefix("Bearer ") == true)
                    return
                }
                #expect(answer.status == (role >= wanted ? call.status : 403))
                if role < wanted { #expect(answer.error == "role_too_low") }
            }
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

    @Test func `a key is kept as its digest alone`() throws {
        let key = try #require(Subject.keys[.admin])
        #expect(!"\(KeyRing([APIKey(name: "a", role: .admin, digest: "00")]))".contains(key))
        let subject = try Subject(.direct)
        var dumped = ""
        dump(subject.api, to: &dumped)
        #expect(!dumped.contains(key))
    }
}
