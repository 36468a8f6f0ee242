@testable import API
@testable import AccessControl
import HTTPServing
import Model
import Platform
@testable import RequestPipeline
import TestSupport
import Testing

/// Who a request comes from, as X-Forwarded-For tells.
@Suite(.timeLimit(.minutes(1))) struct ClientAddressTests {
    private static let proxy = "10.0.0.9"
    private static let hidden = "unreadable behind 10.0.0.9"

    private func client(_ headers: [String: String], peer: String = proxy, trusted: [String] = ["10.0.0.0/8", "fd00::/8"]) -> ClientAddress
    {
        let head = RequestHead(method: "GET", path: [], headers: headers)
        return ClientAddress.of(ServerRequest(head: head, clientAddress: peer), trusted: trusted.compactMap(IPNetwork.init))
    }

    @Test(
        arguments: [
            ("1.2.3.4", "1.2.3.4"), ("6.6.6.6, 1.2.3.4", "1.2.3.4"), ("6.6.6.6, 1.2.3.4, 10.0.0.2", "1.2.3.4"),
            ("1.2.3.4 , 10.0.0.2,10.0.0.3", "1.2.3.4"), ("\t1.2.3.4\t", "1.2.3.4"), ("1.2.3.4,", "1.2.3.4"),
            (", ,1.2.3.4, ,\t,", "1.2.3.4"),
            ("1.2.3.4:51234", "1.2.3.4"), ("1.2.3.4:1", "1.2.3.4"), ("\"1.2.3.4:80\"", "1.2.3.4"), ("for=1.2.3.4", "1.2.3.4"),
            ("for=1.2.3.4:80;proto=https", "1.2.3.4"), ("proto=http; For=\"1.2.3.4\";by=10.0.0.9", "1.2.3.4"), ("1.2.3.4:_port", "1.2.3.4"),
            ("2001:db8::1", "2001:db8::1"), ("[2001:db8::1]", "2001:db8::1"), ("[2001:DB8::1]:443", "2001:db8::1"),
            ("\"[2001:db8::1]:443\"", "2001:db8::1"), ("for=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            ("fe80::1%eth0", "fe80::1"), ("[fe80::1%25eth0]:80", "fe80::1"), ("[fe80::1%eth/0]:80", hidden),
            ("[fe80::1%eth0.1]:80", "fe80::1"),
            ("::ffff:1.2.3.4", "1.2.3.4"), ("[::ffff:1.2.3.4]:80", "1.2.3.4"), ("::ffff:102:304", "1.2.3.4"),
            ("0:0:0:0:0:ffff:1.2.3.4", "1.2.3.4"),
            ("1.2.3.4, ::ffff:10.0.0.2", "1.2.3.4"), ("1.2.3.4, [::ffff:10.0.0.2]:80", "1.2.3.4"), ("1.2.3.4, fd00::1", "1.2.3.4"),
            ("1.2.3.4, for=10.0.0.2", "1.2.3.4"),
            // What names nobody.
            ("", hidden), (" ", hidden), (",,", hidden), ("unknown", hidden), ("UNKNOWN", hidden), ("_hidden", hidden),
            ("for=unknown", hidden),
            ("for=_abc", hidden), ("rubbish", hidden), ("1.2.3.4, rubbish", hidden), ("1.2.3.4, unknown, 10.0.0.2", hidden),
            ("localhost", hidden), ("1.2.3", hidden), ("1.2.3.4.5", hidden), ("256.1.1.1", hidden), ("01.2.3.4", hidden),
            ("1.2.3.4/32", hidden),
            ("10.0.0.9/8", hidden), ("0x0a000009", hidden), ("167772169", hidden), ("1.2.3.4:", hidden), ("1.2.3.4:99999", hidden),
            ("1.2.3.4:-1", hidden), ("1.2.3.4:80:80", hidden), ("1.2.3.4 5", hidden), ("1.2. 3.4", hidden), ("[1.2.3.4]", hidden),
            ("[1.2.3.4]:80", hidden), ("[2001:db8::1", hidden), ("2001:db8::1]", hidden), ("[2001:db8::1]80", hidden), ("[]", hidden),
            ("[]:80", hidden),
            ("[2001:db8::1]:", hidden), ("\"1.2.3.4", hidden), ("1.2.3.4\"", hidden), ("\"\"", hidden), ("''1.2.3.4''", hidden),
            ("for=", hidden), ("for=1.2.3.4;for=6.6.6.6", hidden), ("by=1.2.3.4", hidden), ("1.2.3.4\0junk", hidden),
            ("10.0.0.9\0", hidden),
            ("0.0.0.0", hidden), ("::", hidden), ("::ffff:0.0.0.0", hidden), ("1.2.3.4%eth0", hidden), ("::1%", hidden),
            ("１.2.3.4", hidden),
            // A proxy of ours is nobody's client: whoever says so hides.
            ("10.0.0.9", hidden), ("10.0.0.9:443", hidden), ("10.0.0.3", hidden), ("[::ffff:10.0.0.9]:1", hidden), ("fd00::1", hidden),
            ("10.0.0.3, 10.0.0.2", hidden),
        ] as [(String, String)])
    func `X-Forwarded-For is believed as far as trusted proxies have written it`(header: String, text: String) throws {
        #expect(client(["x-forwarded-for": header]).text == text)
        #expect(client(["x-forwarded-for": header], trusted: []).text == Self.proxy, "nobody is trusted")
        #expect(client(["x-forwarded-for": header], peer: "9.9.9.9").text == "9.9.9.9", "the peer is not trusted")
    }

    @Test func `a trusted proxy without a header is its own client, and with another header is not`() {
        #expect(client([:]) == .known("10.0.0.9"))
        #expect(client(["forwarded": "for=1.2.3.4"]).text == Self.hidden)
        #expect(client(["x-real-ip": "1.2.3.4"]).text == Self.hidden)
        #expect(client(["x-forwarded-for": "1.2.3.4", "forwarded": "for=6.6.6.6", "x-real-ip": "7.7.7.7"]).text == "1.2.3.4")
    }

    @Test func `thousands of entries cost no more than a few`() {
        let many = Array(repeating: "10.0.0.2", count: 50_000).joined(separator: ",")
        #expect(client(["x-forwarded-for": "1.2.3.4," + many]).text == Self.hidden, "no chain is that long")
        #expect(client(["x-forwarded-for": many + ",1.2.3.4"]).text == "1.2.3.4")
        #expect(client(["x-forwarded-for": String(repeating: ",", count: 200_000)]).text == Self.hidden)
        #expect(client(["x-forwarded-for": String(repeating: "[", count: 200_000)]).text == Self.hidden)
    }

    @Test func `no header makes a client one of the trusted proxies, or a trap`() {
        var generator = SplitMix64(state: 41)
        let seeds = [
            "10.0.0.9", "1.2.3.4, 10.0.0.9", "[::ffff:10.0.0.9]:80", "for=\"[fd00::1]:1\";by=x", "unknown, 10.0.0.2:51234",
            "fe80::1%eth0, 10.0.0.3",
            "\"10.0.0.9\"", "10.0.0.9:65535,", "::ffff:a00:9",
        ].map { Array($0.utf8) }
        let trusted = ["10.0.0.0/8", "fd00::/8"].compactMap(IPNetwork.init)
        for _ in 0..<30_000 {
            guard let seed = seeds.randomElement(using: &generator) else { continue }
            let header = String(decoding: Mutation.of(seed, using: &generator), as: UTF8.self)
            let client = client(["x-forwarded-for": header])
            #expect(!client.isIn(trusted) && client != .known(Self.proxy) && client.counted != Self.proxy, "\(header.debugDescription)")
        }
    }

    /// The proxy's address is allowed; its clients' are not.
    @Test(
        arguments: [
            ("203.0.113.7:51234", "address_not_allowed"), ("unknown", "address_not_allowed"),
            ("\"[2001:db8::1]:443\"", "address_not_allowed"),
            ("for=203.0.113.7", "address_not_allowed"), ("127.0.0.1", "address_not_allowed"), ("", "address_not_allowed"),
            ("198.51.100.7:1234", nil), ("::ffff:198.51.100.7", nil), ("[::ffff:198.51.100.7]:443", nil), (nil, nil),
        ] as [(String?, String?)])
    func `allowed networks see the client, whatever form its address has`(header: String?, error: String?) async throws {
        var settings = RequestSettings()
        settings.trustedProxies = ["127.0.0.0/8"].compactMap(IPNetwork.init)
        settings.allowedNetworks = ["127.0.0.0/8", "198.51.100.0/24"].compactMap(IPNetwork.init)
        try await Subject.with(.live, settings: settings) { subject in
            let raw = try Raw(port: try #require(subject.port))
            let key = try #require(Subject.keys[.viewer])
            let line = header.map { "X-Forwarded-For: \($0)\r\n" } ?? ""
            raw.send("GET /api/exits HTTP/1.1\r\nHost: x\r\nX-API-Key: \(key)\r\n\(line)Connection: close\r\n\r\n")
            let answer = try #require(try await raw.receiveAll())
            #expect(answer.contains(error ?? "HTTP/1.1 200"), "\(answer)")
        }
    }

    @Test func `several headers are one list, and an unreadable client has limits of its own`() async throws {
        var settings = RequestSettings()
        settings.trustedProxies = ["127.0.0.1"].compactMap(IPNetwork.init)
        (settings.requests, settings.windowSeconds) = (2, 3600)
        try await Subject.with(.live, settings: settings) { subject in
            let port = try #require(subject.port)
            func check(_ lines: String, _ wanted: String, _ comment: Comment = "") async throws {
                let raw = try Raw(port: port)
                raw.send("GET /api/exits HTTP/1.1\r\nHost: x\r\n\(lines)Connection: close\r\n\r\n")
                let answer = try await raw.receiveAll() ?? ""
                #expect(answer.dropFirst(9).prefix(3) == wanted, comment)
            }
            for wanted in ["401", "401", "429"] {
                try await check("X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 1.2.3.4:5, 127.0.0.1\r\n", wanted)
            }
            for wanted in ["401", "401", "429"] { try await check("X-Forwarded-For: unknown\r\n", wanted) }
            try await check("X-Forwarded-For: _other\r\n", "429", "another word is no other client")
            try await check("X-Forwarded-For: 6.6.6.6\r\n", "401")
            try await check("", "401", "the proxy itself")
        }
    }
}
