@testable import HAProxyControl
import HTTPTransport
import Model
import Planning
import Platform
import TestSupport
import Testing

/// Guesses at passwords, on a real HAProxy: who guesses has to wait, everybody else is heard, and somebody is told.
@Suite(.serialized, .timeLimit(.minutes(2))) struct HAProxyGuessTests {
    typealias Subject = GatewaySubject
    private static let guesser = "127.0.0.9"
    private static let waits = "429 too_many_tries 60"
    private static let wrong = "407 authentication_failed"

    /// Four wrong passwords a minute of a source, and so twelve for a name.
    /// - Parameter certificates: a folder, where there is to be a TLS port.
    private func with(certificates: String? = nil, _ body: (Subject, GatewayLayout) async throws -> Void) async throws {
        let exit = try Subject.exit("served")
        try await Subject.with({ settings in
            settings.sourceLimits.failedPasswords = 4
            settings.certificateSource = certificates
            settings.tlsPort = certificates == nil ? nil : try Ports.free()
        }) { subject in
            let layout = GatewayLayout(
                pools: [Subject.pool(us, [Subject.slot(1, exit)])], users: [Subject.user("alice"), Subject.user("bob")])
            try await subject.gateway.publish(layout)
            try await body(subject, layout)
        }
    }

    /// Status, reason and `Retry-After` of an answer, as far as it has them.
    private func ask(_ subject: Subject, from source: String, as user: String, _ password: String = Subject.password) async throws -> String
    {
        try await Blocking.run {
            let connection = try Raw(port: subject.settings.gatewayPort, from: source)
            let credentials = Base64.encode(Array("\(user)-country-us:\(password)".utf8))
            connection.send(
                "GET http://target.test/ HTTP/1.1\r\nHost: target.test\r\nProxy-Authorization: Basic \(credentials)\r\nConnection: close\r\n\r\n"
            )
            let lines = String(decoding: connection.receive() ?? [], as: UTF8.self).split(separator: "\r\n")
            let fields = ["x-sallyport-reason: ", "retry-after: "].compactMap { name in
                lines.first { $0.lowercased().hasPrefix(name) }?.dropFirst(name.count)
            }
            return ([lines.first?.dropFirst(9).prefix(3) ?? ""] + fields).joined(separator: " ")
        }
    }

    /// The reply to a password by SOCKS5.
    private func askBySOCKS(_ subject: Subject, as user: String, _ password: String = Subject.password) async throws -> [UInt8]? {
        try await Blocking.run {
            let connection = try Raw(port: subject.settings.gatewayPort, from: Self.guesser)
            connection.send([5, 1, 2])
            #expect(connection.receive() == [5, 2])
            let name = Array("\(user)-country-us".utf8)
            connection.send([1, UInt8(name.count)] + name + [UInt8(password.utf8.count)] + Array(password.utf8))
            return connection.receive()
        }
    }

    private func refusals(_ subject: Subject) async throws -> [String: Int] {
        let (reading, _) = try #require(try await subject.gateway.usage())
        return reading.refusals.values.reduce(into: [:]) { $0[$1.reason, default: 0] += $1.count }
    }

    @Test func `a source with too many wrong passwords waits, also with a right one, and nobody else does`() async throws {
        try await with { subject, _ in
            #expect(try await ask(subject, from: Self.guesser, as: "alice") == "200")
            for _ in 0..<2 {
                #expect(try await ask(subject, from: Self.guesser, as: "bob", "guess") == Self.wrong)
                #expect(try await askBySOCKS(subject, as: "bob", "guess") == [1, 1])
            }
            #expect(try await ask(subject, from: Self.guesser, as: "bob", "guess") == Self.waits)
            #expect(try await ask(subject, from: Self.guesser, as: "bob") == Self.waits, "an answer would confirm a guess")
            #expect(try await askBySOCKS(subject, as: "bob") == [1, 1])
            #expect(try await ask(subject, from: "127.0.0.2", as: "bob") == "200", "who comes from elsewhere")
            #expect(try await ask(subject, from: Self.guesser, as: "alice") == "200", "who has come from there before")
            #expect(try await askBySOCKS(subject, as: "alice") == [1, 0])
            let counted = try await refusals(subject)
            #expect(counted == ["authentication_failed": 4, "too_many_tries": 3])
        }
    }

    @Test func `a source with too many is one alert as long as it sends them`() async throws {
        try await with { subject, _ in
            for _ in 0..<4 { #expect(try await ask(subject, from: Self.guesser, as: "bob", "guess") == Self.wrong) }
            _ = try await refusals(subject)
            #expect(subject.gateway.guessAlerts == [], "nobody has had to wait")
            #expect(try await ask(subject, from: Self.guesser, as: "bob", "guess") == Self.waits)
            _ = try await refusals(subject)
            let first = subject.gateway.guessAlerts
            #expect(first.map(\.subject) == [.guesses(Self.guesser)])
            #expect(first.first?.message == "\(Self.guesser) sends about 5 wrong passwords a minute to the proxies")
            #expect(try await ask(subject, from: Self.guesser, as: "bob", "guess") == Self.waits)
            _ = try await refusals(subject)
            #expect(subject.gateway.guessAlerts.map(\.since) == first.map(\.since))
            subject.gateway.guesses.set([])
            #expect(subject.gateway.guessAlerts == [])

            let shared = "127.0.0.3"
            #expect(try await ask(subject, from: shared, as: "alice") == "200")
            for _ in 0..<5 { #expect(try await ask(subject, from: shared, as: "alice", "guess") == Self.wrong) }
            _ = try await refusals(subject)
            #expect(
                Set(subject.gateway.guessAlerts.map(\.subject)) == [.guesses(Self.guesser), .guesses(shared)],
                "also where nobody waits, for the user has been there")
        }
    }

    @Test func `a name that several sources try is heard once from each, and always from where its user has been`() async throws {
        try await with { subject, _ in
            let home = "127.0.0.30"
            #expect(try await ask(subject, from: home, as: "alice") == "200")
            for source in 11...13 {
                for _ in 0..<4 { #expect(try await ask(subject, from: "127.0.0.\(source)", as: "alice", "guess") == Self.wrong) }
            }
            #expect(try await ask(subject, from: "127.0.0.14", as: "alice", "guess") == Self.wrong)
            #expect(try await ask(subject, from: "127.0.0.14", as: "alice", "guess") == Self.waits)
            #expect(try await ask(subject, from: "127.0.0.14", as: "alice") == Self.waits)
            #expect(try await ask(subject, from: "127.0.0.14", as: "bob") == "200", "another name")
            #expect(try await ask(subject, from: "127.0.0.15", as: "alice") == "200", "a source without a wrong password")
            #expect(try await ask(subject, from: home, as: "alice", "an old password") == Self.wrong)
            #expect(try await ask(subject, from: home, as: "alice") == "200")
            for source in 21...25 {
                for _ in 0..<4 { _ = try await ask(subject, from: "127.0.0.\(source)", as: "nobody", "guess") }
            }
            _ = try await refusals(subject)
            let alerts = subject.gateway.guessAlerts
            #expect(alerts.map(\.subject) == [.guessed("alice")], "neither sources that sent few, nor a name that is no user's")
            #expect(alerts.first?.withoutUserName(number: 1).message.hasPrefix("user ***: several sources") == true)
        }
    }

    @Test func `wrong passwords at the TLS port count, and a reload forgets neither them nor where users have been`() async throws {
        let folder = try TemporaryFolder()
        try Files.write(try await Subject.certificate("proxy-us.lab.test"), to: "\(folder.path)/lab.pem", mode: 0o600)
        try await with(certificates: folder.path) { subject, layout in
            #expect(try await ask(subject, from: Self.guesser, as: "alice") == "200")
            let port = try #require(subject.settings.tlsPort)
            for _ in 0..<4 {
                let answer = try await Programs.run(
                    "curl",
                    [
                        "-s", "-o", "/dev/null", "-w", "%{http_code}", "-m", "10", "--interface", Self.guesser, "--proxy-insecure", "-x",
                        "https://127.0.0.1:\(port)", "-U", "bob-country-us:guess", "http://target.test/",
                    ])
                #expect(answer.output == "407")
            }
            #expect(try await ask(subject, from: Self.guesser, as: "bob") == Self.waits)

            let (worker, socket) = (try await subject.workerPid, RuntimeSocket(path: subject.settings.statsSocket))
            try await eventually("the worker can hand its tables over") {
                RuntimeAnswers.peersAreReady(try await socket.send("show peers"))
            }
            var larger = layout
            larger.pools.append(Subject.pool(de))
            try await subject.gateway.publish(larger)
            #expect(try await subject.workerPid != worker)
            for table in ["origins", "guesses"] {
                try await eventually("\(table) is handed over") {
                    try await !RuntimeAnswers.table(socket.send("show table \(table)")).isEmpty
                }
            }
            #expect(try await ask(subject, from: Self.guesser, as: "bob") == Self.waits)
            #expect(try await ask(subject, from: Self.guesser, as: "alice") == "200")
        }
    }
}
