import HTTPServing
import Testing

@Suite struct RequestTargetTests {
    @Test(
        arguments: [
            ("/", []), ("/a", ["a"]), ("/a/", ["a"]), ("/a/b", ["a", "b"]), ("/a%2Fb/c", ["a/b", "c"]), ("/a%2fb", ["a/b"]), ("//", [""]),
            ("/a//b", ["a", "", "b"]), ("/a//", ["a", ""]), ("/../etc", ["..", "etc"]), ("/%2e%2e/x", ["..", "x"]), ("/a+b", ["a+b"]),
            ("/%C3%A9", ["é"]), ("/a?x=1", ["a"]), ("/?x", []), ("/a#b", ["a#b"]), ("/%25", ["%"]), ("/%2525", ["%25"]),
            ("http://h/a/b", ["a", "b"]), ("HTTPS://h:8/a%2Fb?x=1", ["a/b"]), ("http://h", []), ("http://h?x=/y", []), ("http://h//", [""]),
        ])
    func `a path is split before its escapes are decoded`(target: String, path: [String]) throws {
        #expect(try #require(RequestTarget.parse(target)).path == path)
    }

    @Test(
        arguments: [
            "", "a", "*", "http://", "http:///a", "http://?x", "http:/a", "ftp://h/a", "h:80", "HT\u{14}P://h/a", "http://h/%", "/%", "/%2",
            "/%zz", "/%2g", "/a%00b", "/%ff", "/%C3", "/%c3%28", "/a?%", "/a?x=%zz", "/a?x=%00",
            "/a?x=%ff",
            "/%+1",
        ])
    func `a broken target is refused`(target: String) {
        #expect(RequestTarget.parse(target) == nil)
    }

    @Test(
        arguments: [
            ("/a", []), ("/a?", []), ("/a?x", ["x="]), ("/a?x=", ["x="]), ("/a?x=1&y=2", ["x=1", "y=2"]), ("/a?x=1&x=2", ["x=1", "x=2"]),
            ("/a?x=a=b", ["x=a=b"]), ("/a?x=a+b%2Bc", ["x=a b+c"]), ("/a?&&x=1&", ["x=1"]), ("/a?x=1?y", ["x=1?y"]), ("/a?=1", ["=1"]),
            ("/a?x%3D=1", ["x==1"]), ("/a?c=%C3%A9", ["c=é"]),
            ("http://h/a?x=1", ["x=1"]), ("http://h?x=/y&z=http://i/", ["x=/y", "z=http://i/"]),
        ])
    func `a query is names and values in their order`(target: String, query: [String]) throws {
        #expect(try #require(RequestTarget.parse(target)).query.map { "\($0.name)=\($0.value)" } == query)
    }
}

@Suite struct RouterTests {
    private func route(_ method: String, _ pattern: String) -> Route<String> {
        Route(method, pattern, "\(method) \(pattern)", .ready { _ in ServerResponse(status: 200) })
    }

    private var router: Router<String> {
        Router([
            route("GET", "/exits/{id}"), route("DELETE", "/exits/{id}"), route("GET", "/exits/top"), route("POST", "/exits"),
            route("GET", "/"),
            route("GET", "/exits/{id}/logs"), route("POST", "/exits/top/{action}"), route("GET", "/{a}/{b}/{c}"),
        ])
    }

    @Test(
        arguments: [
            ("GET", ["exits", "us-1"], "GET /exits/{id}", ["id": "us-1"]), ("GET", ["exits", "top"], "GET /exits/top", [:]),
            ("DELETE", ["exits", "us-1"], "DELETE /exits/{id}", ["id": "us-1"]), ("GET", [], "GET /", [:]),
            ("HEAD", ["exits", "us-1"], "GET /exits/{id}", ["id": "us-1"]), ("GET", ["exits", "a/b"], "GET /exits/{id}", ["id": "a/b"]),
            ("GET", ["exits", ""], "GET /exits/{id}", ["id": ""]), ("GET", ["exits", "{id}"], "GET /exits/{id}", ["id": "{id}"]),
            ("GET", ["exits", "us-1", "logs"], "GET /exits/{id}/logs", ["id": "us-1"]),
            ("POST", ["exits", "top", "go"], "POST /exits/top/{action}", ["action": "go"]),
            ("GET", ["x", "y", "z"], "GET /{a}/{b}/{c}", ["a": "x", "b": "y", "c": "z"]),
        ] as [(String, [String], String, [String: String])])
    func `the most exact pattern of a path wins`(method: String, path: [String], found: String, parameters: [String: String]) {
        guard case .found(let route, let values) = router.match(method: method, path: path) else { return #expect(Bool(false)) }
        #expect(route.access == found && values == parameters)
    }

    @Test(
        arguments: [
            ("POST", ["exits", "us-1"], ["DELETE", "GET", "HEAD"]), ("HEAD", ["exits"], ["POST"]),
            ("DELETE", ["exits", "top"], ["GET", "HEAD"]),
            ("get", [], ["GET", "HEAD"]),
        ])
    func `a method that isn't there is told from a path that isn't`(method: String, path: [String], allowed: [String]) {
        guard case .wrongMethod(let methods) = router.match(method: method, path: path) else { return #expect(Bool(false)) }
        #expect(methods == allowed)
    }

    @Test(arguments: [["nothing"], ["exits", "us-1", "logs", "more"], ["Exits"], [""]])
    func `an unknown path is not found`(path: [String]) {
        guard case .notFound = router.match(method: "GET", path: path) else { return #expect(Bool(false)) }
    }
}
