import Glibc
@testable import HAProxyControl
import Model
import Planning
import Platform
import Synchronization
import TestSupport
import Testing

/// Heads as real clients write them, by their bytes, on a real HAProxy.
@Suite(.timeLimit(.minutes(2))) struct HAProxyClientTests {
    typealias Subject = GatewaySubject
    private static let basic = Base64.encode(Array("alice-country-us:\(Subject.password)".utf8))

    /// An exit of the version before: keeps the heads that reach it, says back what comes through a tunnel, and answers a request with how
    /// long its body was.
    private final class Exit: Sendable {
        private let seen = Mutex<[String]>([])
        var heads: [String] { seen.withLock { $0.filter { !$0.hasPrefix("PREPARE ") } } }

        func server() throws -> ScriptedServer {
            try ScriptedServer { [self] connection in
                while let (head, body) = connection.request() {
                    // Its proxy would take a Host for the target of a method that it does not know.
                    if head.hasPrefix("PREPARE "), !head.lowercased().contains("host:") { return _ = connection.answer(400) }
                    seen.withLock { $0.append(head) }
                    guard head.hasPrefix("CONNECT ") else {
                        connection.answer(200, "\(body.count) bytes")
                        continue
                    }
                    connection.write("HTTP/1.0 200 Connection established\r\nProxy-agent: tinyproxy/1.11.1\r\nVia: 1.0 inner\r\n\r\n")
                    while let line = connection.head() { connection.write(line + "\r\n\r\n") }
                }
            }
        }
    }

    private func with(
        _ users: [ProxyUser] = [Subject.user("alice")], _ change: (inout HAProxyConfiguration.Settings) throws -> Void = { _ in },
        _ body: (Subject, Exit) async throws -> Void
    ) async throws {
        try await Subject.with(change) { subject in
            let exit = Exit()
            let server = try exit.server()
            try await subject.gateway.publish(GatewayLayout(pools: [Subject.pool(us, [Subject.slot(1, server)])], users: users))
            try await body(subject, exit)
        }
    }

    private func ask(_ subject: Subject, _ text: String, from source: String? = nil) async throws -> String {
        let raw = try Raw(port: subject.settings.gatewayPort, from: source)
        return try await Blocking.run {
            raw.send(text.replacing("\n", with: "\r\n"))
            return String(decoding: raw.receive(milliseconds: 10_000) ?? [], as: UTF8.self)
        }
    }

    private func summary(_ answer: String) -> String {
        let reason = answer.split(separator: "\r\n").first { $0.lowercased().hasPrefix("x-sallyport-reason: ") }
        return ([answer.split(separator: " ").dropFirst().first] + [reason?.split(separator: " ").last]).compactMap { $0.map(String.init) }
            .joined(separator: " ")
    }

    @Test func `a CONNECT may say that it has no body, and what is behind it goes into the tunnel`() async throws {
        try await with { subject, exit in
            let lines = [
                "CONNECT target.test:443 HTTP/1.0\nHost: target.test:443\nContent-Length: 0\nProxy-Connection: Keep-Alive\nPragma: no-cache\n",
                "CONNECT target.test:443 HTTP/1.1\nContent-Length: 0\nHost: target.test:443\nUser-Agent: Java-http-client/17.0.15\n",
                "CONNECT target.test:443 HTTP/1.1\nHost: other.test\ncontent-length:   00 \n",
                "CONNECT target.test:443 HTTP/1.1\nHost: target.test\nContent-Length: 0\nContent-Length: 0\n",
                "CONNECT target.test:443 HTTP/1.1\nHost: target.test\nExpect: 100-continue\nUpgrade: h2c\n",
            ]
            for line in lines {
                let raw = try Raw(port: subject.settings.gatewayPort)
                raw.send("\(line)Proxy-Authorization: Basic \(Self.basic)\n\nhello\n\n".replacing("\n", with: "\r\n"))
                var seen = ""
                try await eventually("the tunnel answers: \(line)") {
                    seen += String(decoding: raw.receive(milliseconds: 100) ?? [], as: UTF8.self)
                    return seen.contains("\r\n\r\nhello\r\n\r\n") || (seen.hasPrefix("HTTP/1.1 4") && !seen.isEmpty)
                }
                #expect(seen.contains(" 200 "), "\(line): \(seen)")
                #expect(!seen.lowercased().contains("tinyproxy") && !seen.lowercased().contains("via"), "\(seen)")
            }
            for head in exit.heads { #expect(!head.lowercased().contains("content-length") && !head.contains("Expect"), "\(head)") }
            for body in ["Content-Length: 5\n", "Transfer-Encoding: chunked\n", "Content-Length: 0\nTransfer-Encoding: chunked\n"] {
                let answer = try await ask(
                    subject, "CONNECT target.test:443 HTTP/1.1\nHost: target.test\n\(body)Proxy-Authorization: Basic \(Self.basic)\n\n")
                #expect(summary(answer) == "400 not_a_proxy_request", "\(body): \(answer)")
            }
        }
    }

    @Test func `base64 counts in either alphabet, padded or not, and in no other way`() async throws {
        var users: [ProxyUser] = []
        // 0 to 2 signs of padding; the last has "+" and "/" in its base64.
        let passwords = ["a-password-of-alice", "a-password-of-alices", "a-password-of-alice's", "k>k~~?o~>>?n>~?>>k"]
        for (index, password) in passwords.enumerated() { users.append(Subject.user("user\(index)", password: password)) }
        try await with(users) { subject, _ in
            for (index, password) in passwords.enumerated() {
                let text = Base64.encode(Array("user\(index)-country-us:\(password)".utf8))
                let bare = String(text.prefix { $0 != "=" })
                let safe = bare.replacing("+", with: "-").replacing("/", with: "_")
                #expect(index < 3 || safe != bare, "\(bare) has none of these signs")
                for (form, isRight) in [
                    (text, true), (bare, true), (safe, true), ("  " + text, true), (text + "=", true), (String(bare.dropLast(3)), false),
                    (bare + "*", false), (text + "x", false), ("", false),
                ] where !(isRight == false && form == bare) {
                    for scheme in ["Basic", "basic"] {
                        let head = "GET http://target.test/ HTTP/1.1\nHost: target.test\nProxy-Authorization: \(scheme) \(form)\n\n"
                        let answer = try await ask(subject, head)
                        #expect(answer.hasPrefix(isRight ? "HTTP/1.1 200" : "HTTP/1.1 407"), "\(form): \(answer)")
                    }
                }
            }
        }
    }

    @Test func `what needs a tunnel is refused with a reason of its own, in the answer and in the log`() async throws {
        let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13\n"
        let table: [(head: String, wanted: String)] = [
            ("GET https://target.test/ HTTP/1.1\nHost: target.test\n", "400 https_needs_connect"),
            ("POST HTTPS://target.test:443 HTTP/1.1\nHost: target.test\nContent-Length: 0\n", "400 https_needs_connect"),
            ("GET ws://target.test/ HTTP/1.1\nHost: target.test\n", "400 websocket_needs_connect"),
            ("GET WSS://target.test/ HTTP/1.1\nHost: target.test\n", "400 websocket_needs_connect"),
            ("GET http://reader:secret@target.test/ HTTP/1.1\nHost: target.test\n", "400 userinfo_not_allowed"),
            ("CONNECT reader@target.test:443 HTTP/1.1\nHost: target.test\n", "400 userinfo_not_allowed"),
            ("GET http://target.test/ HTTP/1.1\nHost: a\nConnection: Upgrade\nUpgrade: websocket\n\(key)", "400 websocket_needs_connect"),
            (
                "GET http://target.test/ HTTP/1.1\nHost: a\nConnection: upgrade\nUpgrade: h2c, WebSocket\n\(key)",
                "400 websocket_needs_connect"
            ),
            ("GET http://target.test/ HTTP/1.0\nConnection: Upgrade\nUpgrade: websocket\n\(key)", "400 websocket_needs_connect"),
            // Without the word in Connection it is no wish.
            ("GET http://target.test/ HTTP/1.1\nHost: a\nUpgrade: websocket\n", "200"),
            (
                "POST http://target.test/ HTTP/1.1\nHost: a\nConnection: Upgrade\nUpgrade: tcp\nContent-Length: 0\n",
                "400 upgrade_needs_connect"
            ),
            ("GET http://target.test/ HTTP/1.1\nHost: a\nConnection: Upgrade\nUpgrade: SPDY/3.1\n", "400 upgrade_needs_connect"),
            // More of HTTP is an offer only: what a JVM sends.
            (
                "GET http://target.test/ HTTP/1.1\nHost: a\nConnection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABkAAQAAP__\n",
                "200"
            ),
            ("GET http://target.test/ HTTP/1.1\nHost: a\nConnection: Upgrade\nUpgrade: TLS/1.3, HTTP/2.0\n", "200"),
            ("GET http://target.test/ HTTP/1.1\nHost: other.test:8080\nUpgrade-Insecure-Requests: 1\n", "200"),
        ]
        try await with([Subject.user("alice")], { $0.accessLog = .full }) { subject, exit in
            let file = "\(subject.folder.path)/access.log"
            let log = AccessLog(socket: subject.settings.logSocket, file: file, log: .none)
            let writing = Task { await log.run() }
            try await eventually("it listens") { Files.exists(subject.settings.logSocket) }
            for (head, wanted) in table {
                let answer = try await ask(subject, "\(head)Proxy-Authorization: Basic \(Self.basic)\n\n")
                #expect(summary(answer) == wanted, "\(head): \(answer)")
            }
            for head in exit.heads {
                #expect(!head.lowercased().contains("\r\nupgrade:") && !head.lowercased().contains("\r\nhttp2-settings:"))
            }
            // HAProxy itself refuses a second Host that differs: nothing can be added to its answer, but its line tells it from TLS.
            let two = "GET http://target.test/ HTTP/1.1\nHost: target.test\nHost: other.test\nProxy-Authorization: Basic \(Self.basic)\n\n"
            #expect(summary(try await ask(subject, two)) == "400")
            var missing = Set(table.map(\.wanted).filter { $0 != "200" }.map { String($0.dropFirst(4)) }).union(["bad_request"])
            try await eventually("all are in the log") {
                let text = (try? Files.read(file)) ?? ""
                missing = missing.filter { !text.contains("reason=\($0) ") }
                return missing.isEmpty && !text.contains("connection_failed")
            }
            writing.cancel()
            await writing.value
        }
    }

    @Test func `who waits for a 100 gets it at once, and who is refused gets that instead`() async throws {
        try await with { subject, exit in
            let head = "PUT http://target.test/upload HTTP/1.1\nHost: target.test\nExpect: 100-Continue\nContent-Length: 4\n"
            let raw = try Raw(port: subject.settings.gatewayPort)
            raw.send("\(head)Proxy-Authorization: Basic \(Self.basic)\n\n".replacing("\n", with: "\r\n"))
            #expect(String(decoding: raw.receive(milliseconds: 10_000) ?? [], as: UTF8.self) == "HTTP/1.1 100 Continue\r\n\r\n")
            raw.send("body")
            let answer = String(decoding: raw.receive(milliseconds: 10_000) ?? [], as: UTF8.self)
            #expect(answer.hasPrefix("HTTP/1.1 200") && answer.contains("4 bytes"), "\(answer)")
            #expect(exit.heads.count == 1 && !exit.heads.joined().lowercased().contains("expect"), "\(exit.heads)")
            let old = try await ask(
                subject,
                "PUT http://target.test/ HTTP/1.0\nExpect: 100-continue\nContent-Length: 4\nProxy-Authorization: Basic \(Self.basic)\n\nbody"
            )
            #expect(old.contains(" 200 ") && !old.contains("100 Continue"), "HTTP/1.0 has no 100: \(old)")
            #expect(try await ask(subject, head + "\n").hasPrefix("HTTP/1.1 407"))
            let refused = head.replacing("target.test/", with: "10.0.0.1/")
            #expect(try await ask(subject, "\(refused)Proxy-Authorization: Basic \(Self.basic)\n\n").hasPrefix("HTTP/1.1 403"))
        }
    }

    @Test func `who uploads much and is refused by the gateway gets the status, also where nobody looks before all is sent`() async throws {
        try await with { subject, exit in
            let wrong = Base64.encode(Array("alice-country-us:wrong".utf8))
            let table: [(target: String, basic: String, wanted: String)] = [
                ("target.test", wrong, "407 authentication_failed"), ("target.test:25", Self.basic, "403 port_not_allowed"),
                ("10.0.0.1", Self.basic, "403 target_not_allowed"),
            ]
            for (target, basic, wanted) in table {
                for framing in ["Content-Length: 16777216\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n1000000\r\n"] {
                    // More than the system's buffers hold: HAProxy ends the connection while the client still sends.
                    let raw = try Raw(port: subject.settings.gatewayPort)
                    let head = "POST http://\(target)/ HTTP/1.1\r\nHost: a\r\nProxy-Authorization: Basic \(basic)\r\n\(framing)"
                    let answer = try await Blocking.run {
                        raw.send(Array(head.utf8) + [UInt8](repeating: 0x61, count: 16 << 20))
                        return String(decoding: raw.receive(milliseconds: 10_000) ?? [], as: UTF8.self)
                    }
                    #expect(
                        summary(answer).hasPrefix(wanted.prefix(3)) && answer.hasSuffix("\(wanted.dropFirst(4))\n"),
                        "\(wanted) \(framing): \(answer)")
                }
            }
            #expect(exit.heads.isEmpty)
        }
    }

    /// The answers to a SOCKS5 client that offers both methods: to its choice, to its name, to its target.
    private func socks(_ subject: Subject, _ name: String, _ password: String, host: String, from source: String? = nil) async throws
        -> [[UInt8]]
    {
        let target = [3, UInt8(host.utf8.count)] + Array(host.utf8)
        return try await socks(subject, name, password, target: target, from: source)
    }

    /// - Parameter target: the address with its type.
    private func socks(_ subject: Subject, _ name: String, _ password: String, target: [UInt8], from source: String? = nil) async throws
        -> [[UInt8]]
    {
        let raw = try Raw(port: subject.settings.gatewayPort, from: source)
        return try await Blocking.run {
            raw.send([5, 2, 0, 2])
            let method = raw.receive() ?? []
            raw.send([1, UInt8(name.utf8.count)] + Array(name.utf8) + [UInt8(password.utf8.count)] + Array(password.utf8))
            let entry = raw.receive() ?? []
            raw.send([5, 1, 0] + target + [0, 80])
            return [method, entry, Array((raw.receive() ?? []).prefix(2))]
        }
    }

    @Test func `an IPv6 address by SOCKS5, also as a name, is refused as what no exit has`() async throws {
        try await with { subject, exit in
            let table: [(host: String, code: UInt8)] = [
                ("2606:4700::1", 8), ("[2606:4700::1]", 8), ("2606:4700:0:0:0:0:0:1", 8), ("2606:4700::1.2.3.4", 8), ("::1", 2),
                ("[::ffff:10.0.0.1]", 2), ("fe80::1", 2), ("fe80::1%eth0", 1), ("1::2::3", 1), ("[2606:4700::1", 1), ("target.test:80", 1),
            ]
            for (host, code) in table {
                let answers = try await socks(subject, "alice-country-us", Subject.password, host: host)
                #expect(answers == [[5, 2], [1, 0], [5, code]], "\(host): \(answers)")
            }
            let addresses: [([UInt8], UInt8)] = [([0x26, 6, 0x47, 0], 8), ([0, 0, 0, 0], 2), ([0xFE, 0x80, 0, 0], 2)]
            for (start, code) in addresses {
                let target = [4] + start + [UInt8](repeating: 0, count: 11) + [1]
                let answers = try await socks(subject, "alice-country-us", Subject.password, target: target)
                #expect(answers == [[5, 2], [1, 0], [5, code]], "\(start): \(answers)")
            }
            #expect(exit.heads.isEmpty)
        }
    }

    @Test func `a JVM on an allowed address sends its own name without a password, and is let in`() async throws {
        var (alice, bob) = (Subject.user("alice"), Subject.user("bob"))
        alice.addresses = ["127.0.0.9"]
        alice.addressRule = .insteadOfPassword
        alice.countries = [us]
        bob.countries = [us]
        try await with([alice, bob]) { subject, _ in
            func http(_ credentials: String, from source: String) async throws -> String {
                let text = Base64.encode(Array(credentials.utf8))
                return summary(
                    try await ask(
                        subject, "GET http://target.test/ HTTP/1.1\nHost: target.test\nProxy-Authorization: Basic \(text)\n\n", from: source
                    ))
            }
            for name in ["root", "DOMAIN\\someone", "bob", ""] {
                #expect(
                    try await socks(subject, name, "", host: "target.test", from: "127.0.0.9") == [[5, 2], [1, 0], [5, 0]], "\(name)")
                #expect(try await socks(subject, name, "", host: "target.test", from: "127.0.0.8")[1] == [1, 1], "\(name)")
                #expect(try await http("\(name):", from: "127.0.0.9") == "200", "\(name)")
                #expect(try await http("\(name):", from: "127.0.0.8") == "407 authentication_failed", "\(name)")
            }
            #expect(
                try await socks(subject, "root", "wrong", host: "target.test", from: "127.0.0.9")[1] == [1, 1], "a password is claimed")
            #expect(try await http("root:wrong", from: "127.0.0.9") == "407 authentication_failed")
            let own = try await http("bob:\(Subject.password)", from: "127.0.0.9")
            #expect(own == "200", "who has a password is who it says: \(own)")
        }
    }
}
