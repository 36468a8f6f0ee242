import Glibc
@testable import HAProxyControl
import HTTPTransport
import Model
import Planning
import Platform
import Synchronization
import TestSupport
import Testing

/// Requests for countries without an exit, on a real HAProxy and the real socket that it asks on.
@Suite(.timeLimit(.minutes(2))) struct HAProxyDemandTests {
    private typealias Subject = GatewaySubject

    /// What was asked, and whether anybody listens.
    private final class Desk: Sendable {
        private let state = Mutex((asked: [String](), listens: true))
        var asked: [String] { state.withLock { $0.asked } }
        var listens: Bool { state.withLock { $0.listens } }
        func note(_ question: String) { state.withLock { $0.asked.append(question) } }
        func listen(_ flag: Bool) { state.withLock { $0.listens = flag } }
    }

    private static func closed(_ country: CountryCode, isComing: Bool = false) -> GatewayPool {
        GatewayPool(country: country, slots: (1...3).map(GatewaySlot.free), isComing: isComing, isOnDemand: true)
    }

    private static func open(_ country: CountryCode, _ exit: ScriptedServer) -> GatewayPool {
        var pool = closed(country)
        pool.slots[0] = Subject.slot(1, exit.endpoint, country: country)
        return pool
    }

    /// A gateway with these pools, and somebody who answers its questions.
    private func with(
        _ pools: [GatewayPool], hold: Int = 10, listens: Bool = true,
        answer: @escaping @Sendable (Subject, CountryCode, String) async -> DemandAnswer?,
        _ body: (Subject, Desk) async throws -> Void
    ) async throws {
        try await Subject.with({ $0.holdSeconds = hold }) { subject in
            let desk = Desk()
            desk.listen(listens)
            let socket = DemandSocket(
                path: subject.settings.demandSocket, log: .none, mayListen: { desk.listens },
                answer: { country, user in
                    desk.note("\(country.lowercased) \(user)")
                    return await answer(subject, country, user)
                })
            let task = Task { await socket.run() }
            try await subject.gateway.publish(GatewayLayout(pools: pools, users: [Subject.user("alice"), Subject.user("bob")]))
            if listens { try await eventually("it listens") { Files.exists(subject.settings.demandSocket) } }
            let result = await Result { try await body(subject, desk) }
            task.cancel()
            await task.value
            try result.get()
        }
    }

    private func publish(_ pools: [GatewayPool], _ subject: Subject) async -> DemandAnswer {
        try? await subject.gateway.publish(GatewayLayout(pools: pools, users: [Subject.user("alice"), Subject.user("bob")]))
        return .coming
    }

    private func reason(_ response: HTTPResponse) -> String { "\(response.status) \(response.headers["x-sallyport-reason"] ?? "")" }

    @Test func `a request for a closed country is held until its exit is there, without a reload, by each protocol`() async throws {
        let exit = try Subject.exit("germany")
        defer { exit.stop() }
        try await with([Self.closed(de), Self.closed(us)]) { subject, country, _ in
            await publish([Self.open(country, exit), Self.closed(us)], subject)
        } _: { subject, desk in
            let worker = try await subject.workerPid
            let tunnel = try await subject.client.send(subject.request("alice-country-de", tunnels: true))
            #expect(tunnel.status == 200 && tunnel.text == "germany")
            #expect(desk.asked == ["de alice"])
            _ = await publish([Self.closed(de), Self.closed(us)], subject)
            let plain = try await subject.send("bob-country-de")
            #expect(plain.status == 200 && plain.text == "germany")
            #expect(desk.asked == ["de alice", "de bob"])
            _ = await publish([Self.closed(de), Self.closed(us)], subject)
            // By SOCKS5, whose client waits for the reply.
            var request = subject.request("alice-country-de")
            request.proxy = "socks5h://127.0.0.1:\(subject.settings.gatewayPort)"
            let socks = try await subject.client.send(request)
            #expect(socks.status == 200 && socks.text == "germany")
            let same = try await subject.workerPid
            #expect(worker == same)
        }
    }

    @Test func `a refusal comes at once, with its reason and status`() async throws {
        let expected: [DemandAnswer.Refusal: String] = [
            .openingLimit: "429 opening_limit", .noTunnel: "503 no_tunnel", .noServer: "503 no_server", .noExit: "503 no_exit",
            .countryNotAllowed: "403 country_not_allowed",
        ]
        for refusal in DemandAnswer.Refusal.allCases {
            try await with([Self.closed(de)]) { _, _, _ in
                .refused(refusal)
            } _: { subject, _ in
                let start = ContinuousClock.now
                let answer = try await subject.send("alice-country-de")
                #expect(reason(answer) == expected[refusal] ?? "?")
                #expect(.now - start < .seconds(2))
                let wait = refusal == .openingLimit ? "60" : refusal == .noTunnel || refusal == .noExit ? "5" : nil
                #expect(answer.headers["retry-after"] == wait)
            }
        }
    }

    @Test func `a country without servers is told as that, and nobody is asked`() async throws {
        var layout = GatewayLayout(pools: [Self.closed(de)], users: [Subject.user("alice")])
        layout.elsewhere = .withoutServers
        try await with([Self.closed(de)]) { _, _, _ in
            nil
        } _: { subject, desk in
            try await subject.gateway.publish(layout)
            #expect(try await reason(subject.send("alice-country-va")) == "503 no_server")
            // Any country is one that is open.
            #expect(try await reason(subject.send("alice-country-any")) == "503 no_exit")
            #expect(desk.asked.isEmpty)
        }
    }

    @Test func `before the lists have come a request is told at once to come again, and is served once they have`() async throws {
        let exit = try Subject.exit("germany")
        defer { exit.stop() }
        try await with([]) { subject, country, _ in
            await publish([Self.open(country, exit)], subject)
        } _: { subject, desk in
            var layout = GatewayLayout(users: [Subject.user("alice")])
            layout.elsewhere = .notListed
            try await subject.gateway.publish(layout)
            let start = ContinuousClock.now
            for user in ["alice-country-de", "alice-country-va"] {
                let answer = try await subject.send(user)
                #expect(reason(answer) == "503 starting" && answer.headers["retry-after"] == "1")
            }
            #expect(try await reason(subject.send("alice-country-xx")) == "400 country_unknown")
            #expect(.now - start < .seconds(3) && desk.asked.isEmpty)
            layout.pools = [Self.closed(de)]
            layout.elsewhere = .withoutServers
            try await subject.gateway.publish(layout)
            #expect(try await reason(subject.send("alice-country-va")) == "503 no_server")
            #expect(try await subject.send("alice-country-de").text == "germany")
        }
    }

    @Test func `without a controller a request waits, and is served when one is back`() async throws {
        let exit = try Subject.exit("germany")
        defer { exit.stop() }
        try await with([Self.closed(de)], listens: false) { subject, country, _ in
            await publish([Self.open(country, exit)], subject)
        } _: { subject, desk in
            async let held = subject.send("alice-country-de")
            try await eventually("it waits") {
                try await subject.gateway.usage()?.reading.attempts.values.contains { $0.count > 0 } ?? false
            }
            desk.listen(true)
            let answer = try await held
            #expect(answer.status == 200 && answer.text == "germany")
        }
        try await with([Self.closed(de)], hold: 1, listens: false) { _, _, _ in
            nil
        } _: { subject, _ in
            let answer = try await subject.send("alice-country-de")
            #expect(reason(answer) == "503 no_exit")
        }
    }

    @Test func `however many wait, few questions are asked`() async throws {
        let exit = try Subject.exit("germany")
        defer { exit.stop() }
        try await with([Self.closed(de)]) { subject, country, _ in
            await publish([Self.open(country, exit)], subject)
        } _: { subject, desk in
            let served = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<60 { group.addTask { try await subject.send("alice-country-de").status == 200 } }
                return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(served == 60)
            // One for each of HAProxy's threads at most.
            #expect(desk.asked.count <= ProcessorCount.value, "\(desk.asked)")
        }
    }

    private enum ProcessorCount { static var value: Int { Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))) } }

    @Test func `the countries that are fallen back to wait until the country itself can't be opened`() async throws {
        let (germany, america) = (try Subject.exit("germany"), try Subject.exit("america"))
        defer { for exit in [germany, america] { exit.stop() } }
        var closed = Self.closed(de)
        closed.fallback = [us]
        var open = Self.open(de, germany)
        open.fallback = [us]
        let pools = [open, Self.open(us, america)]
        try await with([closed, Self.open(us, america)]) { subject, _, user in
            user == "alice" ? await publish(pools, subject) : .refused(.openingLimit)
        } _: { subject, _ in
            let (bob, alice) = (try await subject.send("bob-country-de"), try await subject.send("alice-country-de"))
            #expect(bob.text == "america" && alice.text == "germany")
        }
    }

    @Test func `only a whole and right question is one`() throws {
        func question(_ text: String) -> String? {
            DemandSocket.question(Array(text.utf8)[...]).map { "\($0.0.lowercased) \($0.user)" }
        }
        #expect(question("open us alice\n") == "us alice")
        for text in ["open us alice", "open us\n", "open usa alice\n", "close us alice\n", "open  us alice\n", "\n", "open us \n"] {
            #expect(question(text) == nil, "\(text)")
        }
    }
}
