@testable import HAProxyControl
import HTTPTransport
import Model
import Planning
import Platform
import TestSupport
import Testing

/// Floods of one source, on a real HAProxy: everybody else is served as before, and what was refused is counted.
@Suite(.serialized, .timeLimit(.minutes(2))) struct HAProxyFloodTests {
    typealias Subject = GatewaySubject
    private static let flooder = "127.0.0.9"
    private static let credentials = Base64.encode(Array("alice-country-us:\(Subject.password)".utf8))

    private func with(_ change: (inout HAProxyConfiguration.Settings) throws -> Void, _ body: (Subject) async throws -> Void) async throws {
        let exit = try ScriptedServer { connection in
            while let head = connection.head() {
                guard head.hasPrefix("CONNECT ") else {
                    connection.answer(200, "served")
                    continue
                }
                connection.write("HTTP/1.1 200 Established\r\n\r\n")
                while let line = connection.head() { connection.write(line) }
            }
        }
        try await Subject.with(change) { subject in
            try await subject.gateway.publish(
                GatewayLayout(pools: [Subject.pool(us, [Subject.slot(1, exit)])], users: [Subject.user("alice")]))
            try await body(subject)
        }
    }

    /// The first line of what is answered; empty where the connection ends.
    private func ask(_ connection: Raw, _ line: String = "GET http://target.test/ HTTP/1.1") async throws -> String {
        try await Blocking.run {
            connection.send("\(line)\r\nHost: target.test\r\nProxy-Authorization: Basic \(Self.credentials)\r\n\r\n")
            return String(decoding: (connection.receive() ?? []).prefix(12), as: UTF8.self)
        }
    }

    private func flood(_ port: Int, _ beginnings: [[UInt8]], _ count: Int, prefix: (Int) -> String = { _ in "" }) throws -> [Raw] {
        try (0..<count).map { index in
            let connection = try Raw(port: port, from: Self.flooder)
            connection.send(Array(prefix(index).utf8) + beginnings[index % beginnings.count])
            return connection
        }
    }

    private func standing(_ connections: [Raw]) -> Int { connections.count { $0.receive(milliseconds: 0) != nil } }

    private func refusals(_ subject: Subject) async throws -> [String: Int] {
        let (reading, _) = try #require(try await subject.gateway.usage())
        return reading.refusals.values.reduce(into: [:]) { $0[$1.reason, default: 0] += $1.count }
    }

    private static let halves: [[UInt8]] = [
        [], Array("GET http://target.test/ HTTP/1.1\r\nHost: tar".utf8), [5, 2, 0], [5, 1, 2, 1, 5, 0x61], Array("CONNECT".utf8),
    ]

    @Test func `one source of half requests has its share, and everybody else all of the rest`() async throws {
        try await with({ settings in
            settings.clientLimit = 150
            settings.sourceLimits.pending = 40
        }) { subject in
            let port = subject.settings.gatewayPort
            let kept = try Raw(port: port, from: Self.flooder)
            #expect(try await ask(kept) == "HTTP/1.1 200")
            let tunnel = try Raw(port: port, from: Self.flooder)
            #expect(try await ask(tunnel, "CONNECT target.test:443 HTTP/1.1") == "HTTP/1.1 200")
            let flood = try flood(port, Self.halves, 400)
            try await eventually("all but its share are ended") { standing(flood) <= 44 }
            #expect(standing(flood) >= 20)
            for _ in 0..<20 {
                let other = try Raw(port: port, from: "127.0.0.2")
                #expect(try await ask(other) == "HTTP/1.1 200")
            }
            #expect(try await ask(kept) == "HTTP/1.1 200", "what it had before goes on")
            tunnel.send("through the tunnel\r\n\r\n")
            #expect(String(decoding: tunnel.receive() ?? [], as: UTF8.self).hasPrefix("through"))
            #expect((350...400).contains(try await refusals(subject)["pending_limit"] ?? 0))
        }
    }

    @Test func `a source of many who authenticate is not limited, nor is a trusted proxy, whose clients are counted by IPv6 network`()
        async throws
    {
        try await with({ settings in
            settings.clientLimit = 300
            settings.sourceLimits.pending = 10
            settings.trustedPorts = try Ports.free() - HAProxyConfiguration.generalOffset
        }) { subject in
            // An exit of these tests has a thread for each.
            var tunnels: [Raw] = []
            for _ in 0..<25 {
                let connection = try Raw(port: subject.settings.gatewayPort, from: Self.flooder)
                #expect(try await ask(connection, "CONNECT target.test:443 HTTP/1.1") == "HTTP/1.1 200")
                tunnels.append(connection)
            }
            let trusted = (subject.settings.trustedPorts ?? 0) + HAProxyConfiguration.generalOffset
            func line(_ address: String) -> String { "PROXY TCP6 \(address) 2001:db8::1 4711 80\r\n" }
            let flood = try flood(trusted, Self.halves, 200) { line("2606:4700:1:2:3::\(String($0, radix: 16))") }
            try await eventually("all but the network's share are ended") { standing(flood) <= 12 }
            let other = try Raw(port: trusted, from: Self.flooder)
            other.send(line("2606:4700:1:3::1"))
            #expect(try await ask(other) == "HTTP/1.1 200", "another network behind the same proxy")
            #expect(standing(tunnels) == 25)
        }
    }

    @Test func `half TLS handshakes of one source leave room for others, and sessions work at that port too`() async throws {
        let folder = try TemporaryFolder()
        try Files.write(try await Subject.certificate("proxy-us.lab.test"), to: "\(folder.path)/lab.pem", mode: 0o600)
        try await with({ settings in
            settings.clientLimit = 80
            settings.sourceLimits.tls = 30
            settings.tlsPort = try Ports.free()
            settings.certificateSource = folder.path
        }) { subject in
            let port = try #require(subject.settings.tlsPort)
            let flood = try flood(port, [[0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC], []], 100)
            try await eventually("all but its share are ended") { standing(flood) <= 30 }
            #expect((try await refusals(subject)["tls_limit"] ?? 0) >= 70)
            func curl(_ user: String, _ url: String) async throws -> String {
                try await Programs.run(
                    "curl",
                    [
                        "-s", "-i", "-m", "10", "--interface", "127.0.0.2", "--proxy-insecure", "-x", "https://127.0.0.1:\(port)", "-U",
                        "\(user):\(Subject.password)", url,
                    ]
                ).output
            }
            #expect(try await curl("alice-country-us", "http://target.test/").hasSuffix("served"))
            let page = try await curl("alice-country-us-session-a1", "http://ip.sallyport/")
            #expect(page.contains(#""session": "a1""#) && page.contains(#""protocol": "http""#), "\(page)")
            let refused = try await curl("alice-country-us-session-a1", "http://10.0.0.1/").lowercased()
            #expect(refused.contains("x-sallyport-reason: target_not_allowed"), "\(refused)")
            let sessions = RuntimeAnswers.table(try await RuntimeSocket(path: subject.settings.statsSocket).send("show table sessions"))
            #expect(sessions.keys.contains("alice/a1/us/"))
        }
    }
}
