import HAProxyControl
import HTTPTransport
import Model
import Planning
import Platform
import TestSupport
import Testing

/// What counts as a request for a proxy, and where it may lead: by the bytes of request lines, on a real HAProxy.
@Suite(.timeLimit(.minutes(1))) struct HAProxyTargetTests {
    private static let credentials = Base64.encode(Array("alice-country-us:\(GatewaySubject.password)".utf8))

    /// The status and the reason of the first answer on a connection of its own.
    private func ask(_ subject: GatewaySubject, _ line: String, host: String, _ more: String = "") async throws -> String {
        let raw = try Raw(port: subject.settings.gatewayPort)
        return try await Blocking.run {
            raw.send("\(line) HTTP/1.1\r\nHost: \(host)\r\nProxy-Authorization: Basic \(Self.credentials)\r\n\(more)\r\n")
            let head = String(decoding: raw.receive() ?? [], as: UTF8.self)
            let reason = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("x-sallyport-reason: ") }
            return "\(head.split(separator: " ").dropFirst().first ?? "") \(reason?.split(separator: " ").last ?? "")"
        }
    }

    private func with(_ body: (GatewaySubject) async throws -> Void) async throws {
        let exit = try GatewaySubject.exit("american")
        try await GatewaySubject.with { subject in
            try await subject.gateway.publish(
                GatewayLayout(pools: [GatewaySubject.pool(us, [GatewaySubject.slot(1, exit)])], users: [GatewaySubject.user("alice")]))
            try await body(subject)
        }
    }

    @Test func `only a request for a proxy, to a target that anybody may reach, goes on`() async throws {
        // Those without a reason HAProxy refuses itself.
        let table: [(line: String, host: String, answer: String)] = [
            ("CONNECT target.test:443", "target.test:443", "200 "),
            ("CONNECT [2606:4700::1]:443", "[2606:4700::1]:443", "502 address_not_supported"),
            ("GET http://[2606:4700::1]/", "[2606:4700::1]", "502 address_not_supported"),
            ("CONNECT target.test.:443", "target.test.:443", "200 "), ("CONNECT target.test", "target.test", "400 not_a_proxy_request"),
            ("CONNECT target.test:0", "target.test:0", "400 not_a_proxy_request"),
            ("CONNECT target.test:080", "target.test:080", "400 not_a_proxy_request"),
            ("CONNECT target.test:65536", "target.test:65536", "400 bad_target"),
            ("CONNECT target.test:443000", "target.test:443000", "400 not_a_proxy_request"),
            ("CONNECT a..b:443", "a..b:443", "400 bad_target"), ("CONNECT target.test:25", "target.test:25", "403 port_not_allowed"),
            ("CONNECT 10.0.0.1:443", "10.0.0.1:443", "403 target_not_allowed"),
            ("CONNECT 0x7f.1:443", "0x7f.1:443", "403 target_not_allowed"),
            ("CONNECT [::1]:443", "[::1]:443", "403 target_not_allowed"),
            ("CONNECT [::ffff:0:808:808]:443", "[::ffff:0:808:808]:443", "403 target_not_allowed"),
            ("CONNECT [2606:4700::5efe:a00:1]:443", "[2606:4700::5efe:a00:1]:443", "403 target_not_allowed"),
            ("CONNECT [4000::1]:443", "[4000::1]:443", "403 target_not_allowed"),
            ("CONNECT [64:ff9b::a00:1]:443", "[64:ff9b::a00:1]:443", "403 target_not_allowed"),
            ("CONNECT [64:ff9b::808:808]:443", "[64:ff9b::808:808]:443", "502 address_not_supported"),
            ("CONNECT [64:ff9b:1::808:808]:443", "[64:ff9b:1::808:808]:443", "403 target_not_allowed"),
            ("CONNECT localhost:443", "localhost:443", "403 target_not_allowed"),
            ("GET http://target.test/", "target.test", "200 "), ("GET HTTP://TARGET.test/?x", "TARGET.test", "200 "),
            ("GET http://target.test:8080/a:b", "target.test:8080", "200 "),
            ("GET /", "target.test", "400 not_a_proxy_request"), ("GET http://target.test:/", "target.test:", "200 "),
            ("GET http://[2606:4700::1]80/", "[2606:4700::1]80", "400 not_a_proxy_request"),
            ("GET ftp://target.test/", "target.test", "400 not_a_proxy_request"),
            ("GET https://target.test/", "target.test", "400 https_needs_connect"),
            ("GET http://169.254.169.254/", "169.254.169.254", "403 target_not_allowed"),
            ("TRACE http://target.test/", "target.test", "405 method_not_allowed"),
        ]
        try await with { subject in
            for row in table {
                let answer = try await ask(subject, row.line, host: row.host)
                #expect(answer == row.answer, "\(row.line)")
            }
            let connect = "CONNECT target.test:443"
            #expect(try await ask(subject, connect, host: "target.test:443", "Content-Length: 5\r\n") == "400 not_a_proxy_request")
            #expect(try await ask(subject, connect, host: "target.test:443", "Transfer-Encoding: chunked\r\n") == "400 not_a_proxy_request")
            #expect(try await ask(subject, "GET http://target.test/", host: "target.test", "X-A: a\u{1}b\r\n").hasPrefix("400"))
        }
    }

    @Test func `every request of a connection is looked at, and neither HTTP/2 nor another protocol gets in`() async throws {
        try await with { subject in
            let raw = try Raw(port: subject.settings.gatewayPort)
            let answers = try await Blocking.run {
                ["http://target.test/", "http://10.0.0.1/", "http://target.test/b"].map { url in
                    let host = url.split(separator: "/")[1]
                    raw.send("GET \(url) HTTP/1.1\r\nHost: \(host)\r\nProxy-Authorization: Basic \(Self.credentials)\r\n\r\n")
                    return String(decoding: raw.receive()?.prefix(12) ?? [], as: UTF8.self)
                }
            }
            #expect(answers.prefix(2) == ["HTTP/1.1 200", "HTTP/1.1 403"])
            // HTTP/2 with prior knowledge, SSH, SOCKS4.
            let others = [
                "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0", "SSH-2.0-OpenSSH_9.2\r\n\r\n",
                "\u{4}\u{1}\0\u{50}\u{1}\u{2}\u{3}\u{4}\0",
            ]
            for bytes in others {
                let raw = try Raw(port: subject.settings.gatewayPort)
                raw.send(bytes)
                raw.endSending()
                let answer = try #require(try await raw.receiveAll())
                #expect(answer.hasPrefix("HTTP/1.1 400") || answer.isEmpty, "\(answer)")
            }
        }
    }
}
