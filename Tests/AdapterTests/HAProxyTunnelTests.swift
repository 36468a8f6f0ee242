import Glibc
@testable import HAProxyControl
import HTTPTransport
import Model
import Planning
import Platform
import Synchronization
import TestSupport
import Testing

/// SOCKS5 tunnels, whose bytes pass a real HAProxy once, by the rules of HTTP.
@Suite(.timeLimit(.minutes(2))) struct HAProxyTunnelTests {
    private typealias Subject = GatewaySubject

    /// An exit that sends back what comes through a tunnel, and answers for targets by their names.
    private final class Exit: Sendable {
        let server: ScriptedServer
        private let heads: Heads
        private final class Heads: Sendable {
            let all = Mutex<[String]>([])
        }

        init() throws {
            let heads = Heads()
            self.heads = heads
            server = try ScriptedServer(address: ScriptedServer.ownAddress()) { connection in
                guard let head = connection.head() else { return }
                heads.all.withLock { $0.append(head) }
                if head.hasPrefix("PREPARE ") {
                    connection.write("HTTP/1.1 \(head.contains("old") ? "400 ?" : "200 4711")\r\n\r\n")
                } else if let answer = Self.answers.first(where: { head.contains("\($0.name).test") })?.answer {
                    connection.write(answer)
                    connection.hang()
                } else {
                    connection.write("HTTP/1.1 200 Established\r\n\r\n")
                    while let line = connection.head() { connection.write("\(line)\r\n\r\n") }
                }
            }
        }

        var all: [String] { heads.all.withLock { $0 } }

        static let answers: [(name: String, answer: String, reply: UInt8, status: String)] = [
            ("nowhere", failure(502, "dns_failed"), 4, "status=502 reason=dns_failed"),
            ("closed", failure(502, "target_refused"), 5, "status=502 reason=target_refused"),
            ("inside", failure(403, "target_not_allowed"), 2, "status=403 reason=target_not_allowed"),
            ("six", failure(502, "address_not_supported"), 8, "status=502 reason=address_not_supported"),
            ("other", failure(407, "authentication_required"), 4, "status=502 reason=exit_failed"),
            ("full", failure(503, "exit_full"), 4, "status=502 reason=exit_failed"),
            ("old-late", "HTTP/1.0 504 Late\r\n\r\n", 6, "status=504 reason=target_timeout"),
            ("old-failed", "HTTP/1.0 500 Unable\r\n\r\n", 3, "status=502 reason=target_unreachable"),
            ("noise", "\u{1}\u{2}\r\n\r\n", 4, "status=502 reason=exit_failed"),
            ("quiet", "", 6, "status=504 reason=target_timeout"),
        ]

        private static func failure(_ status: Int, _ reason: String) -> String {
            "HTTP/1.1 \(status) X\r\nX-Sallyport-Reason: \(reason)\r\nContent-Length: 1\r\n\r\nx"
        }
    }

    private func with(
        _ change: @Sendable (inout ProxyUser) -> Void = { _ in }, settings: (inout HAProxyConfiguration.Settings) -> Void = { _ in },
        _ body: (Subject, Exit) async throws -> Void
    ) async throws {
        var user = Subject.user("alice")
        change(&user)
        let exit = try Exit()
        defer { exit.server.stop() }
        try await Subject.with(
            {
                ($0.responseTimeout, $0.holdSeconds) = (3, 0)
                settings(&$0)
            }, credentials: Subject.credentials
        ) { subject in
            let pool = Subject.pool(us, [Subject.slot(1, exit.server)])
            try await subject.gateway.publish(GatewayLayout(pools: [pool], users: [user]))
            try await body(subject, exit)
        }
    }

    /// What a client says from its greeting to its request, all of it at once.
    private func handshake(_ host: String, _ user: String = "alice-country-us", port: Int = 80) -> [UInt8] {
        func text(_ text: String) -> [UInt8] { [UInt8(text.utf8.count)] + Array(text.utf8) }
        return [5, 1, 2, 1] + text(user) + text(Subject.password) + [5, 1, 0, 3] + text(host) + [UInt8(port >> 8), UInt8(port & 255)]
    }

    /// A connection whose handshake is over, the code of the reply (nil where there was none), and what came with that.
    private func open(
        _ subject: Subject, _ host: String = "target.test", _ user: String = "alice-country-us", early: [UInt8] = []
    ) async throws -> (raw: Raw, code: UInt8?, rest: [UInt8]) {
        let raw = try Raw(port: subject.settings.gatewayPort, seconds: 20)
        raw.send(handshake(host, user) + early)
        let answer = try await receive(raw, 14)
        return (raw, answer.count >= 14 && answer.prefix(5) == [5, 2, 1, 0, 5] ? answer[5] : nil, Array(answer.dropFirst(14)))
    }

    /// So many bytes at least, or all that come until the end.
    private func receive(_ raw: Raw, _ count: Int) async throws -> [UInt8] {
        try await Blocking.run {
            var bytes: [UInt8] = []
            while bytes.count < count, let more = raw.receive(milliseconds: 10_000), !more.isEmpty { bytes += more }
            return bytes
        }
    }

    private func ask(_ subject: Subject, _ command: String) async throws -> String {
        try await RuntimeSocket(path: subject.settings.statsSocket).send(command)
    }

    @Test func `a tunnel is one stream from the client to its exit, which knows it by its ticket`() async throws {
        try await with { subject, exit in
            let (raw, code, _) = try await open(subject, "Target.Test.")
            #expect(code == 0)
            let streams = try await ask(subject, "show sess").split(separator: "\n").filter {
                $0.contains("src=127.0.0.1") || $0.contains("src=unix")
            }
            let own = streams.filter { !$0.contains("fe=GLOBAL") }
            #expect(own.count == 1 && own[0].contains("fe=gateway be=tunnels srv=pool-us.s1"), "\(own)")
            raw.send("hello\r\n\r\n")
            #expect(try await receive(raw, 9) == Array("hello\r\n\r\n".utf8))
            let secret = ExitCredentials.basic(Subject.credentials.pool(us))
            #expect(
                exit.all.last
                    == "CONNECT target.test:80 HTTP/1.1\r\nHost: target.test:80\r\nProxy-Authorization: Basic \(secret)\r\nX-Sallyport-Ticket: 4711"
            )
        }
    }

    @Test func `what is sent early follows the request, however much it is, and an end of it is passed on`() async throws {
        try await with { subject, _ in
            for size in [1, 1000, 40_000, 300_000] {
                let early = [UInt8](repeating: 120, count: size) + Array("\r\n\r\n".utf8)
                let (raw, code, rest) = try await open(subject, early: early)
                #expect(code == 0, "\(size)")
                let all = rest + (try await receive(raw, early.count - rest.count))
                #expect(all == early, "\(size): \(all.count)")
            }
            let (raw, code, rest) = try await open(subject, early: Array("last\r\n\r\n".utf8))
            raw.endSending()
            #expect(code == 0)
            let all = String(decoding: rest, as: UTF8.self) + (try await raw.receiveAll() ?? "?")
            #expect(all == "last\r\n\r\n")
        }
    }

    @Test func `what follows a refused handshake or request leads nowhere`() async throws {
        try await with { subject, exit in
            let next = handshake("target.test") + Array("CONNECT target.test:80 HTTP/1.1\r\n\r\n".utf8)
            for (host, user, wanted) in [
                ("target.test", "bob-country-us", [5, 2, 1, 1]), ("10.0.0.1", "alice-country-us", [5, 2, 1, 0, 5, 2]),
                ("target.test", "alice-country-de", [5, 2, 1, 0, 5, 5]),
            ] as [(String, String, [UInt8])] {
                let raw = try Raw(port: subject.settings.gatewayPort)
                raw.send(handshake(host, user) + next)
                let answer = try await receive(raw, 100)
                #expect(answer.starts(with: wanted) && answer.count <= 14, "\(host) \(user): \(answer)")
            }
            #expect(exit.all.isEmpty, "\(exit.all)")
        }
    }

    @Test func `why a target was not reached is the reply, counted and in the log`() async throws {
        try await with(settings: { $0.accessLog = .full }) { subject, exit in
            let log = AccessLog(socket: subject.settings.logSocket, file: "\(subject.folder.path)/access.log", log: .none)
            let writing = Task { await log.run() }
            try await eventually("the log is heard") { Files.exists(subject.settings.logSocket) }
            for (name, _, reply, _) in Exit.answers {
                let code = try await open(subject, "\(name).test").code
                #expect(code == reply, "\(name): \(code.map(String.init) ?? "none")")
            }
            #expect(try await open(subject).code == 0)
            let usage = try #require(
                try await subject.gateway.usage()?.reading.counters.first { $0.key.contains(" user alice") }?.value.usage)
            #expect(usage.connections == Exit.answers.count + 1 && usage.errors == Exit.answers.count, "\(usage)")
            var lines = ""
            try await eventually("all are written") {
                lines = (try? Files.read("\(subject.folder.path)/access.log")) ?? ""
                return lines.split(separator: "\n").count > Exit.answers.count
            }
            for (name, _, _, status) in Exit.answers {
                #expect(
                    lines.contains("protocol=socks5 user=alice session=- country=us target=\(name).test:80 exit=pool-us/s1 \(status) "),
                    "\(lines)")
            }
            #expect(lines.contains("target=target.test:80 exit=pool-us/s1 status=200 reason=- "))
            writing.cancel()
            await writing.value
        }
    }

    @Test func `an exit that is gone is told of, also to a session that may not move`() async throws {
        try await with { subject, exit in
            exit.server.stop()
            for user in ["alice-country-us", "alice-country-us-session-a1", "alice-country-us-hardsession-b1"] {
                let code = try await open(subject, "target.test", user).code
                #expect(code == 4, "\(user)")
            }
        }
    }

    @Test func `limits count tunnels of both protocols together`() async throws {
        try await with({ $0.limits.connections = 2 }) { subject, _ in
            let first = try await open(subject)
            let http = try Raw(port: subject.settings.gatewayPort)
            let name = Base64.encode(Array("alice-country-us:\(Subject.password)".utf8))
            http.send("CONNECT target.test:80 HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic \(name)\r\n\r\n")
            #expect(String(decoding: try await receive(http, 12), as: UTF8.self).hasPrefix("HTTP/1.1 200"))
            #expect(first.code == 0)
            #expect(try await open(subject).code == 2)
            first.raw.endSending()
            _ = try await first.raw.receiveAll()
            try await eventually("the first one's place is free") { try await open(subject).code == 0 }
        }
    }

    @Test func `tunnels of a user over its quota are cut`() async throws {
        try await with { subject, _ in
            let (raw, code, _) = try await open(subject)
            #expect(code == 0)
            #expect(try await subject.gateway.openByUser() == ["alice": 1])
            #expect(try await subject.gateway.cut(["alice"]) == 1)
            #expect(try await raw.receiveAll() == "")
        }
    }

    @Test func `a slot's tunnels end with it, and new ones go where it leads then`() async throws {
        try await with { subject, exit in
            let (raw, code, _) = try await open(subject)
            #expect(code == 0)
            let next = try Exit()
            defer { next.server.stop() }
            func publish(_ slots: [GatewaySlot]) async throws {
                try await subject.gateway.publish(GatewayLayout(pools: [Subject.pool(us, slots)], users: [Subject.user("alice")]))
            }
            let revision = try await ask(subject, "show info").split(separator: "\n").first { $0.hasPrefix("description") }
            try await publish([Subject.slot(1, next.server.endpoint, generation: 2)])
            #expect(try await raw.receiveAll() == "")
            let count = exit.all.count
            #expect(try await open(subject).code == 0)
            #expect(exit.all.count == count && next.all.count == 2)
            try await publish([])
            #expect(try await open(subject).code == 5)
            #expect(try await ask(subject, "show servers state tunnels").contains(" pool-us.s1 127.0.0.1 "))
            #expect(try await ask(subject, "show info").split(separator: "\n").first { $0.hasPrefix("description") } == revision)
        }
    }
}
