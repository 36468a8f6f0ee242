import Glibc
@testable import HAProxyControl
import HTTPTransport
import Model
import Planning
import Platform
import Synchronization
import TestSupport
import Testing

/// A tunnel that is tried at another exit before it fails, on a real HAProxy.
@Suite(.timeLimit(.minutes(2))) struct HAProxyPreparingTests {
    private typealias Subject = GatewaySubject

    /// What an exit does when it is asked to reach a target.
    private enum Manner {
        case ready
        /// Nothing comes through its tunnel.
        case silent
        /// Nothing came through its tunnel for a while.
        case late
        /// The target takes its time.
        case slow
        /// It takes connections, and says nothing.
        case frozen
        case broken
        /// It is another exit, at the address of the one that is meant.
        case stranger
        /// It does not know what it is asked, as exits of the version before.
        case old

        func answer(_ connection: ScriptedConnection) {
            switch self {
            case .ready: connection.write("HTTP/1.1 200 4711\r\n\r\n")
            case .silent, .frozen:
                if case .silent = self { connection.write("HTTP/1.1 102 exit_silent\r\n\r\n") }
                connection.hang()
            case .late, .slow:
                connection.write("HTTP/1.1 102 \(self == .late ? "exit_silent" : "target_slow")\r\n\r\n")
                usleep(2_000_000)
                connection.write("HTTP/1.1 200 4711\r\n\r\n")
                connection.hang()
            case .broken: break
            case .stranger: connection.answer(407, "authentication_required\n")
            case .old: connection.answer(400, "?")
            }
        }
    }

    private final class Exit: Sendable {
        let server: ScriptedServer
        private let heads: Heads

        init(_ name: String, _ manner: Manner) throws {
            let heads = Heads()
            self.heads = heads
            server = try ScriptedServer(address: ScriptedServer.ownAddress()) { connection in
                while let head = connection.head() {
                    heads.add(head)
                    guard !head.hasPrefix("PREPARE ") else { return manner.answer(connection) }
                    if head.hasPrefix("CONNECT ") { break }
                    connection.answer(200, name)
                }
                connection.write("HTTP/1.1 200 Established\r\n\r\n")
                while connection.head() != nil { connection.answer(200, name) }
            }
        }

        var prepared: [String] { heads.all.filter { $0.hasPrefix("PREPARE ") } }
        var others: [String] { heads.all.filter { !$0.hasPrefix("PREPARE ") }.map { $0.lowercased() } }
        var connects: [String] { heads.all.filter { $0.hasPrefix("CONNECT ") }.map { $0.lowercased() } }
    }

    private final class Heads: Sendable {
        private let heads = Mutex<[String]>([])
        func add(_ head: String) { heads.withLock { $0.append(head) } }
        var all: [String] { heads.withLock { $0 } }
    }

    /// Exits of `us` in this order, all of them tried by each request sooner or later.
    private func with(
        _ manners: [Manner], fallback: [Manner] = [], _ body: (Subject, [Exit]) async throws -> Void
    ) async throws {
        try await Subject.with({ $0.holdSeconds = 0 }, credentials: Subject.credentials) { subject in
            let exits = try (manners + fallback).enumerated().map { try Exit("exit \($0 + 1)", $1) }
            defer { for exit in exits { exit.server.stop() } }
            func pool(_ country: CountryCode, _ exits: ArraySlice<Exit>) -> GatewayPool {
                Subject.pool(
                    country, exits.enumerated().map { Subject.slot($0 + 1, $1.server.endpoint, country: country) }, spread: .roundRobin)
            }
            var pools = [pool(us, exits.prefix(manners.count))]
            if !fallback.isEmpty {
                pools[0].fallback = [de]
                pools.append(pool(de, exits.dropFirst(manners.count)))
            }
            try await subject.gateway.publish(GatewayLayout(pools: pools, users: [Subject.user("alice")]))
            try await body(subject, exits)
        }
    }

    private func tunnel(_ subject: Subject, _ user: String = "alice-country-us") async throws -> String {
        var request = subject.request(user, tunnels: true)
        request.deadline = 30
        return try await subject.client.send(request).text
    }

    private func count(_ kind: GatewayAttempt, _ subject: Subject) async throws -> Int {
        let reading = try await subject.gateway.usage()?.reading
        return reading?.attempts.values.filter { $0.kind == kind }.map(\.count).reduce(0, +) ?? 0
    }

    private func expect(_ subject: Subject, _ exit: String, user: String = "alice-country-us") async throws {
        let answer = try await tunnel(subject, user)
        #expect(answer == exit)
    }

    @Test func `the tunnel takes the connection that its exit has prepared`() async throws {
        try await with([.ready]) { subject, exits in
            try await expect(subject, "exit 1")
            let prepared = try #require(exits[0].prepared.first)
            #expect(prepared.hasPrefix("PREPARE target.test:80 HTTP/1.1\r\n"))
            #expect(prepared.contains("Basic \(ExitCredentials.basic(Subject.credentials.pool(us)))"))
            #expect(exits[0].connects.first?.contains("x-sallyport-ticket: 4711") == true)
        }
    }

    @Test func `an exit whose slot is being moved is not asked`() async throws {
        try await with([.ready, .ready]) { subject, exits in
            _ = try await RuntimeSocket(path: subject.settings.statsSocket).send("set server pool-us/s1 state maint")
            for _ in 0..<4 { try await expect(subject, "exit 2") }
            #expect(exits[0].prepared.isEmpty && exits[0].connects.isEmpty)
        }
    }

    @Test(arguments: [Manner.silent, .late, .frozen, .broken, .stranger])
    private func `an exit that can't is left for another one of its pool`(manner: Manner) async throws {
        try await with([manner, .ready]) { subject, exits in
            for _ in 0..<4 { try await expect(subject, "exit 2") }
            #expect(exits[0].connects.isEmpty && !exits[0].prepared.isEmpty)
        }
    }

    private func head(_ method: String) -> String {
        let password = Base64.encode(Array("alice-country-us:\(Subject.password)".utf8))
        return "\(method) http://target.test/ HTTP/1.1\r\nHost: target.test\r\nProxy-Authorization: Basic \(password)\r\n"
    }

    /// One that begins its client's connection, of any method: nothing of it has been sent yet.
    private func plain(_ subject: Subject, _ method: String = "GET", body: String = "") async throws -> String {
        let raw = try Raw(port: subject.settings.gatewayPort)
        raw.send(head(method) + "Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)")
        return try await raw.receiveAll() ?? "no end"
    }

    @Test func `a plain request that has one exit is prepared, and the next of its connection is not`() async throws {
        try await with([.ready]) { subject, exits in
            for (method, body) in [("GET", ""), ("POST", "something")] {
                let answer = try await plain(subject, method, body: body)
                #expect(answer.hasPrefix("HTTP/1.1 200 ") && answer.hasSuffix("exit 1"), "\(answer)")
            }
            #expect(exits[0].prepared.count == 2 && exits[0].prepared.allSatisfy { $0.hasPrefix("PREPARE target.test:80 ") })
            #expect(exits[0].others.allSatisfy { $0.contains("x-sallyport-ticket: 4711") })
            let raw = try Raw(port: subject.settings.gatewayPort)
            for _ in 0..<3 {
                raw.send(head("GET") + "\r\n")
                let answer = try await Blocking.run { String(decoding: raw.receive() ?? [], as: UTF8.self) }
                #expect(answer.hasPrefix("HTTP/1.1 200 ") && answer.hasSuffix("exit 1"), "\(answer)")
            }
            #expect(exits[0].prepared.count == 3)
        }
    }

    @Test(arguments: [Manner.silent, .frozen, .broken])
    private func `a plain request whose one exit can't goes to a standby, of any method`(manner: Manner) async throws {
        try await Subject.with(credentials: Subject.credentials) { subject in
            let (exit, standby) = (try Exit("exit", manner), try Exit("standby", .ready))
            defer { for exit in [exit, standby] { exit.server.stop() } }
            var pool = Subject.pool(us, [Subject.slot(1, exit.server.endpoint), Subject.slot(2, standby.server.endpoint, .drain)])
            pool.standbys = [2]
            try await subject.gateway.publish(GatewayLayout(pools: [pool], users: [Subject.user("alice")]))
            for (method, body) in [("GET", ""), ("POST", "something"), ("GET", ""), ("POST", "else")] {
                let answer = try await plain(subject, method, body: body)
                #expect(answer.hasPrefix("HTTP/1.1 200 ") && answer.hasSuffix("standby"), "\(answer)")
            }
            #expect(exit.others.isEmpty && !exit.prepared.isEmpty)
            // Of one connection as well.
            let raw = try Raw(port: subject.settings.gatewayPort)
            for _ in 0..<3 {
                raw.send(head("GET") + "\r\n")
                let answer = try await Blocking.run { String(decoding: raw.receive() ?? [], as: UTF8.self) }
                #expect(answer.hasPrefix("HTTP/1.1 200 ") && answer.hasSuffix("standby"), "\(answer)")
            }
        }
    }

    @Test func `an exit that is not there is left for another one`() async throws {
        try await with([.ready, .ready]) { subject, exits in
            exits[0].server.stop()
            for _ in 0..<4 { try await expect(subject, "exit 2") }
        }
    }

    @Test func `a slow target is not taken for a dead exit`() async throws {
        try await with([.slow, .ready]) { subject, exits in
            for _ in 0..<2 { _ = try await tunnel(subject) }
            // In turn: each has had one, and nobody was asked twice.
            #expect(exits.map(\.connects.count) == [1, 1] && exits.map(\.prepared.count) == [1, 1])
        }
    }

    @Test func `the last one left is waited for`() async throws {
        try await with([.late]) { subject, exits in
            try await expect(subject, "exit 1")
            #expect(exits[0].connects.first?.contains("x-sallyport-ticket: 4711") == true)
        }
    }

    @Test func `an exit that does not know the question gets its CONNECT all the same`() async throws {
        try await with([.old]) { subject, exits in
            try await expect(subject, "exit 1")
            #expect(exits[0].connects.first?.contains("x-sallyport-ticket") == false)
        }
    }

    @Test func `where a pool is silent its fallback is tried`() async throws {
        try await with([.silent, .silent], fallback: [.ready]) { subject, exits in
            try await expect(subject, "exit 3")
            let secret = ExitCredentials.basic(Subject.credentials.pool(de)).lowercased()
            #expect(exits[2].connects.first?.contains("basic \(secret)") == true)
        }
    }

    @Test func `a proved standby carries what no exit of the pool can, and nothing else`() async throws {
        try await Subject.with(credentials: Subject.credentials) { subject in
            let (exit, standby) = (try Exit("exit", .ready), try Exit("standby", .ready))
            defer { for exit in [exit, standby] { exit.server.stop() } }
            var pool = Subject.pool(
                us, [Subject.slot(1, exit.server.endpoint), Subject.slot(2, standby.server.endpoint, .drain)])
            pool.standbys = [2]
            try await subject.gateway.publish(GatewayLayout(pools: [pool], users: [Subject.user("alice")]))
            for _ in 0..<4 { try await expect(subject, "exit") }
            #expect(standby.prepared.isEmpty)
            exit.server.stop()
            for user in ["alice-country-us", "alice-country-us-session-a", "alice-country-any"] {
                try await expect(subject, "standby", user: user)
            }
            // Nothing else is left of the pool.
            pool.slots[0] = .free(1)
            try await subject.gateway.publish(GatewayLayout(pools: [pool], users: [Subject.user("alice")]))
            try await expect(subject, "standby")
            let plain = try await subject.send()
            #expect(plain.status == 200 && plain.text == "standby")
        }
    }

    @Test func `a request waits for the exit that is on its way, and no longer than it may`() async throws {
        try await Subject.with({ $0.holdSeconds = 20 }, credentials: Subject.credentials) { subject in
            let exit = try Exit("exit", .ready)
            defer { exit.server.stop() }
            var pool = Subject.pool(us)
            pool.isComing = true
            try await subject.gateway.publish(GatewayLayout(pools: [pool], users: [Subject.user("alice")]))
            async let held = tunnel(subject)
            async let plain = subject.send()
            try await eventually("two wait") { try await count(.held, subject) == 2 }
            try await subject.gateway.publish(
                GatewayLayout(pools: [Subject.pool(us, [Subject.slot(1, exit.server.endpoint)])], users: [Subject.user("alice")]))
            let answers = (try await held, try await plain.status)
            #expect(answers.0 == "exit" && answers.1 == 200)
        }
        try await Subject.with({ $0.holdSeconds = 1 }, credentials: Subject.credentials) { subject in
            var pool = Subject.pool(us)
            pool.isComing = true
            try await subject.gateway.publish(GatewayLayout(pools: [pool, Subject.pool(de)], users: [Subject.user("alice")]))
            for user in ["alice-country-us", "alice-country-de"] {
                let answer = try await subject.send(user)
                #expect(answer.status == 503 && answer.headers["x-sallyport-reason"] == "no_exit")
            }
            // Of the other country none is on its way.
            let count = try await count(.held, subject)
            #expect(count == 1)
        }
    }

    private static let cores = sysconf(Int32(_SC_NPROCESSORS_ONLN))

    @Test(.enabled(if: cores <= 6, "each core takes 1,200 connections more, and a process may have 20,000 files"))
    func `clients that go away while they are held keep no others from being held later`() async throws {
        // More than all threads hold at once, a thousand each.
        let sent = 1200 * Self.cores
        try await Subject.with({ ($0.holdSeconds, $0.clientLimit) = (4, sent + 500) }) { subject in
            var pool = Subject.pool(us)
            pool.isComing = true
            try await subject.gateway.publish(GatewayLayout(pools: [pool], users: [Subject.user("alice")]))
            for _ in 0..<sent { try Raw(port: subject.settings.gatewayPort).send(head("GET") + "\r\n") }
            try await eventually("some were refused at once") {
                let held = try await count(.held, subject)
                return held > 1000 && held < sent
            }
            try await eventually("all are held again", within: 20) {
                let before = try await count(.held, subject)
                return try await withThrowingTaskGroup(of: HTTPResponse.self) { requests in
                    for _ in 0..<10 { requests.addTask { try await subject.send() } }
                    for try await answer in requests { #expect(answer.headers["x-sallyport-reason"] == "no_exit") }
                    return try await count(.held, subject) == before + 10
                }
            }
        }
    }

    @Test func `a tunnel waits for the exit that takes the place of one that is gone`() async throws {
        try await Subject.with({ $0.holdSeconds = 20 }, credentials: Subject.credentials) { subject in
            let (gone, next) = (try Exit("gone", .silent), try Exit("next", .ready))
            defer { for exit in [gone, next] { exit.server.stop() } }
            func publish(_ endpoint: Endpoint, generation: Int) async throws {
                let slot = Subject.slot(1, endpoint, generation: generation)
                try await subject.gateway.publish(GatewayLayout(pools: [Subject.pool(us, [slot])], users: [Subject.user("alice")]))
            }
            for manner in ["silent", "gone"] {
                if manner == "gone" { gone.server.stop() }
                try await publish(gone.server.endpoint, generation: 1)
                let before = try await count(.held, subject)
                async let answer = tunnel(subject)
                try await eventually("it waits") { try await count(.held, subject) == before + 1 }
                try await publish(next.server.endpoint, generation: 2)
                let text = try await answer
                #expect(text == "next", "\(manner)")
            }
        }
    }

    @Test func `second tries are counted`() async throws {
        try await with([.silent, .ready]) { subject, _ in
            for _ in 0..<2 { _ = try await tunnel(subject) }
            let count = try await count(.retries, subject)
            #expect(count >= 1)
        }
    }

    @Test func `a session moves on and stays there, one that may not move stays`() async throws {
        try await with([.silent, .ready]) { subject, exits in
            for id in 1...4 {
                for _ in 0..<2 { try await expect(subject, "exit 2", user: "alice-country-us-session-a\(id)") }
            }
            let asked = exits[0].prepared.count
            for id in 1...4 { _ = try await tunnel(subject, "alice-country-us-session-a\(id)") }
            #expect(exits[0].prepared.count == asked)
            for id in 1...6 { _ = try? await tunnel(subject, "alice-country-us-hardsession-b\(id)") }
            #expect(!exits[0].connects.isEmpty && exits[0].prepared.count == asked)
        }
    }
}
