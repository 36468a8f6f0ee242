@testable import HAProxyControl
import HTTPTransport
import Model
import Planning
import Platform
import TestSupport
import Testing

/// The line that each connection leaves, on a real HAProxy.
@Suite(.timeLimit(.minutes(3))) struct HAProxyLogTests {
    private func lines(_ mode: HAProxyConfiguration.Settings.AccessLog) async throws -> [String] {
        var lines: [String] = []
        let certificates = try TemporaryFolder()
        try Files.write(try await GatewaySubject.certificate("proxies"), to: "\(certificates.path)/proxies.pem", mode: 0o600)
        let tlsPort = try Ports.free()
        try await GatewaySubject.with({ settings in
            settings.accessLog = mode
            settings.certificateSource = certificates.path
            settings.tlsPort = tlsPort
        }) { subject in
            let file = "\(subject.folder.path)/access.log"
            let log = AccessLog(socket: subject.settings.logSocket, file: file, log: .none)
            let writing = Task { await log.run() }
            try await eventually("it listens", within: 40) { Files.exists(subject.settings.logSocket) }
            let layout = GatewayLayout(
                pools: [GatewaySubject.pool(us, [GatewaySubject.slot(1, try GatewaySubject.exit("american"))])],
                users: [GatewaySubject.user("alice")])
            try await subject.gateway.publish(layout)
            // A worker that ends writes lines of its own.
            var larger = layout
            larger.pools.insert(GatewaySubject.pool(de), at: 0)
            try await subject.gateway.publish(larger)
            _ = try await subject.send("alice-country-us-session-a1")
            // What somebody would write to look like another line, another user or another field.
            for name in ["alice\ntime=1 user=root", "alice\" user=\"root", "alice user=root", "alice-country-us user=root"] {
                _ = try await subject.send(name)
            }
            // Wrong passwords, one of them in the name's place, and one by SOCKS5.
            for name in ["bob-country-us", "Secret!Word", "secret word-country-us"] { _ = try await subject.send(name, password: "wr0ng") }
            let socks = try Raw(port: subject.settings.gatewayPort)
            socks.send([5, 1, 2])
            _ = socks.receive()
            socks.send([1, 5] + Array("carol".utf8) + [5] + Array("wr0ng".utf8))
            _ = socks.receive()
            // Neither a request nor the beginning of TLS, and nothing at all.
            _ = try await Programs.run("bash", ["-c", "echo user=root >/dev/tcp/127.0.0.1/\(tlsPort)"])
            _ = try await Programs.run("bash", ["-c", ": >/dev/tcp/127.0.0.1/\(subject.settings.gatewayPort)"])
            var request = subject.request()
            request.url = "http://a\"b user=root.test/"
            _ = try? await subject.client.send(request)
            request.url = "http://[2606:4700::0:1]:8080/"
            _ = try? await subject.client.send(request)
            request.url = "http://10.0.0.1/"
            _ = try await subject.client.send(request)
            try await eventually("all are written") {
                lines = ((try? Files.read(file)) ?? "").split(separator: "\n").map(String.init)
                return ["target_not_allowed", "connection_failed"].allSatisfy { reason in lines.contains { $0.contains("reason=\(reason)") }
                }
            }
            writing.cancel()
            await writing.value
        }
        return lines
    }

    @Test func `a line says who went where, through which exit, how much, how long and how it ended`() async throws {
        let lines = try await lines(.full)
        let first = try #require(lines.first { $0.contains("status=200") })
        for field in ["user=alice ", "session=a1 ", "country=us ", "target=target.test", "exit=pool-us/s1 ", "end=--"] {
            #expect(first.contains(field), "\(first)")
        }
        #expect(lines.contains { $0.contains("user=alice ") && $0.contains("reason=target_not_allowed") && $0.contains("target=10.0.0.1") })
        let refused = lines.filter { $0.contains("reason=authentication_failed") }
        #expect(refused.contains { $0.contains("user=bob ") && $0.contains("target=target.test:80 ") && $0.contains("status=407") })
        #expect(
            refused.contains { $0.contains("user=- ") }
                && refused.contains { $0.contains("user=carol ") && $0.contains("protocol=socks5 ") })
        #expect(lines.contains { $0.contains("target=[2606:4700::1]:8080 ") } && !lines.contains { $0.contains("\\") })
        for line in lines {
            #expect(!line.contains("wr0ng") && !line.lowercased().contains("secret"), "\(line)")
            #expect(line.hasPrefix("time=") && line.split(separator: " user=").count == 2, "one user a line: \(line)")
            #expect(!line.contains("user=root") && !line.contains("time=1 "), "\(line)")
        }
    }

    @Test func `in private mode no line says where anybody went`() async throws {
        let lines = try await lines(.private)
        #expect(lines.contains { $0.contains("user=alice ") && $0.contains("status=200") && $0.contains("sent=") })
        #expect(!lines.contains { $0.contains("target.test") || $0.contains("10.0.0.1") })
    }

    @Test func `a line says which exits were tried before, why they were left, and for how long the request was held`() async throws {
        let (gone, exit) = (try GatewaySubject.exit("gone"), try GatewaySubject.exit("american"))
        gone.stop()
        try await GatewaySubject.with({ ($0.accessLog, $0.holdSeconds) = (.full, 1) }) { subject in
            let file = "\(subject.folder.path)/access.log"
            let log = AccessLog(socket: subject.settings.logSocket, file: file, log: .none)
            let writing = Task { await log.run() }
            try await eventually("it listens", within: 40) { Files.exists(subject.settings.logSocket) }
            let slots = [GatewaySubject.slot(1, gone), GatewaySubject.slot(2, exit)]
            var coming = GatewaySubject.pool(de)
            coming.isComing = true
            try await subject.gateway.publish(
                GatewayLayout(pools: [GatewaySubject.pool(us, slots, spread: .roundRobin), coming], users: [GatewaySubject.user("alice")]))
            // In turn: one of two begins with the exit that is gone.
            for tunnels in [false, true] {
                for _ in 0..<2 { _ = try await subject.client.send(subject.request(tunnels: tunnels)) }
            }
            _ = try await subject.send("alice-country-de")
            var lines: [String] = []
            try await eventually("all are written", within: 40) {
                lines = ((try? Files.read(file)) ?? "").split(separator: "\n").map(String.init)
                return lines.contains { $0.contains("status=503") } && lines.count { $0.contains("status=200") } == 4
            }
            writing.cancel()
            await writing.value
            let served = lines.filter { $0.contains("status=200") }
            #expect(served.allSatisfy { $0.contains("exit=pool-us/s2 ") })
            #expect(served.count { $0.contains(" tried=pool-us/s1:unreachable retries=0 held_ms=- ") } == 1, "\(served)")
            #expect(served.contains { $0.contains(" tried=- retries=+1 held_ms=- ") }, "\(served)")
            #expect(served.contains { $0.contains(" tried=- retries=0 held_ms=- ") }, "\(served)")
            let held = lines.compactMap { $0.firstMatch(of: #/ reason=no_exit tried=- retries=0 held_ms=([0-9]+) /#)?.1 }
            #expect(held.count == 1 && held.allSatisfy { (Int($0) ?? 0) >= 1_000 }, "\(lines)")
        }
    }

    @Test func `lines that come while nobody listens are counted and told, also by the next controller and after the folder was deleted`()
        async throws
    {
        let files = try TemporaryFolder()
        let file = "\(files.path)/access.log"
        try await GatewaySubject.with({ $0.accessLog = .full }) { subject in
            let socket = subject.settings.logSocket
            func listen() async throws -> (AccessLog, Task<Void, Never>) {
                let log = AccessLog(socket: socket, file: file, log: .none)
                let task = Task { await log.run() }
                try await eventually("it listens", within: 40) { Files.exists(socket) }
                return (log, task)
            }
            func told() -> Int {
                let lines = ((try? Files.read(file)) ?? "").split(separator: "\n").filter { $0.contains("reason=lines_lost") }
                return lines.reduce(0) { sum, line in
                    sum + (line.split(separator: " ").first { $0.hasPrefix("lost=") }.flatMap { Int($0.dropFirst(5)) } ?? 0)
                }
            }
            func written() -> Int { ((try? Files.read(file)) ?? "").split(separator: "\n").count { $0.contains("status=200") } }
            let exit = try GatewaySubject.exit("american")
            let layout = GatewayLayout(
                pools: [GatewaySubject.pool(us, [GatewaySubject.slot(1, exit)])], users: [GatewaySubject.user("alice")])
            let (_, first) = try await listen()
            try await subject.gateway.publish(layout)
            _ = try await subject.answers(2)
            try await eventually("both are written", within: 40) { written() == 2 }
            first.cancel()
            await first.value
            // HAProxy sends a line a moment after the answer: the last of them may meet the next listener. It is in the file then.
            _ = try await subject.answers(3)
            Files.remove(socket)
            let (log, second) = try await listen()
            _ = try await subject.answers(1)
            try await eventually("each line is there or told of", within: 40) { told() >= 2 && written() + told() == 6 }
            #expect(log.alert?.message.contains("not received") ?? false)
            // The listener makes its socket anew. Lines that come before are missed too.
            let before = told()
            Files.remove(socket)
            _ = try await subject.answers(2)
            try await eventually("it listens again", within: 40) { Files.exists(socket) }
            _ = try await subject.answers(1)
            try await eventually("and those", within: 40) { told() > before && written() + told() == 9 }
            // A new worker begins anew.
            let after = told()
            var larger = layout
            larger.pools.append(GatewaySubject.pool(de))
            try await subject.gateway.publish(larger)
            _ = try await subject.answers(2)
            try await eventually("both are there", within: 40) { written() + told() == 11 }
            try await Task.sleep(for: .milliseconds(2_500))
            #expect(told() == after, "nothing else is missing")
            second.cancel()
            await second.value
        }
    }
}
