@testable import HAProxyControl
import HTTPTransport
import Model
import Planning
import Platform
import Synchronization
import TestSupport
import Testing

/// What users may do, on a real HAProxy, and each change of it without another process.
@Suite(.timeLimit(.minutes(1))) struct HAProxyUserTests {
    typealias Subject = GatewaySubject

    /// The reasons, or the exit's name, that one request gets after each of these changes to alice.
    @Test func `every rule about a user counts at once, and without another process`() async throws {
        try await Subject.with { subject in
            let pools = [
                Subject.pool(us, [Subject.slot(1, try Subject.exit("american"))]),
                Subject.pool(de, [Subject.slot(1, try Subject.exit("german"))]),
            ]
            let now = SystemClock.now()
            let cases: [(String, String, (inout ProxyUser) -> Void)] = [
                ("alice-country-us", "american", { _ in }),
                ("alice-country-us", "user_disabled", { $0.isDisabled = true }),
                ("alice-country-us", "user_expired", { $0.expiresAt = now + -1 }),
                ("alice-country-us", "american", { $0.expiresAt = now + 3600 }),
                ("alice-country-us", "country_not_allowed", { $0.countries = [de] }),
                ("alice-country-us,de", "country_not_allowed", { $0.countries = [de] }),
                ("alice-country-de", "german", { $0.countries = [de] }), ("alice", "german", { $0.countries = [de] }),
                ("alice-country-any", "german", { $0.countries = [de] }),
                ("alice-country-us", "address_not_allowed", { $0.addresses = ["198.18.0.0/16", "2001:db8::/32"] }),
                ("alice-country-us", "american", { $0.addresses = ["127.0.0.0/8"] }),
                ("alice-country-us", "american", { $0.limits.connections = 1 }),
                ("alice-country-us", "american", { $0.limits.connectionsPerSecond = 1000 }),
                ("alice-country-us", "american", { _ in }),
            ]
            var layout = GatewayLayout(pools: pools, users: [Subject.user("alice")])
            try await subject.gateway.publish(layout)
            let pid = try await subject.workerPid
            var slowest = Duration.zero
            for (index, (name, wanted, change)) in cases.enumerated() {
                layout.users = [Subject.user("alice")]
                change(&layout.users[0])
                let begin = ContinuousClock.now
                try await subject.gateway.publish(layout)
                slowest = max(slowest, ContinuousClock.now - begin)
                let answer = try await subject.send(name)
                #expect((answer.headers["x-sallyport-reason"] ?? answer.text) == wanted, "case \(index): \(answer)")
            }
            for quota in Quota.allCases {
                layout.blocked = ["alice": quota]
                try await subject.gateway.publish(layout)
                let answer = try await subject.send()
                #expect(answer.status == 429 && answer.headers["x-sallyport-reason"] == quota.rawValue)
            }
            #expect(try await subject.workerPid == pid)
            #expect(slowest < .seconds(5), "a change took \(slowest)")
        }
    }

    @Test func `addresses stand for a password where that is wanted, and for nobody else's`() async throws {
        try await Subject.with { subject in
            var (alice, bob) = (Subject.user("alice"), Subject.user("bob"))
            alice.addresses = ["127.0.0.1"]
            alice.addressRule = .insteadOfPassword
            alice.countries = [us]
            bob.addresses = ["198.18.0.0/16"]
            bob.addressRule = .insteadOfPassword
            let layout = GatewayLayout(pools: [Subject.pool(us, [Subject.slot(1, try Subject.exit("american"))])], users: [alice, bob])
            try await subject.gateway.publish(layout)
            #expect(try await subject.send(nil).text == "american", "no name, no password: the address is alice's")
            #expect(try await subject.send("alice-country-us", password: "anything").text == "american")
            #expect(try await subject.send("bob-country-us", password: "anything").status == 407)
            #expect(try await subject.send("bob-country-us").text == "american", "his password counts everywhere")
            try await subject.gateway.publish(GatewayLayout(pools: layout.pools, users: [bob]))
            #expect(try await subject.send(nil).status == 407)
        }
    }

    @Test func `both passwords count during a rotation, and the old one ends by itself`() async throws {
        try await Subject.with { subject in
            var alice = Subject.user("alice", password: "the new one")
            var old = Subject.user("alice").passwords[0]
            old.expiresAt = SystemClock.now() + 600
            alice.passwords.append(old)
            let pool = Subject.pool(us, [Subject.slot(1, try Subject.exit("american"))])
            try await subject.gateway.publish(GatewayLayout(pools: [pool], users: [alice]))
            #expect(try await subject.send().status == 200)
            #expect(try await subject.send(password: "the new one").status == 200)
            // Soon, but only now: a slow machine would not have seen it valid.
            alice.passwords[alice.passwords.count - 1].expiresAt = SystemClock.now() + 2
            try await subject.gateway.publish(GatewayLayout(pools: [pool], users: [alice]))
            try await eventually("the old one is refused", within: 40) { try await subject.send().status == 407 }
            #expect(try await subject.send(password: "the new one").status == 200)
        }
    }

    @Test func `connections at once and new ones a second are bounded`() async throws {
        try await Subject.with { subject in
            let holding = try Subject.holdingExit()
            var alice = Subject.user("alice")
            alice.limits.connections = 2
            var layout = GatewayLayout(pools: [Subject.pool(us, [Subject.slot(1, holding)])], users: [alice, Subject.user("bob")])
            try await subject.gateway.publish(layout)
            let held = (1...2).map { _ in Task { try await subject.client.send(subject.request(tunnels: true)) } }
            try await eventually("two are held") { try await subject.gateway.observe().sessions(country: us, slot: 1) == 2 }
            let third = try await subject.send()
            #expect(third.status == 429 && third.headers["x-sallyport-reason"] == "connection_limit" && third.headers["retry-after"] == "1")
            held[0].cancel()
            _ = try? await held[0].value
            layout.pools = [Subject.pool(us, [Subject.slot(1, holding, .drain), Subject.slot(2, try Subject.exit("american"))])]
            try await subject.gateway.publish(layout)
            try await eventually("one may come again") { try await subject.send().status == 200 }

            layout.users[0].limits = .init(connectionsPerSecond: 5)
            try await subject.gateway.publish(layout)
            var reasons: Set<String> = []
            // Within a second some of a hundred must be refused, however slow the machine is.
            let answers = try await withThrowingTaskGroup(of: HTTPResponse.self) { group in
                for _ in 0..<60 { group.addTask { try await subject.send() } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            for answer in answers where answer.status != 200 {
                reasons.insert("\(answer.status) \(answer.headers["x-sallyport-reason"] ?? "")")
            }
            #expect(reasons == ["429 rate_limit"])
            #expect(try await subject.send("bob-country-us").status == 200, "bob has no limit")
            held[1].cancel()
            _ = try? await held[1].value
        }
    }

    @Test func `a limit of connections counts those that a reload has left behind, until they end`() async throws {
        try await Subject.with { subject in
            let holding = try Subject.holdingExit()
            var alice = Subject.user("alice")
            alice.limits.connections = 2
            var layout = GatewayLayout(pools: [Subject.pool(us, [Subject.slot(1, holding)])], users: [alice, Subject.user("bob")])
            try await subject.gateway.publish(layout)
            let held = (1...2).map { _ in Task { try await subject.client.send(subject.request(tunnels: true, deadline: 50)) } }
            try await eventually("two are held") { try await subject.gateway.observe().sessions(country: us, slot: 1) == 2 }
            layout.pools = [
                Subject.pool(us, [Subject.slot(1, holding, .drain), Subject.slot(2, try Subject.exit("american"))]), Subject.pool(de),
            ]
            try await subject.gateway.publish(layout)
            // From the new worker's first moment on, and as long as the controller looks.
            for _ in 0..<3 {
                #expect(try await subject.send().headers["x-sallyport-reason"] == "connection_limit")
                #expect(try await subject.gateway.openByUser().keys.sorted() == ["alice"])
            }
            #expect(try await subject.send("bob-country-us").status == 200)
            let map = RuntimeSocket(path: subject.settings.statsSocket)
            let told = RuntimeAnswers.map(try await map.send("show map \(subject.folder.path)/elsewhere.map"))
            #expect(told["alice"]?.hasPrefix("2:") ?? false, "\(told)")
            // What nobody has confirmed for long counts no more: the controller may be away.
            _ = try await map.send("set map \(subject.folder.path)/elsewhere.map alice 2:1")
            #expect(try await subject.send().status == 200)
            #expect(try await subject.gateway.openByUser().keys.sorted() == ["alice"])
            #expect(try await subject.send().headers["x-sallyport-reason"] == "connection_limit")

            for (index, task) in held.enumerated() {
                task.cancel()
                _ = try? await task.value
                try await eventually("\(index + 1) may come again", within: 30) {
                    _ = try await subject.gateway.openByUser()
                    return try await subject.send().status == 200
                }
            }
            try await eventually("nobody is elsewhere") {
                _ = try await subject.gateway.openByUser()
                return try await map.send("show map \(subject.folder.path)/elsewhere.map").isEmpty
            }
        }
    }

    @Test func `cutting a user's connections ends these, also in an old worker, and nobody else's`() async throws {
        try await Subject.with { subject in
            let holding = try Subject.holdingExit()
            var layout = GatewayLayout(
                pools: [Subject.pool(us, [Subject.slot(1, holding)])], users: [Subject.user("alice"), Subject.user("bob")])
            try await subject.gateway.publish(layout)
            func hold(_ user: String) -> Task<HTTPResponse, any Error> {
                var request = subject.request("\(user)-country-us", tunnels: true)
                request.deadline = 50
                return Task { [request] in try await subject.client.send(request) }
            }
            let (old, others) = (hold("alice"), hold("bob"))
            try await eventually("both are held") { try await subject.gateway.observe().sessions(country: us, slot: 1) == 2 }
            layout.pools.append(Subject.pool(de))
            try await subject.gateway.publish(layout)
            let new = hold("alice")
            try await eventually("three are held") { try await subject.gateway.observe().sessions(country: us, slot: 1) == 3 }
            #expect(try await subject.gateway.openByUser() == ["alice": 2, "bob": 1])
            #expect(try await subject.gateway.usage()?.reading.openByExit == [ExitID(country: us, number: 1): 3])
            #expect(try await subject.gateway.cut(["alice"]) == 2)
            await #expect(throws: TransportError.self) { try await old.value }
            await #expect(throws: TransportError.self) { try await new.value }
            try await eventually("bob's goes on") { try await subject.gateway.openByUser() == ["bob": 1] }
            #expect(try await subject.gateway.observe().sessions(country: us, slot: 1) == 1)
            others.cancel()
            _ = try? await others.value
        }
    }

    @Test func `this machine's addresses are refused as soon as it has them, without another process`() async throws {
        let addresses = Mutex(["198.18.200.1"])
        try await Subject.with(ownAddresses: { addresses.withLock { $0 } }) { subject in
            let layout = GatewayLayout(
                pools: [Subject.pool(us, [Subject.slot(1, try Subject.exit("american"))])], users: [Subject.user("alice")])
            try await subject.gateway.publish(layout)
            let pid = try await subject.workerPid
            func ask(_ host: String) async throws -> String {
                var request = subject.request()
                request.url = "http://\(host)/"
                let answer = try await subject.client.send(request)
                return answer.headers["x-sallyport-reason"] ?? answer.text
            }
            #expect(try await ask("198.18.200.1") == "target_not_allowed")
            #expect(try await ask("198.18.200.1.") == "target_not_allowed")
            #expect(try await ask("[::ffff:198.18.200.1]") == "target_not_allowed")
            #expect(try await ask("198.18.200.2") == "american")
            #expect(!layout.differs(from: try await subject.gateway.observe()))

            addresses.withLock { $0 = ["198.18.200.2", "2606:4700::9"] }
            #expect(layout.differs(from: try await subject.gateway.observe()), "the loop sees that something is to be done")
            try await subject.gateway.publish(layout)
            #expect(!layout.differs(from: try await subject.gateway.observe()))
            #expect(try await ask("198.18.200.2") == "target_not_allowed")
            #expect(try await ask("[2606:4700:0::0009]") == "target_not_allowed")
            #expect(try await ask("198.18.200.1") == "american")
            #expect(await subject.gateway.repairs == 0)

            // Somebody takes one away behind our back.
            _ = try await RuntimeSocket(path: subject.settings.statsSocket).send("del map \(subject.folder.path)/refused.map 198.18.200.2")
            #expect(layout.differs(from: try await subject.gateway.observe()))
            try await subject.gateway.publish(layout)
            #expect(try await ask("198.18.200.2") == "target_not_allowed")
            #expect(await subject.gateway.repairs == 1)
            #expect(try await subject.workerPid == pid)
        }
    }

    @Test func `an address that this machine gets while the gateway is told does not make that fail`() async throws {
        let count = Mutex(0)
        try await Subject.with(ownAddresses: { ["198.51.100.\(count.withLock { $0 += 1; return $0 })"] }) { subject in
            try await subject.gateway.publish(GatewayLayout(pools: [Subject.pool(us)], users: [Subject.user("alice")]))
        }
        #expect(count.withLock { $0 } > 0)
        #expect(!Ports.localAddresses().contains { $0.hasPrefix("fe80:") }, "each container brings one, and they are refused anyway")
    }
}
