import Control
import HTTPTransport
import Model
import Planning
import Platform
@testable import sallyport
import Synchronization
import TestSupport
import Testing

/// Whether an exit leaks or is elsewhere, where address services answer what they like: scripted services behind a scripted proxy.
@Suite(.serialized, .timeLimit(.minutes(1))) struct ComparingTests {
    private static let own = "198.18.9.9"
    private static let us = CountryCode("us")!  // An ISO code.

    /// What the services answer, to an exit as a whole and to this machine as a body; and how often an exit has asked each.
    private final class Script: Sendable {
        let asked = Mutex<[String: Int]>([:])
        let answers: Mutex<[String: String]>
        let direct = Mutex(#"{"ip":"198.18.9.9","country":"US"}"#)
        init(_ a: String, _ b: String) { answers = Mutex(["/a": a, "/b": b]) }
    }

    /// The services `/a` and `/b`, asked in this order, and a prober.
    private final class Rig: Sendable {
        let script: Script
        let exit: ScriptedServer
        let services: ScriptedServer
        let prober: HTTPProber
        private let client = HTTPClient()
        var proxy: ExitProxy {
            ExitProxy(
                endpoint: exit.endpoint, exit: ExitID(country: ComparingTests.us, number: 1),
                generation: 1,
                knowsCredential: true)
        }

        init(_ a: String, _ b: String, perDay: Int = 0) throws {
            let script = Script(a, b)
            self.script = script
            exit = try ScriptedServer { connection in
                while let head = connection.head() {
                    if head.hasPrefix("CONNECT") {
                        connection.write("HTTP/1.1 200 OK\r\n\r\n")
                        // The host of names ends the handshake, which is a sign of life.
                        if head.hasPrefix("CONNECT check.test") { return }
                        continue
                    }
                    let path = head.contains("/a HTTP") ? "/a" : "/b"
                    script.asked.withLock { $0[path, default: 0] += 1 }
                    connection.write(script.answers.withLock { $0[path] ?? "" })
                    return
                }
            }
            services = try ScriptedServer { connection in
                while connection.head() != nil { connection.answer(200, script.direct.withLock { $0 }) }
            }
            let urls = ["a", "b"].map { [port = services.port] in "http://127.0.0.1:\(port)/\($0)" }
            prober = HTTPProber(
                client: client, services: AddressServices(.init(urls: urls, perDay: perDay)), checkName: "check.test",
                credentials: ExitCredentials(root: RootKey(text: Secret(String(repeating: "0b", count: 32)))),
                log: .none)
        }

        deinit {
            exit.stop()
            services.stop()
            client.close()
        }

        func examine(isUrgent: Bool = false) async -> Examination { await prober.examine(proxy, isUrgent: isUrgent) }
        func asked(_ path: String) -> Int { script.asked.withLock { $0[path] ?? 0 } }
    }

    private static func answer(_ status: String = "200 OK", _ body: String, headers: String = "") -> String {
        "HTTP/1.1 \(status)\r\n\(headers)Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
    }
    private static func json(_ address: String, _ country: String?) -> String {
        answer("200 OK", #"{"ip":"\#(address)"\#(country.map { #","country":"\#($0)""# } ?? "")}"#)
    }

    /// What services, portals and proxies answer, and what is no address of an exit.
    static let garbage: [String] = [
        answer("429 Too Many Requests", #"{"status":429,"error":{"title":"Rate limit exceeded"}}"#),
        answer("403 Forbidden", "<html>no</html>", headers: "Content-Type: text/html\r\n"), answer("200 OK", ""),
        "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", answer("302 Found", "", headers: "Location: http://portal.test/\r\n"),
        answer("500 Oops", #"{"ip":"198.18.1.1","country":"US"}"#), answer("429 No", #"{"ip":"198.18.1.1","country":"US"}"#),
        answer("200 OK", "<html><p>Your address is 198.18.1.1\nip=198.18.1.1\nloc=US\n</html>", headers: "Content-Type: text/html\r\n"),
        answer("200 OK", #"[{"ip":"198.18.1.1","country":"US"}]"#), answer("200 OK", #"["198.18.1.1"]"#), answer("200 OK", "null"),
        answer("200 OK", #"{"ip":["198.18.1.1"],"country":"US"}"#), answer("200 OK", #"{"address":{"ip":"198.18.1.1"}}"#),
        answer("200 OK", #"{"ip":"198.18.1.1","ip":"198.18.1.2","country":"US"}"#),
        answer("200 OK", #"{"ip":"198.18.1.1","\u0069p":"198.18.1.2","country":"US"}"#),
        answer("200 OK", #"{"ip":"198.18.1.1","query":"198.18.1.2","country":"US"}"#),
        answer("200 OK", "ip=198.18.1.1\nip=198.18.1.2\nloc=US\n"), answer("200 OK", "198.18.1.1\n198.18.1.2\n"),
        answer("200 OK", "198.18 .1.1"), answer("200 OK", "203.0.113.9, 198.18.1.1"),
        json("10.5.0.2", "US"), json("192.168.1.1", "US"), json("172.31.240.2", "US"), json("127.0.0.1", "US"), json("100.64.1.1", "US"),
        json("169.254.1.1", "US"), json("0.0.0.0", "US"), json("255.255.255.255", "US"), json("::1", "US"), json("2001:db8::1", "US"),
        json("2606:4700::1111", "US"), json("::ffff:10.0.0.1", "US"), json("198.18.1.1/32", "US"), json("198.18.1.1:80", "US"),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{\"ip\":\"198.18.1.1\"}\r\n",
        answer("200 OK", #"{"ip":"198.18.1.1","country":"US"}"# + String(repeating: " ", count: 100_000)),
    ]

    @Test(arguments: garbage) func `an answer without an address is none, and the next service finds the leak`(first: String) async throws {
        let rig = try Rig(first, Self.json(Self.own, "US"))
        let found = await rig.examine()
        #expect(found.reason == .leak && found.detail?.contains(Self.own) == true)
        await #expect(throws: ExitFailure.self) { try await rig.prober.verify(rig.proxy) }
    }

    @Test(arguments: garbage) func `or the wrong country, and where no service says an address the exit lives but is not compared`(
        first: String
    ) async throws {
        let elsewhere = try Rig(first, Self.json("198.18.1.1", "DE"))
        let found = await elsewhere.examine()
        #expect(found.reason == .wrongCountry && found.isCompared && found.isPlaced)
        let nothing = try Rig(first, first)
        let unknown = await nothing.examine()
        #expect(unknown.reason == nil && !unknown.isCompared && !unknown.isPlaced)
        #expect(unknown.problem?.contains("127.0.0.1") == true)
        await #expect(throws: ExitFailure.self, "nor may it begin to serve") {
            try await nothing.prober.verify(nothing.proxy)
        }
    }

    @Test(
        arguments: [
            json("198.18.1.1", "US"), answer("200 OK", "\u{FEFF}{\"ip\":\"198.18.1.1\",\"country\":\"US\"}\n"),
            answer("200 OK", "\r\n\r\nfl=1\r\nip=198.18.1.1\r\n\r\nloc=US\r\n"), json("::ffff:198.18.1.1", "US"),
            answer(
                "200 OK", #"{"country":"United States","countryCode":"US","query":"198.18.1.1"}"#, headers: "Content-Type: text/html\r\n"),
        ]) func `an answer in any usual form is compared, and no other service is asked`(first: String) async throws
    {
        let rig = try Rig(first, Self.json(Self.own, "DE"))
        let found = await rig.examine()
        #expect(found.reason == nil && found.isCompared && found.isPlaced && found.problem == nil && rig.asked("/b") == 0)
        let sighting = try await rig.prober.verify(rig.proxy)
        #expect(sighting == Sighting(address: "198.18.1.1", country: Self.us, latencyMilliseconds: sighting.latencyMilliseconds))
    }

    @Test(arguments: [own, "::ffff:\(own)", "::FFFF:C612:0909"])
    func `this machine's own address is a leak in every spelling`(spelling: String) async throws {
        #expect(try await Rig(Self.json(spelling, "US"), "").examine().reason == .leak)
    }

    @Test func `an address without a country is kept, and the country is asked of the next`() async throws {
        let rig = try Rig(Self.json("198.18.1.1", nil), Self.json("198.18.1.2", "DE"))
        let found = await rig.examine()
        #expect(found.reason == .wrongCountry && found.isCompared && found.isPlaced && found.otherAddress == "198.18.1.2")
        // A leak that only the second one sees.
        #expect(try await Rig(Self.json("198.18.1.1", nil), Self.json(Self.own, "US")).examine().reason == .leak)
        // Where none says a country, nothing is wrong with it; and it is not asked for again and again.
        let placeless = try Rig(Self.json("198.18.1.1", nil), Self.json("198.18.1.1", nil))
        for _ in 0..<4 {
            let found = await placeless.examine()
            #expect(found.reason == nil && found.isCompared && !found.isPlaced && found.otherAddress == nil)
        }
        #expect(placeless.asked("/a") == 4 && placeless.asked("/b") == 1)
    }

    @Test func `a service that refuses rests, for all exits, and the others are asked no more than once in a probe`() async throws {
        let rig = try Rig(Self.garbage[0], Self.json("198.18.1.1", "US"))
        for _ in 0..<10 { #expect(await rig.examine().isCompared) }
        #expect(rig.asked("/a") == 1 && rig.asked("/b") == 10)
        let both = try Rig(Self.garbage[0], Self.garbage[1])
        for _ in 0..<10 { #expect(await both.examine().reason == nil) }
        // Once each, and once more to see that an answer comes.
        #expect(both.asked("/a") + both.asked("/b") <= 3)
        // An exit that is to begin is seen all the same.
        both.script.answers.withLock { $0["/b"] = Self.json("198.18.1.1", "US") }
        #expect(try await both.prober.verify(both.proxy).address == "198.18.1.1")
    }

    @Test func `where a budget is empty other signs are looked for, and a finding is not taken back`() async throws {
        let rig = try Rig(Self.json("198.18.1.1", "US"), Self.json("198.18.1.1", "US"), perDay: 100)
        let waits = await rig.examine()
        #expect(waits.reason == nil && waits.awaitsTurn && !waits.isCompared && waits.problem != nil)
        #expect(rig.asked("/a") + rig.asked("/b") == 0, "nothing is saved up yet")
        let urgent = await rig.examine(isUrgent: true)
        #expect(urgent.isCompared && urgent.isPlaced && rig.asked("/a") + rig.asked("/b") == 1)
        for _ in 0..<20 { _ = await rig.examine(isUrgent: true) }
        #expect(rig.asked("/a") + rig.asked("/b") <= 10, "both reserves are used")
        // An exit that is to begin is seen all the same.
        #expect(try await rig.prober.verify(rig.proxy).isCompared)
    }

    @Test func `a service of one's own is asked each time, and others for the country in the exit's turn`() async throws {
        let time = Mutex(ContinuousClock.now)
        let services = AddressServices(.init(own: ["own"], urls: ["a", "b"], perDay: 1_000)) { time.withLock { $0 } }
        let us = [1, 2].map { ExitID(country: Self.us, number: $0) }
        #expect(services.ready.first == "own" && services.isFree("own") && !services.isFree("a"))
        #expect(services.begin("own", .routine) && !services.begin("a", .routine) && !services.takeTurn(us[0]) && !services.takeTurn(us[1]))
        time.withLock { $0 += .seconds(100) }
        #expect(services.takeTurn(us[0]) && services.takeTurn(us[1]), "one of each service is saved up")
        // Who has more left is asked first.
        #expect(services.begin("a", .routine) && services.ready == ["own", "b", "a"])
        services.note("b", status: 503, nil)
        #expect(services.ready == ["own", "a"] && services.resting == ["b"])
    }

    @Test(
        arguments: [
            ("120", 120), ("-5", 0), ("Sun, 21 Nov 2026 01:02:03 GMT", 60), ("Sun, 21 Nov 2026 00:00:00 GMT", 0), ("soon", nil), ("", nil),
            ("Sun, 21 Foo 2026 01:02:03 GMT", nil), ("1e9", nil),
        ] as [(String, Double?)]) func `a pause is asked for by a number or a date`(text: String, seconds: Double?) throws
    {
        let now = try #require(Timestamp("2026-11-21T01:01:03.000Z"))
        #expect(RetryAfter.seconds(text, now) == seconds)
    }

    @Test func `rests grow, end with one who tries, and are as long as was asked for`() throws {
        let time = Mutex(ContinuousClock.now)
        let services = AddressServices(.init(urls: ["a", "b"])) { time.withLock { $0 } }
        func pass(_ seconds: Double) { time.withLock { $0 += .seconds(seconds) } }
        func refuse(_ retryAfter: String? = nil) { services.note("a", status: 429, retryAfter: retryAfter, nil) }
        refuse()
        #expect(services.ready == ["b"] && services.resting == ["a"])
        pass(61)
        #expect(services.ready == ["a", "b"] && services.begin("a", .routine) && !services.begin("a", .routine), "one tries it")
        refuse()
        pass(61)
        #expect(services.ready == ["b"])
        pass(60)
        #expect(services.ready == ["a", "b"])
        refuse("1800")
        pass(1_700)
        #expect(services.ready == ["b"])
        pass(101)
        #expect(services.begin("a", .routine))
        services.note("a", status: 200, EchoAnswer(Array("198.18.1.1".utf8)))
        #expect(services.begin("a", .routine) && services.begin("a", .routine) && !services.saysCountry("a"))
        refuse("999999999")
        pass(86_401)
        #expect(services.ready == ["a", "b"])
    }

    @Test func `an address of our own that was known is not forgotten when the services stop to say it`() async throws {
        let rig = try Rig(Self.json("198.18.1.1", "US"), Self.json("198.18.1.1", "US"))
        #expect(await rig.prober.directAddress() == Self.own)
        rig.script.direct.withLock { $0 = "<html>blocked</html>" }
        rig.script.answers.withLock { $0["/a"] = Self.json(Self.own, "US") }
        #expect(await rig.examine().reason == .leak)
    }

    @Test func `where this machine's own address is not known, nothing is compared, and that is said`() async throws {
        let rig = try Rig(Self.json("198.18.1.1", "US"), Self.json("198.18.1.1", "US"))
        rig.script.direct.withLock { $0 = "<html>blocked</html>" }
        let found = await rig.examine()
        #expect(found.reason == nil && !found.isCompared && found.isPlaced && found.problem?.contains("own address") == true)
        #expect(try await !rig.prober.verify(rig.proxy).isCompared)
    }

    @Test(
        arguments: [
            ("https://ipinfo.io/json?token=secret", "ipinfo.io/json"), ("http://user:secret@ip.test:81/x#secret", "ip.test:81/x"),
            ("http://ip.test", "ip.test"),
        ]) func `a service is named without what may be a secret`(url: String, name: String)
    {
        #expect(AddressServices.name(url) == name)
    }
}
