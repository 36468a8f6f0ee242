import FoundationEssentials
import HTTPTransport
import Model
import Platform
import Synchronization
import TestSupport
import Testing

/// One who follows `/api/stream/dashboard`, and the items of each topic as a page has them.
private final class Page: Sendable {
    private struct Change: Decodable {
        let all: [String: Document]?
        let set: [String: Document]?
        let removed: [String]?
    }

    private let got = Mutex<[UInt8]>([])
    private let client = HTTPClient()

    init(_ program: RunningProgram) throws {
        let key = try Files.read("\(program.folder.path)/d/admin.key").filter { !$0.isWhitespace }
        var request = HTTPRequest(
            "GET", "http://127.0.0.1:\(program.port)/api/stream/dashboard", headers: [(name: "X-API-Key", value: key)])
        request.deadline = 170
        let asked = request
        Task { [self] in
            _ = try? await client.send(asked) { bytes in
                self.got.withLock { $0 += bytes }
                return true
            }
        }
    }

    func leave() { client.close() }

    /// Items by their ids, by topic.
    var topics: [String: [String: Document]] {
        let text = String(decoding: got.withLock { $0 }, as: UTF8.self)
        guard let end = text.ranges(of: "\n\n").last?.lowerBound else { return [:] }
        var topics: [String: [String: Document]] = [:]
        for block in text[..<end].split(separator: "\n\n") {
            let lines = block.split(separator: "\n")
            guard let topic = lines.first(where: { $0.hasPrefix("event: ") })?.dropFirst(7),
                let data = lines.first(where: { $0.hasPrefix("data: ") })?.dropFirst(6),
                let change = try? JSONDecoder().decode(Change.self, from: Data(data.utf8))
            else { continue }
            let name = String(topic)
            if let all = change.all { topics[name] = all }
            topics[name, default: [:]].merge(change.set ?? [:]) { $1 }
            for id in change.removed ?? [] { topics[name]?[id] = nil }
        }
        return topics
    }
}

/// The dashboard of two real programs on one Redis: one leads, the other follows.
@Suite(.serialized, .timeLimit(.minutes(3)), .enabled(if: RunningProgram.isBuilt, "there is no .build/debug/sallyport"))
struct RealDashboardTests {
    /// Mullvad's list with one server.
    private static let relays =
        #"[{"hostname":"al-1","country_code":"al","city_name":"Tirana","fqdn":"al-1.relays.mullvad.net","active":true,"owned":false,"#
        + #""provider":"x","ipv4_addr_in":"127.0.0.1","type":"wireguard","pubkey":"9TYCXhc1dpXaJ8OgwsqNEVTuEUZmUfDhCSDrxuUBGUY="}]"#
    /// What is the same at every controller. Each has its own log, and its own sight of the parts that it needs.
    private static let shared = ["alerts", "breakers", "events", "exits", "pools", "traffic", "users"]

    @Test func `a follower's page shows the same as the leader's, and hears of changes at either`() async throws {
        let redis = try await OwnRedis()
        let provider = try ScriptedServer { connection in while connection.head() != nil { connection.answer(200, Self.relays) } }
        defer { provider.stop() }
        let others = ["mullvad": "http://127.0.0.1:\(provider.port)"]
        let first = try RunningProgram(redis: redis.socket, others: others)
        let second = try RunningProgram(redis: redis.socket, partner: first, others: others)
        try await RunningProgram.with([first, second]) {
            let (one, two) = (try Page(first), try Page(second))
            defer { for page in [one, two] { page.leave() } }
            #expect(try await first.call("POST", "/api/users", #"{"name":"alice"}"#).status == 201)
            try await eventually("the second makes a pool", within: 60) {
                try await second.call("POST", "/api/exits", #"{"country":"al"}"#).status == 202
            }
            var differing = Self.shared
            try await eventually("both show the same", within: 100) {
                let (leads, follows) = (one.topics, two.topics)
                differing = Self.shared.filter { leads[$0] == nil || leads[$0] != follows[$0] }
                let items = (leads["users"]?["alice"], leads["exits"]?["al-1"], leads["pools"]?["AL"], leads["traffic"]?["user:alice"])
                return differing.isEmpty && items.0 != nil && items.1 != nil && items.2 != nil && items.3 != nil
            }
            #expect(differing == [], "\(one.topics) \(two.topics)")
            #expect(one.topics["events"]?.isEmpty == false)
            #expect(Set(one.topics.keys) == Set(two.topics.keys))

            for (program, other) in [(first, two), (second, one)] {
                let before = try await eventually("it has a revision", within: 60) { other.topics["changes"]?["audit"] }
                #expect(try await program.call("POST", "/admin/reload").status == 200)
                try await eventually("the other's page hears of the change", within: 60) { other.topics["changes"]?["audit"] != before }
            }
        }
        try await redis.stop()
    }
}
