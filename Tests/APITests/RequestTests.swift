import API
import Model
import Testing

@Suite(.timeLimit(.minutes(1))) struct RequestTests {
    @Test(arguments: ["{", "{\"country\":}", "us", "\u{0}", #"{"country":"us"} x"#, String(repeating: "[", count: 5000)], Way.allCases)
    func `a body that is not JSON is 400`(body: String, way: Way) async throws {
        try await Subject.with(way) { subject in
            let answer = try await subject.call("POST", "/api/exits", body: body)
            #expect(answer.status == 400 && answer.error == "malformed_json")
        }
    }

    /// JSON that two readers may take for two things.
    @Test(
        arguments: [
            (#"{"country":"us","country":"de"}"#, "byte 16", "country is there twice"),
            (#"{"country":"us","c\u006funtry":"de"}"#, "byte 16", "country is there twice"), (#"{"country":"us",}"#, "byte 15", "comma"),
            (#"{"country":"us","tags":["p2p",]}"#, "byte 29", "comma"), ("\u{FEFF}{\"country\":\"us\"}", "byte 0", "byte order mark"),
            ("{\0\"\0c\0o\0u\0n\0t\0r\0y\0\"\0:\0\"\0u\0s\0\"\0}\0", "byte 0", "UTF-16"),
            (#"{"country":"us"}"# + "\0", "byte 16", "follows"),
            (#"{'country':'us'}"#, "byte 1", "double quotes"), (#"{"country":"us"/**/}"#, "byte 15", "comma"),
            (#"{"country":"us","max_load":NaN}"#, "byte 27", "begins"), (#"{"country":"us","max_load":050}"#, "byte 27", "begins with 0"),
            (#"{"country":"us","city":"\ud800"}"#, "byte 24", "surrogates"), (#"{"country":"us","city":"\#n"}"#, "byte 24", "control"),
            (#"{"country":"us"}{"country":"de"}"#, "byte 16", "follows"), ("  ", "byte 2", "nothing"),
        ], Way.allCases)
    func `a body that is not strictly JSON is 400, and where it is wrong is told`(call: (String, String, String), way: Way) async throws {
        try await Subject.with(way) { subject in
            let before = subject.operations.state.revision
            let answer = try await subject.call("POST", "/api/exits", body: call.0)
            #expect(answer.status == 400 && answer.error == "malformed_json", "\(answer.text)")
            #expect(answer.text.contains(call.1) && answer.text.contains(call.2), "\(answer.text)")
            #expect(subject.operations.state.revision == before, "nothing was changed")
        }
    }

    @Test(
        arguments: [
            ("POST", "/api/exits", "{}", ["country"]),
            ("POST", "/api/exits", "[]", ["body", "country"]),
            ("POST", "/api/exits", #"{"country":"zz"}"#, ["country"]),
            ("POST", "/api/exits", #"{"country":1}"#, ["country"]),
            ("POST", "/api/exits", #"{"country":"us","size":2}"#, ["size"]),
            ("POST", "/api/exits", #"{"country":"us","city":"a\nb"}"#, ["city"]),
            ("POST", "/api/exits", #"{"country":"us","city":""}"#, ["city"]),
            ("PUT", "/api/pools/us", #"{"size":1,"city":""}"#, ["city"]),
            ("PUT", "/api/pools/us", #"{"size":1,"tags":["p2p","a b",""]}"#, ["tags[1]", "tags[2]"]),
            ("PUT", "/api/pools/us", #"{"size":1,"hostnames":["us1.lab.test","us1 lab"],"exclude":"us2"}"#, ["hostnames[1]", "exclude"]),
            ("POST", "/api/exits", #"{"country":"us","exclude":["us1.lab.test/x"],"tags":[7]}"#, ["exclude[0]", "tags[0]"]),
            ("POST", "/api/exits", #"{"country":"zz","strategy":"best","city":7}"#, ["city", "strategy", "country"]),
            ("PUT", "/api/pools/us", "{}", ["size"]),
            ("PUT", "/api/pools/us", #"{"size":0}"#, ["size"]),
            ("PUT", "/api/pools/us", #"{"size":11}"#, ["size"]),
            ("PUT", "/api/pools/us", #"{"size":1.5}"#, ["size"]),
            ("PUT", "/api/pools/us", #"{"size":true}"#, ["size"]),
            ("PUT", "/api/pools/zz", #"{"size":1}"#, ["cc"]),
            ("POST", "/api/users", "{}", ["name"]),
            ("POST", "/api/users", #"{"name":"a-b"}"#, ["name"]),
            ("POST", "/api/users", #"{"name":"Bob"}"#, ["name"]),
            ("POST", "/api/users", #"{"name":"bob","password":"short"}"#, ["password"]),
            ("POST", "/api/users", #"{"name":"bob","password":"with a space in it"}"#, ["password"]),
            ("POST", "/api/users", #"{"name":"bob","role":"admin"}"#, ["role"]),
            ("POST", "/api/users", #"{"name":"bob","countries":["us","zz"]}"#, ["countries[1]"]),
            ("POST", "/api/users", #"{"name":"bob","addresses":["10.0.0.0/33"]}"#, ["addresses[0]"]),
            ("POST", "/api/users", #"{"name":"bob","addresses":["0.0.0.0/0"],"address_rule":"instead_of_password"}"#, ["addresses[0]"]),
            ("POST", "/api/users", #"{"name":"bob","address_rule":"instead_of_password"}"#, ["addresses"]),
            (
                "POST", "/api/users", #"{"name":"bob","addresses":["0.0.0.0/1","128.0.0.0/1"],"address_rule":"instead_of_password"}"#,
                ["addresses[0]", "addresses[1]"]
            ),
            (
                "POST", "/api/users",
                #"{"name":"bob","addresses":["10.0.0.0/8","8.0.0.0/9","9.0.0.0/9","12.0.0.0/9"],"address_rule":"instead_of_password"}"#,
                ["addresses"]
            ),
            ("POST", "/api/users", #"{"name":"bob","addresses":["::/0"],"address_rule":"instead_of_password"}"#, ["addresses[0]"]),
            ("POST", "/api/users", #"{"name":"bob","addresses":["::ffff:0:0/97"],"address_rule":"instead_of_password"}"#, ["addresses[0]"]),
            ("POST", "/api/users", #"{"name":"bob","password":"aaaaaaaaaaaa"}"#, ["password"]),
            ("POST", "/api/users", #"{"name":"bobby","password":"xK-bobby-9vQ2m"}"#, ["password"]),
            ("POST", "/api/webhooks", #"{"url":"https://h.example","secret":"\#(String(repeating: "a1", count: 20))"}"#, ["secret"]),
            ("POST", "/api/users", #"{"name":"bob","limits":{"connections":0}}"#, ["limits.connections"]),
            ("POST", "/api/users", #"{"name":"bob","expires_at":"soon"}"#, ["expires_at"]),
        ] as [(String, String, String, [String])], Way.allCases)
    func `a body with mistakes is 422, and every field at fault is named`(call: (String, String, String, [String]), way: Way) async throws {
        try await Subject.with(way) { subject in
            let before = subject.operations.state.revision
            let answer = try await subject.call(call.0, call.1, body: call.2)
            #expect(answer.status == 422 && answer.error == "invalid", "\(answer.text)")
            #expect(answer.fields.sorted() == call.3.sorted())
            #expect(subject.operations.state.revision == before, "nothing was changed")
        }
    }

    @Test(
        arguments: [
            ("/api/exits?contry=us", "contry"), ("/api/exits?country=zz", "country"), ("/api/exits?state=up", "state"),
            ("/api/exits/us-1?x=1", "x"), ("/api/exits/us-1/health?x", "x"), ("/api/exits/us-1/logs?lines=0", "lines"),
            ("/api/exits/us-1/logs?lines=many", "lines"), ("/api/pools?x=1", "x"), ("/api/pools/us?x=1", "x"), ("/api/pools/zz", "cc"),
            ("/api/countries?x=1", "x"), ("/api/users?x=1", "x"),
            ("/api/all/servers?limit=0", "limit"), ("/api/all/servers?limit=20001", "limit"), ("/api/all/servers?offset=-1", "offset"),
            ("/api/all/servers?country=zz", "country"), ("/api/nordvpn/servers/us?country=us", "country"),
            ("/api/all/servers/top?offset=1", "offset"), ("/api/all/countries?x=1", "x"),
            ("/api/all/servers?hostnames=\(String(repeating: "h", count: 2_001))", "hostnames"),
            ("/api/all/servers?exclude=%C3%BC", "exclude"), ("/api/all/servers?tags=a%7F", "tags"),
        ], Way.allCases)
    func `a query or a country that is not known is 422 and named`(call: (String, String), way: Way) async throws {
        try await Subject.with(way) { subject in
            let answer = try await subject.call("GET", call.0)
            #expect(answer.status == 422 && answer.fields == [call.1], "\(answer.text)")
        }
    }

    @Test(arguments: ["-1", "121", "nan", "inf", "soon", ""], Way.allCases)
    func `a wait that is no number of 0 to 120 is 422`(wait: String, way: Way) async throws {
        try await Subject.with(way) { subject in
            let answer = try await subject.call("POST", "/api/exits?wait=\(wait)", body: #"{"country":"us"}"#)
            #expect(answer.status == 422 && answer.fields == ["wait"])
        }
    }

    @Test(
        arguments: [
            ("GET", "/api/exits/us-9"), ("GET", "/api/exits/us-9/health"), ("GET", "/api/exits/us-9/logs"), ("DELETE", "/api/exits/us-9"),
            ("POST", "/api/exits/us-9/rotate"), ("GET", "/api/exits/us-01"), ("GET", "/api/exits/zz-1"), ("GET", "/api/exits/..%2Fusers"),
            ("GET", "/api/pools/fr"), ("DELETE", "/api/pools/fr"), ("DELETE", "/api/users/nobody"), ("GET", "/api"),
            ("GET", "/api//exits"), ("GET", "/api/exits/us-1/more"), ("GET", "/API/exits"),
        ], Way.allCases)
    func `what there isn't is 404`(call: (String, String), way: Way) async throws {
        try await Subject.with(way) { subject in
            let answer = try await subject.call(call.0, call.1)
            #expect(answer.status == 404 && answer.error == "not_found", "\(answer.text)")
        }
    }

    @Test(
        arguments: [
            ("PATCH", "/api/exits", "GET, HEAD, OPTIONS, POST"), ("DELETE", "/api/exits", "GET, HEAD, OPTIONS, POST"),
            ("GET", "/api/exits/us-1/rotate", "OPTIONS, POST"),
            ("POST", "/api/pools/us", "DELETE, GET, HEAD, OPTIONS, PUT"), ("POST", "/health/live", "GET, HEAD, OPTIONS"),
            ("PUT", "/api/users/alice", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ], Way.allCases)
    func `a method that a path doesn't have is 405 with those that it has`(call: (String, String, String), way: Way) async throws {
        try await Subject.with(way) { subject in
            let answer = try await subject.call(call.0, call.1)
            #expect(answer.status == 405 && answer.headers["allow"] == call.2 && answer.error == "method_not_allowed")
        }
    }

    @Test(arguments: ["/health/live", "/api/exits", "/api/countries"])
    func `HEAD answers like GET, without the body`(target: String) async throws {
        try await Subject.with(.live) { subject in
            let get = try await subject.call("GET", target)
            let head = try await subject.call("HEAD", target)
            #expect(head.status == 200 && head.body.isEmpty)
            #expect(
                head.headers["content-length"] == get.headers["content-length"]
                    && head.headers["content-type"] == get.headers["content-type"])
        }
    }
}
