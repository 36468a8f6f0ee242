import Glibc
@testable import HAProxyControl
import HTTPTransport
import Model
import Planning
import Platform
import TestSupport
import Testing

/// A gateway that can't be changed, or that serves nobody, is brought back by what the loop does: it observes, and publishes what differs.
@Suite(.timeLimit(.minutes(2)), .serialized) struct HAProxyStandingTests {
    typealias Subject = GatewaySubject

    /// One look of the loop.
    private static func look(_ subject: Subject, _ layout: GatewayLayout) async throws {
        let seen = try? await subject.gateway.observe()
        guard seen.map(layout.differs) ?? true else { return }
        try await subject.gateway.publish(layout)
    }

    /// A tunnel through an exit that sends back what it gets.
    private static func tunnel(_ subject: Subject) async throws -> Raw {
        let raw = try Raw(port: subject.settings.gatewayPort)
        raw.send(
            "CONNECT target.test:80 HTTP/1.1\r\nProxy-Authorization: Basic \(Base64.encode(Array("alice-country-de:\(Subject.password)".utf8)))\r\n\r\n"
        )
        let answer = try await Blocking.run { String(decoding: raw.receive() ?? [], as: UTF8.self) }
        #expect(answer.hasPrefix("HTTP/1.1 200"), "\(answer)")
        return raw
    }

    private static func echoes(_ raw: Raw) async throws -> Bool {
        try await Blocking.run {
            raw.send("GET / HTTP/1.1\r\n\r\n")
            return String(decoding: raw.receive() ?? [], as: UTF8.self).contains("echo")
        }
    }

    @Test(arguments: GatewayFault.allCases)
    func `whatever is done to HAProxy behind our back, it serves again and can be changed`(fault: GatewayFault) async throws {
        try await Subject.with { subject in
            let echo = try ScriptedServer { connection in
                while let head = connection.head() {
                    connection.write(head.hasPrefix("CONNECT ") ? "HTTP/1.1 200 Established\r\n\r\n" : "echo")
                }
            }
            let exits = try ["american", "another", "canadian"].map { try Subject.exit($0) }
            defer { for server in exits + [echo] { server.stop() } }
            var layout = GatewayLayout(
                pools: [Subject.pool(us, [Subject.slot(1, exits[0])]), Subject.pool(de, [Subject.slot(1, echo)])],
                users: [Subject.user("alice")])
            try await subject.gateway.publish(layout)
            let kept = try await Self.tunnel(subject)
            #expect(try await Self.echoes(kept))
            var holders: [GatewayFault.Holder] = []
            defer {
                for holder in holders { holder.end() }
                Files.remove("\(subject.folder.path).away")
            }
            try await fault.happen(to: subject, &holders)
            let begin = ContinuousClock.now
            try await eventually("it is as it was given, and serves", within: 20) {
                guard (try? await Self.look(subject, layout)) != nil else { return false }
                return try await subject.fileEqualsRuntime(layout)
            }
            let seconds = (ContinuousClock.now - begin) / .seconds(1)
            print("fault \(fault): \(Figures.decimal(seconds, digits: 2)) s")
            #expect(try await subject.answers(8) == ["american": 8])
            #expect(try await Self.echoes(kept) == fault.keepsConnections, "a tunnel from before")
            // Slots, maps, and the structure.
            layout.pools[0] = Subject.pool(us, [Subject.slot(2, exits[1])])
            try await subject.gateway.publish(layout)
            #expect(try await subject.answers(4) == ["another": 4])
            let ca = try #require(CountryCode("ca"))
            layout.pools.append(Subject.pool(ca, [Subject.slot(3, exits[2])]))
            try await subject.gateway.publish(layout)
            #expect(try await subject.answers(2, user: "alice-country-ca") == ["canadian": 2])
            #expect(try await subject.fileEqualsRuntime(layout))
        }
    }

    @Test(arguments: [false, true])
    func `a worker that hangs while it is replaced takes no connection from its successor`(isReplacedByAnother: Bool) async throws {
        try await Subject.with { subject in
            let exit = try Subject.exit("american")
            defer { exit.stop() }
            let layout = GatewayLayout(pools: [Subject.pool(us, [Subject.slot(1, exit)])], users: [Subject.user("alice")])
            try await subject.gateway.publish(layout)
            let worker = pid_t(try await subject.workerPid)
            let holders = [GatewayFault.Holder(pid_t(try await subject.masterPid)), GatewayFault.Holder(worker)]
            defer { for holder in holders { holder.end() } }
            if isReplacedByAnother {
                let words = ["-W", "-D", "-f", "\(subject.folder.path)/haproxy.cfg", "-p", "\(subject.folder.path)/haproxy.pid"]
                let master = ["-S", "\(subject.folder.path)/master.sock,mode,600", "-sf", "\(worker)"]
                #expect(try await Programs.run("haproxy", words + master).status == 0)
                // As a controller that starts after the one which did this was killed.
                try await eventually("its successor answers", within: 10) { pid_t(try await subject.workerPid) != worker }
                let next = try HAProxyGateway(
                    share: "\(Repository.root)/haproxy", settings: subject.settings, log: .none, ownAddresses: subject.ownAddresses)
                // Its master is deaf for a moment.
                try await eventually("the worker that hangs is found", within: 10) {
                    try await next.refreshPorts()
                    return GatewayProcesses.listening(of: [worker]).isEmpty
                }
            } else {
                // As where it had answered just before: then it is asked to finish, which it never hears.
                let revision = await subject.gateway.revision(of: layout)
                try await subject.gateway.load(revision, as: .isBeyondReach(handsOver: false), isUrgent: true)
            }
            for _ in 0..<24 {
                let answer = try await Raw(port: subject.settings.gatewayPort).ask("http://ip.sallyport/")
                #expect(answer.hasPrefix("HTTP/1.1 407"), "\(answer)")
            }
        }
    }
}
