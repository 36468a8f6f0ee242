import FoundationEssentials
import Model
import Testing

/// Keys that are written as text: the text is that of earlier versions, and any text is read and written as it was.
struct TextKeyTests {
    private static let breakers: [(String, BreakerKey)] = [
        ("server:us9001.lab.test", .server("us9001.lab.test")), ("server:", .server("")), ("server:a:b", .server("a:b")),
        ("credential:nordvpn", .credential(.nordvpn)), ("provider:mullvad", .list(.mullvad)), ("account:ivpn", .account(.ivpn)),
    ]

    @Test(arguments: breakers) func `a breaker's key has the text of earlier versions`(text: String, key: BreakerKey) throws {
        #expect(BreakerKey(text) == key && key.description == text)
        #expect(String(decoding: try JSONEncoder().encode([key]), as: UTF8.self) == "[\"\(text)\"]")
        #expect(try JSONDecoder().decode([BreakerKey].self, from: Data("[\"\(text)\"]".utf8)) == [key])
    }

    private static let us = ExitID("us-1").map { $0.country }
    private static let alerts: [(String, AlertSubject?)] =
        Dependency.allCases.map { ("part:\($0.rawValue)", .part($0)) } + [
            ("credential:nordvpn", .credential(.nordvpn)), ("pool:us", us.map { .pool($0) }), ("exits", .exits),
            ("comparison:address", .comparison(.address)), ("comparison:country", .comparison(.country)),
            ("leak:us-1", ExitID("us-1").map { .leak($0) }), ("container:sallyport-us-1-g2", .container("sallyport-us-1-g2")),
            ("user:bob", .user("bob")), ("list:mullvad", .list(.mullvad)), ("size:ivpn", .size(.ivpn)), ("access_log", .accessLog),
            ("guesses:2001:db8::7", .guesses("2001:db8::7")), ("user:bob/guesses", .guessed("bob")), ("audit", .audit), ("store", .store),
            ("store_policy", .storePolicy),
            ("store/users", .table("users")), ("store/api:keys", .table("api:keys")), ("store/orders", .orders),
        ]

    @Test(arguments: alerts) func `an alert's subject has the text of earlier versions`(text: String, subject: AlertSubject?) throws {
        #expect(AlertSubject(text) == subject && subject?.description == text)
    }

    @Test(arguments: [
        "", "host", "part:moon", "pool:US", "pool:uk", "pool:xx", "leak:uk-1", "leak:us-0", "comparison:", "moon:us", "store:",
    ])
    func `a subject that no case has is kept as the text that it is`(text: String) {
        guard case .other(text) = AlertSubject(text) else {
            Issue.record("\(AlertSubject(text)) is read from \(text)")
            return
        }
    }

    @Test func `an alert is stored and shown in the form of earlier versions`() throws {
        let text = #"{"id":"part:host","message":"offline","remedy":"check","severity":"critical","since":"2026-01-01T00:00:00.000Z"}"#
        let alert = try JSONDecoder().decode(Alert.self, from: Data(text.utf8))
        #expect(alert.subject == .part(.host) && alert.severity == .critical)
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let back = try JSONDecoder().decode([String: String].self, from: try encoder.encode(alert))
        #expect(back["id"] == "part:host" && Set(back.keys) == ["id", "message", "remedy", "severity", "since"])
    }

    @Test(arguments: [("server:us1", "server"), ("provider:nordvpn", "provider"), ("moon:us1", "moon"), ("moon", "moon"), ("", "")])
    func `a breaker's kind is what stands before the colon, also in a text of another version`(text: String, kind: String) {
        #expect(BreakerKey(text).kind == kind)
    }

    @Test(arguments: ["probe", "quota", "moon"]) func `an event's cause is stored as its text, also one of another version`(text: String)
        throws
    {
        var event = Event(at: Timestamp(milliseconds: 0), .failover, .warning, "exit us-1 is lost")
        event.cause = EventCause(rawValue: text)
        let stored = try JSONEncoder().encode(event)
        #expect(String(decoding: stored, as: UTF8.self).contains("\"cause\":\"\(text)\""))
        #expect(try JSONDecoder().decode(Event.self, from: stored) == event)
    }

    @Test func `an account has the text of earlier versions, which names its user`() {
        let user = ProxyUser(name: "alice.b", passwords: [], createdAt: Timestamp(milliseconds: 1_000_000))
        #expect(user.account.description == "alice.b@lfls" && UserAccount("alice.b@lfls") == user.account)
        #expect(user.account.userName == "alice.b" && UserAccount("nobody").userName == "nobody")
    }

    /// Texts of the pieces of keys, put together by chance.
    @Test(arguments: 1...200) func `any text is read and written as it was, and keys are in the order of their texts`(seed: UInt64) {
        var random = SplitMix64(state: seed)
        let pieces = [
            "server", "credential", "provider", "account", "moon", "part", "pool", "leak", "container", "user", "list", "store", "store/",
            "comparison", "address", "host", ":", ":", ":", "/", "us", "US", "uk", "-1", "é", " ", "nordvpn",
        ]
        let texts = (0..<20).map { _ in
            (0..<Int.random(in: 0...4, using: &random)).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
        }
        for text in texts { #expect(BreakerKey(text).description == text && AlertSubject(text).description == text) }
        #expect(texts.map { BreakerKey($0) }.sorted().map(\.description) == texts.sorted())
    }
}

extension ProviderAccount {
    static let nordvpn = ProviderAccount(.nordvpn)
}
