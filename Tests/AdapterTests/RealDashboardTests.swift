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

    /// What is the same at every controller. Each has its own log, its own sight of the parts that it needs, and breakers of its own for
    /// the providers, whose lists each fetches by itself.
    var shared: [String: [String: Document]] {
        var topics = topics.filter { Self.sharedTopics.contains($0.key) }
        topics["breakers"] = topics["breakers"]?.filter { !$0.key.hasPrefix("provider:") }
        return topics
    }

    static let sharedTopics: Set = ["alerts", "breakers", "events", "exits", "pools", "traffic", "users"]
}

/// The dashboard of two real programs on one Redis: one leads, the other follows.
@Suite(.serialized, .timeLimit(.minutes(3)), .enabled(if: RunningProgram.isBuilt, "there is no .build/debug/sallyport"))
struct RealDashboardTests {
    /// Mullvad's list with one server.
    private static let relays =
        #"[{"hostname":"al-1","country_code":"al","city_name":"Tirana","fqdn":"al-1.relays.mullvad.net","active":true,"owned":false,"#
        + #""provider":"x","ipv4_addr_in":"127.0.0.1","type":"wireguard","pubkey":"9TYCXhc1dpXaJ8OgwsqNEVTuEUZmUfDhCSDrxuUBGUY="}]"#

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
            var seen: [[String: [String: Document]]] = []
            do {
                try await eventually("both show the same", within: 100) {
                    seen = [one.shared, two.shared]
                    return seen[0] == seen[1] && Self.holdsAll(seen[0])
                }
            } catch {
                let names = Page.sharedTopics.sorted().filter { seen.first?[$0] == nil || seen.first?[$0] != seen.last?[$0] }
                throw TimeoutError(what: "\(error): \(names) \(names.map { [seen.first?[$0], seen.last?[$0]] })")
            }
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

    private static func holdsAll(_ topics: [String: [String: Document]]) -> Bool {
        Set(topics.keys) == Page.sharedTopics
            && [("users", "alice"), ("exits", "al-1"), ("pools", "AL"), ("traffic", "user:alice")].allSatisfy { topics[$0]?[$1] != nil }
    }
}
