import Glibc
@testable import HAProxyControl
import HTTPTransport
import Model
import Planning
import Platform
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct HAProxyGatewayTests {
    typealias Subject = GatewaySubject
    private let alice = GatewaySubject.user("alice")

    @Test func `publishing starts it, and a user's request leaves through the exit of the country`() async throws {
        try await Subject.with { subject in
            let (american, german) = (try Subject.exit("american"), try Subject.exit("german"))
            let layout = GatewayLayout(
                pools: [Subject.pool(us, [Subject.slot(3, american)]), Subject.pool(de, [Subject.slot(1, german)])], users: [alice])
            #expect(await subject.gateway.isRunning() == false)
            try await subject.gateway.publish(layout)
            #expect(await subject.gateway.isRunning())
            #expect(try await subject.fileEqualsRuntime(layout))
            let answer = try await subject.send()
            #expect(answer.status == 200 && answer.text == "american" && answer.headers["x-seen"] == "nothing")
            #expect(try await subject.send("alice-country-de").text == "german")
            #expect(try await subject.client.send(subject.request(tunnels: true)).text == "american")
        }
    }

    @Test(
        arguments: [
            (nil, 407, "authentication_required"), ("alice", 400, "country_missing"), ("bob-country-us", 407, "authentication_failed"),
            ("alice-country-zz", 400, "country_unknown"), ("alice-country-de", 503, "no_exit"),
            ("alice-country-us-size-1", 400, "unknown_parameter"),
            ("alice-country-gb", 503, "no_exit"),
        ] as [(String?, Int, String)])
    func `a request that can't be served is refused with its reason`(user: String?, status: Int, reason: String) async throws {
        try await Subject.with { subject in
            let exit = try Subject.exit("american")
            try await subject.gateway.publish(
                GatewayLayout(pools: [Subject.pool(us, [Subject.slot(1, exit)]), Subject.pool(de)], users: [alice]))
            let answer = try await subject.send(user)
            #expect(answer.status == status && answer.headers["x-sallyport-reason"] == reason, "\(answer)")
            let wrong = try await subject.send(password: "not-her-password")
            #expect(wrong.status == 407 && wrong.headers["proxy-authenticate"] != nil)
            let error = try await #require(throws: TransportError.self) {
                try await subject.client.send(subject.request(password: "not-her-password", tunnels: true))
            }
            #expect(error.code == .proxyRefused && error.proxyStatus == 407)
            #expect(exit.count == 0)
        }
    }

    @Test func `what an exit's proxy says of a target is a refusal with its reason, and what the target says stays its own`() async throws {
        // By the target's name, what comes. The exit names its reason; tinyproxy, the proxy of the version before, signs its pages; and
        // a CONNECT is answered by nobody else.
        let exit = try ScriptedServer { connection in
            while let head = connection.head() {
                let host = head.split(separator: " ")[1].split(separator: "/").last.map { $0.prefix { $0 != "." } } ?? ""
                let reason = TargetReason.all.first { host == $0.word.replacing("_", with: "-") }
                let (status, server) = (head.contains("slow") ? 504 : 500, head.contains("own") ? "nginx" : "tinyproxy/1.11.1")
                let signed = reason == nil ? "Server: \(server)" : "Server: nginx"
                guard
                    connection.answer(
                        reason?.status ?? status, "<html>a page</html>", headers: signed, "X-Sallyport-Reason: \(reason?.word ?? "forged")")
                else { return }
            }
        }
        try await Subject.with { subject in
            try await subject.gateway.publish(GatewayLayout(pools: [Subject.pool(us, [Subject.slot(1, exit)])], users: [alice]))
            func ask(_ host: String, _ status: Int, _ reason: String?, _ body: String) async throws {
                var request = subject.request()
                request.url = "http://\(host)/"
                let answer = try await subject.client.send(request)
                #expect(
                    answer.status == status && answer.headers["x-sallyport-reason"] == reason && answer.text == body, "\(host): \(answer)")
            }
            for reason in TargetReason.all {
                try await ask("\(reason.word.replacing("_", with: "-")).test", reason.status, reason.word, "\(reason.word)\n")
            }
            try await ask("gone.test", 502, "target_unreachable", "target_unreachable\n")
            try await ask("slow.test", 504, "target_timeout", "target_timeout\n")
            try await ask("own.test", 500, nil, "<html>a page</html>")
            try await ask("own-slow.test", 504, nil, "<html>a page</html>")
            for (host, status) in [("gone.test", 502), ("own.test", 502), ("slow.test", 504)] {
                var request = subject.request(tunnels: true)
                request.url = "http://\(host)/"
                let error = try await #require(throws: TransportError.self) { try await subject.client.send(request) }
                #expect(error.proxyStatus == status, "\(host): \(error)")
            }
        }
    }

    @Test func `slots and users change at run time, without another process`() async throws {
        try await Subject.with { subject in
            let (first, second) = (try Subject.exit("first"), try Subject.exit("second"))
            var layout = GatewayLayout(pools: [Subject.pool(us)])
            try await subject.gateway.publish(layout)
            let pid = try await subject.workerPid
            #expect(try await subject.send().status == 407)

            layout.users = [alice]
            try await subject.gateway.publish(layout)
            #expect(try await subject.send().headers["x-sallyport-reason"] == "no_exit")

            layout.pools = [Subject.pool(us, [Subject.slot(2, first)])]
            try await subject.gateway.publish(layout)
            #expect(try await subject.send().text == "first")
            #expect(try await subject.fileEqualsRuntime(layout))

            // The same slot with another exit, in one step.
            layout.pools = [Subject.pool(us, [Subject.slot(2, second)])]
            try await subject.gateway.publish(layout)
            #expect(try await subject.send().text == "second")
            #expect(try await subject.fileEqualsRuntime(layout))

            layout.users = [Subject.user("alice", password: "another-password"), Subject.user("bob")]
            try await subject.gateway.publish(layout)
            #expect(try await subject.send().status == 407)
            #expect(try await subject.send(password: "another-password").status == 200)
            #expect(try await subject.send("bob-country-us").status == 200)
            #expect(try await subject.fileEqualsRuntime(layout))

            layout = GatewayLayout(pools: [Subject.pool(us)])
            try await subject.gateway.publish(layout)
            #expect(try await subject.send("bob-country-us").status == 407)
            #expect(try await subject.fileEqualsRuntime(layout))
            #expect(try await subject.workerPid == pid)
        }
    }

    @Test func `a new pool reloads, and what was plugged in stays so`() async throws {
        try await Subject.with { subject in
            let (american, german) = (try Subject.exit("american"), try Subject.exit("german"))
            var layout = GatewayLayout(pools: [Subject.pool(us, [Subject.slot(1, american)])], users: [alice])
            try await subject.gateway.publish(layout)
            let (worker, master) = (try await subject.workerPid, try await subject.masterPid)
            layout.pools.append(Subject.pool(de, [Subject.slot(5, german)]))
            try await subject.gateway.publish(layout)
            #expect(try await subject.workerPid != worker)
            #expect(try await subject.masterPid == master)
            #expect(try await subject.fileEqualsRuntime(layout))
            #expect(try await subject.send().text == "american")
            #expect(try await subject.send("alice-country-de").text == "german")
            layout.pools.removeFirst()
            try await subject.gateway.publish(layout)
            #expect(try await subject.send().headers["x-sallyport-reason"] == "no_exit")
        }
    }

    @Test func `a connection outlives the reload that a new pool needs, and is counted`() async throws {
        try await Subject.with { subject in
            let held = try ScriptedServer { connection in
                while let head = connection.head() {
                    if head.hasPrefix("CONNECT ") { connection.write("HTTP/1.1 200 Established\r\n\r\n") }
                    if head.hasPrefix("GET ") {
                        connection.write("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nfour")
                        connection.hang()
                    }
                }
            }
            var layout = GatewayLayout(pools: [Subject.pool(us, [Subject.slot(1, held)])], users: [alice])
            try await subject.gateway.publish(layout)
            let stream = subject.client.stream(subject.request(tunnels: true, deadline: 0))
            var chunks = stream.makeAsyncIterator()
            #expect(try await chunks.next() == Array("four".utf8))
            layout.pools.append(Subject.pool(de))
            try await subject.gateway.publish(layout)
            #expect(try await subject.gateway.observe().sessions(country: us, slot: 1) == 1)
            let reading = Task { try await chunks.next() }
            try await eventually("it is still there after a while", within: 1) {
                try await subject.gateway.observe().sessions(country: us, slot: 1) == 1
            }
            held.stop()
            _ = try? await reading.value
            try await eventually("it is counted no more") { try await subject.gateway.observe().sessions(country: us, slot: 1) == 0 }
        }
    }

    @Test func `a draining exit gets nothing new, and keeps what it has`() async throws {
        try await Subject.with { subject in
            let (old, new) = (try Subject.exit("old"), try Subject.exit("new"))
            var layout = GatewayLayout(pools: [Subject.pool(us, [Subject.slot(1, old)])], users: [alice])
            try await subject.gateway.publish(layout)
            // A tunnel that stays open: HAProxy counts it until it is closed.
            let hanging = try ScriptedServer { connection in
                _ = connection.head()
                connection.write("HTTP/1.1 200 Established\r\n\r\n")
                connection.hang()
            }
            layout.pools = [Subject.pool(us, [Subject.slot(1, hanging)])]
            try await subject.gateway.publish(layout)
            let kept = Task { try await subject.client.send(subject.request(tunnels: true)) }
            try await eventually("it is counted") { try await subject.gateway.observe().sessions(country: us, slot: 1) == 1 }

            layout.pools = [Subject.pool(us, [Subject.slot(1, hanging, .drain), Subject.slot(2, new)])]
            try await subject.gateway.publish(layout)
            for _ in 0..<6 { #expect(try await subject.send().text == "new") }
            #expect(try await subject.gateway.observe().sessions(country: us, slot: 1) == 1)
            // A reload in the middle of a drain must give it nothing new either.
            layout.pools.append(Subject.pool(de))
            try await subject.gateway.publish(layout)
            for _ in 0..<6 { #expect(try await subject.send().text == "new") }
            #expect(
                try await subject.gateway.observe().slots.first { $0.backend == "pool-us" && $0.slot.number == 1 }?.slot.state == .drain)
            kept.cancel()
            _ = try? await kept.value
        }
    }

    @Test func `unplugging an exit cuts its connections at once`() async throws {
        try await Subject.with { subject in
            let exit = try ScriptedServer { connection in
                _ = connection.head()
                connection.write("HTTP/1.1 200 Established\r\n\r\n")
                connection.hang()
            }
            var layout = GatewayLayout(pools: [Subject.pool(us, [Subject.slot(1, exit)])], users: [alice])
            try await subject.gateway.publish(layout)
            let cut = Task { try await subject.client.send(subject.request(tunnels: true)) }
            try await eventually("it is there") { try await subject.gateway.observe().sessions(country: us, slot: 1) == 1 }
            layout.pools = [Subject.pool(us)]
            let start = ContinuousClock.now
            try await subject.gateway.publish(layout)
            await #expect(throws: TransportError.self) { try await cut.value }
            #expect(ContinuousClock.now - start < .seconds(10))
        }
    }

    @Test(arguments: [false, true])
    func `a dead exit's connections are cut also in the worker that a reload has left behind`(byReload: Bool) async throws {
        try await Subject.with { subject in
            func hanging() throws -> ScriptedServer {
                try ScriptedServer { connection in
                    while let head = connection.head() {
                        if head.hasPrefix("CONNECT ") { connection.write("HTTP/1.1 200 Established\r\n\r\n") }
                        if head.hasPrefix("GET ") {
                            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nfour")
                            connection.hang()
                        }
                    }
                }
            }
            let (dying, staying) = (try hanging(), try hanging())
            var layout = GatewayLayout(pools: [Subject.pool(us, [Subject.slot(1, dying)])], users: [alice])
            func open() async throws -> AsyncThrowingStream<[UInt8], any Error>.AsyncIterator {
                var chunks = subject.client.stream(subject.request(tunnels: true, deadline: 0)).makeAsyncIterator()
                #expect(try await chunks.next() == Array("four".utf8))
                return chunks
            }
            try await subject.gateway.publish(layout)
            let doomed = try await open()
            layout.pools[0] = Subject.pool(us, [Subject.slot(1, dying, .drain), Subject.slot(2, staying)])
            try await subject.gateway.publish(layout)
            let kept = try await open()
            // The reload that leaves both in an old worker.
            layout.pools.append(Subject.pool(de))
            try await subject.gateway.publish(layout)
            #expect(try await subject.gateway.observe().sessions(country: us, slot: 1) == 1)
            // It dies now, or together with the next change of structure.
            layout.pools[0] = Subject.pool(us, [Subject.slot(2, staying)])
            if byReload { layout.pools.removeLast() }
            try await subject.gateway.publish(layout)
            try await eventually("its connection is cut") { try await subject.gateway.observe().sessions(country: us, slot: 1) == 0 }
            var chunks = doomed
            await #expect(throws: TransportError.self) { _ = try await chunks.next() }
            #expect(try await subject.gateway.observe().sessions(country: us, slot: 2) == 1, "the other one's goes on")
            _ = kept
        }
    }
}
