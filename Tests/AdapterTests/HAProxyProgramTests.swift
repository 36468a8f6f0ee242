@testable import HAProxyControl
import Model
import Planning
import Platform
import TestSupport
import Testing

/// Requests as known programs write them, through a real HAProxy and the exit's own proxy.
@Suite(.timeLimit(.minutes(2)), .enabled(if: ExitProxyProcess.isBuilt, "there is no .build/debug/exit-proxy"))
struct HAProxyProgramTests {
    private typealias Subject = GatewaySubject

    /// - Parameter body: gets the target's host and port.
    private func with(_ user: ProxyUser = Subject.user("alice"), _ body: (Subject, String) async throws -> Void) async throws {
        let target = try ProgramTarget.server()
        try await Subject.with(credentials: Subject.credentials) { subject in
            let id = try #require(ExitID("us-1"))
            let secret = [Subject.credentials.pool(us), Subject.credentials.own(id, generation: 1)].map(\.revealed).joined(separator: ",")
            try await ExitProxyProcess.with("", secret: secret, folder: subject.folder.path) { port in
                let slot = Subject.slot(1, Endpoint(address: "127.0.0.1", port: port))
                try await subject.gateway.publish(GatewayLayout(pools: [Subject.pool(us, [slot])], users: [user]))
                try await body(subject, "target.test:\(target.port)")
            }
        }
    }

    @Test func `each way that a program asks gets the answer that it needs`() async throws {
        try await with { subject, target in
            for request in ProgramRequest.all {
                let failure = try await request.failure(
                    port: subject.settings.gatewayPort, user: "alice-country-us", password: Subject.password, target: target)
                #expect(failure == nil, "\(request.program): \(failure ?? "")")
            }
        }
    }

    @Test func `what needs an exit of this version passes in a hard session too`() async throws {
        try await with { subject, target in
            for request in ProgramRequest.plain {
                let failure = try await request.failure(
                    port: subject.settings.gatewayPort, user: "alice-country-us-hardsession-a1", password: Subject.password, target: target)
                #expect(failure == nil, "\(request.program): \(failure ?? "")")
            }
        }
    }

    @Test func `a target that refuses an upload before it has begun is heard, and one that is not there has its reason`() async throws {
        let refusing = try ScriptedServer { connection in
            while connection.head() != nil { connection.answer(413, "too much") }
        }
        try await with { subject, _ in
            let basic = Base64.encode(Array("alice-country-us:\(Subject.password)".utf8))
            func ask(_ port: Int, _ head: String) async throws -> String {
                let raw = try Raw(port: subject.settings.gatewayPort)
                return try await Blocking.run {
                    raw.send("\(head)Host: target.test:\(port)\r\nProxy-Authorization: Basic \(basic)\r\n\r\n")
                    return String(decoding: raw.receive(milliseconds: 10_000) ?? [], as: UTF8.self)
                }
            }
            func upload(_ port: Int) async throws -> String {
                try await ask(
                    port, "PUT http://target.test:\(port)/ HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n")
            }
            #expect(try await upload(refusing.port).hasPrefix("HTTP/1.1 413"))
            let closed = try Ports.free()
            #expect(try await upload(closed).contains("x-sallyport-reason: target_refused"))
            let wish = "Connection: Upgrade\r\nUpgrade: tcp\r\n"
            #expect(
                try await ask(closed, "GET http://target.test:\(closed)/ HTTP/1.1\r\n\(wish)").contains(
                    "x-sallyport-reason: target_refused"))
        }
    }

    @Test func `a SOCKS5 client is let in by what it offers at an address that stands for its user`() async throws {
        var alice = Subject.user("alice")
        (alice.addresses, alice.addressRule, alice.countries) = (["127.0.0.9"], .insteadOfPassword, [us])
        try await with(alice) { subject, target in
            let port = UInt16(target.split(separator: ":").last ?? "") ?? 0
            let place: [UInt8] = [5, 1, 0, 3, 11] + Array("target.test".utf8) + [UInt8(port >> 8), UInt8(port & 255)]
            // A JVM without credentials says the name of its account. Others offer nothing but "none", or say nothing of themselves.
            let table: [(program: String, sent: [[UInt8]], answers: [[UInt8]])] = [
                ("none alone", [[5, 1, 0]], [[5, 0]]),
                ("GSSAPI or none", [[5, 2, 1, 0]], [[5, 0]]),
                ("a JVM", [[5, 2, 0, 2], [1, 4] + Array("root".utf8) + [0]], [[5, 2], [1, 0]]),
                ("password alone, empty", [[5, 1, 2], [1, 0, 0]], [[5, 2], [1, 0]]),
            ]
            for (program, sent, answers) in table {
                let raw = try Raw(port: subject.settings.gatewayPort, from: "127.0.0.9")
                let came = try await Blocking.run {
                    (sent + [place]).map { bytes in
                        raw.send(bytes)
                        return raw.receive(milliseconds: 10_000) ?? []
                    }
                }
                #expect(came == answers + [[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]], "\(program): \(came)")
            }
            for offered in [[5, 1, 1], [5, 0]] as [[UInt8]] {
                let raw = try Raw(port: subject.settings.gatewayPort, from: "127.0.0.9")
                raw.send(offered)
                #expect(raw.receive(milliseconds: 10_000) == [5, 255], "\(offered)")
            }
            let stranger = try Raw(port: subject.settings.gatewayPort, from: "127.0.0.8")
            stranger.send([5, 1, 0])
            #expect(stranger.receive(milliseconds: 10_000) == [5, 255])
        }
    }

    @Test func `a name and password that are said twice count once, and two of them not at all`() async throws {
        try await with { subject, target in
            let (right, wrong) = ("alice-country-us:\(Subject.password)", "alice-country-us:wrong")
            for (pair, status) in [([right, right], "200"), ([right, wrong], "407"), ([wrong, right], "407")] {
                let fields = pair.map { "Proxy-Authorization: Basic \(Base64.encode(Array($0.utf8)))\r\n" }.joined()
                let raw = try Raw(port: subject.settings.gatewayPort)
                raw.send("GET http://\(target)/ HTTP/1.1\r\nHost: \(target)\r\n\(fields)\r\n")
                let answer = String(decoding: raw.receive(milliseconds: 10_000) ?? [], as: UTF8.self)
                #expect(answer.hasPrefix("HTTP/1.1 \(status)"), "\(answer)")
            }
        }
    }
}
