@testable import HAProxyControl
import HTTPTransport
import Model
import Planning
import Synchronization
import TestSupport
import Testing

private let gb = CountryCode("gb")!  // An ISO code.

/// Targets that are IPv6 addresses leave by exits that have IPv6, on a real HAProxy.
@Suite(.timeLimit(.minutes(1))) struct HAProxyIPv6Tests {
    typealias Subject = GatewaySubject

    private static let target = "http://[2606:4700:0:0::1]/"
    private static let unsupported = "502 address_not_supported"

    /// An exit that answers with its name, and keeps the heads that reach it.
    private final class Exit: Sendable {
        let server: ScriptedServer
        private let seen: SeenHeads
        var heads: [String] { seen.all }

        init(_ name: String) throws {
            let seen = SeenHeads()
            self.seen = seen
            server = try ScriptedServer(address: ScriptedServer.ownAddress()) { connection in
                while let head = connection.head() {
                    seen.add(head)
                    _ = head.hasPrefix("CONNECT ") ? connection.write("HTTP/1.1 200 Established\r\n\r\n") : connection.answer(200, name)
                }
            }
        }
    }

    private final class SeenHeads: Sendable {
        private let heads = Mutex<[String]>([])
        var all: [String] { heads.withLock { $0 } }
        func add(_ head: String) { heads.withLock { $0.append(head) } }
    }

    /// `us` has IPv6 at two of three exits, `de` at none and falls back to `gb`, where the only one has it.
    private func with(_ body: (Subject, [Exit], GatewayLayout) async throws -> Void) async throws {
        try await Subject.with { subject in
            let exits = try ["four", "six 2", "six 3", "german", "british"].map { try Exit($0) }
            func slot(_ number: Int, _ exit: Int, _ country: CountryCode, hasIPv6: Bool, city: String? = nil) -> GatewaySlot {
                var slot = Subject.slot(number, exits[exit].server.endpoint, country: country, city: city)
                slot.occupant?.hasIPv6 = hasIPv6
                return slot
            }
            let american = [
                slot(1, 0, us, hasIPv6: false, city: "Dallas"), slot(2, 1, us, hasIPv6: true, city: "New York"),
                slot(3, 2, us, hasIPv6: true),
            ]
            var german = Subject.pool(de, [slot(1, 3, de, hasIPv6: false)])
            german.fallback = [gb]
            let layout = GatewayLayout(
                pools: [Subject.pool(us, american), german, Subject.pool(gb, [slot(1, 4, gb, hasIPv6: true)])],
                users: [Subject.user("alice")])
            try await subject.gateway.publish(layout)
            try await body(subject, exits, layout)
        }
    }

    /// The exit that answers, or the status and the reason.
    private func ask(_ subject: Subject, _ user: String, way: String = "plain", url: String = HAProxyIPv6Tests.target) async throws
        -> String
    {
        var request = subject.request(user, tunnels: way == "connect")
        if way == "socks5" { request.proxy = request.proxy?.replacing("http://", with: "socks5h://") }
        request.url = url
        do {
            let answer = try await subject.client.send(request)
            return answer.headers["x-sallyport-reason"].map { "\(answer.status) \($0)" } ?? answer.text
        } catch {
            // libcurl has a SOCKS5 reply, and the status of a CONNECT, in its words alone.
            let words = "\(error)"
            if words.contains("502") || way == "socks5" && words.contains("proxy handshake error") { return Self.unsupported }
            throw error
        }
    }

    @Test(arguments: ["plain", "connect", "socks5"]) func `an IPv6 address leaves by exits that have IPv6, a name by all`(way: String)
        async throws
    {
        try await with { subject, exits, _ in
            var seen: Set<String> = []
            for _ in 0..<16 { seen.insert(try await ask(subject, "alice-country-us", way: way)) }
            #expect(seen == ["six 2", "six 3"])
            #expect(exits[0].heads.allSatisfy { !$0.contains("2606") })
            let heads = exits[1].heads.filter { !$0.hasPrefix("PREPARE") }
            #expect(heads.contains { $0.contains("[2606:4700::1]") }, "\(heads)")
            for _ in 0..<16 { seen.insert(try await ask(subject, "alice-country-us", way: way, url: "http://target.test/")) }
            #expect(seen.contains("four"))
            #expect(try await ask(subject, "alice-country-us-city-newyork", way: way) == "six 2")
            #expect(try await ask(subject, "alice-country-us-city-dallas", way: way) == Self.unsupported)
        }
    }

    @Test(arguments: ["plain", "connect", "socks5"]) func `where no exit of the country has IPv6, that is said`(way: String) async throws {
        try await with { subject, exits, layout in
            #expect(try await ask(subject, "alice-country-de", way: way) == Self.unsupported)
            #expect(try await ask(subject, "alice-country-de", way: way, url: "http://target.test/") == "german")
            // Falling back is for a country without any exit.
            var empty = layout
            empty.pools[1].slots[0] = .free(1)
            try await subject.gateway.publish(empty)
            #expect(try await ask(subject, "alice-country-de", way: way) == "british")
            #expect(exits[3].heads.allSatisfy { !$0.contains("2606") })
        }
    }

    @Test func `a session stays on its exit, with IPv6 or without`() async throws {
        try await with { subject, _, _ in
            var places: Set<String> = []
            for id in 1...12 {
                let user = "alice-country-us-session-s\(id)"
                let place = try await ask(subject, user, url: "http://target.test/")
                places.insert(place)
                #expect(try await ask(subject, user) == (place == "four" ? Self.unsupported : place))
                #expect(try await ask(subject, user, url: "http://target.test/") == place)
                let six = try await ask(subject, "alice-country-us-session-x\(id)")
                #expect(six != "four" && six != Self.unsupported)
                #expect(try await ask(subject, "alice-country-us-session-x\(id)", url: "http://target.test/") == six)
            }
            #expect(places.contains("four") && places.count > 1)
        }
    }

    @Test(arguments: ["[::ffff:8.8.8.8]", "[64:ff9b::808:808]"]) func `another form of an IPv4 address goes to no exit`(host: String)
        async throws
    {
        try await with { subject, exits, _ in
            let answer = try await ask(subject, "alice-country-us", url: "http://\(host)/")
            #expect(answer == Self.unsupported)
            for host in ["[::1]", "[fd00::1]", "[::ffff:10.0.0.1]", "[2002:a00:1::1]", "[2606:4700::5efe:10.0.0.1]", "[2001:0:1::1]"] {
                let answer = try await ask(subject, "alice-country-us", url: "http://\(host)/")
                #expect(answer == "403 target_not_allowed", "\(host)")
            }
            #expect(exits.allSatisfy { $0.heads.isEmpty })
        }
    }

    @Test func `a standby with IPv6 is tried where the only other exit has none`() async throws {
        try await with { subject, _, layout in
            var layout = layout
            for index in [1, 2] { layout.pools[0].slots[index].state = .drain }
            layout.pools[0].standbys = [2]
            try await subject.gateway.publish(layout)
            #expect(try await ask(subject, "alice-country-us", way: "connect") == "six 2")
            #expect(try await ask(subject, "alice-country-us", url: "http://target.test/") == "four")
        }
    }
}
