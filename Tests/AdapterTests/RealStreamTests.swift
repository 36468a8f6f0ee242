import FoundationEssentials
import HTTPTransport
import Platform
import Synchronization
import TestSupport
import Testing

/// One who follows `/api/stream/events` over one connection after the other, at whichever program, as a browser does.
private final class Follower: Sendable {
    private let got = Mutex<[UInt8]>([])
    private let client = HTTPClient()
    private let connection = Mutex<Task<Void, Never>?>(nil)

    /// What was sent and is whole; a connection can end amid an event.
    private var blocks: [[Substring: Substring]] {
        let text = String(decoding: got.withLock { $0 }, as: UTF8.self)
        guard let end = text.ranges(of: "\n\n").last?.upperBound else { return [] }
        return text[..<end].split(separator: "\n\n").map { block in
            block.split(separator: "\n").reduce(into: [:]) { fields, line in
                if let colon = line.firstRange(of: ": ") { fields[line[..<colon.lowerBound]] = line[colon.upperBound...] }
            }
        }
    }
    /// Ids of the events that came.
    var ids: [String] { blocks.filter { $0["data"] != nil }.map { String($0["id"] ?? "") } }
    var kinds: [String] { blocks.compactMap { $0["event"].map(String.init) } }
    var place: String? { blocks.compactMap { $0["id"] }.last.map(String.init) }
    var isConnected: Bool { connection.withLock { $0 != nil } }

    func follow(_ program: RunningProgram) throws {
        // What came in half is sent again.
        got.withLock { bytes in
            let whole = bytes.lastRange(of: Array("\n\n".utf8))?.upperBound ?? 0
            bytes.removeLast(bytes.count - whole)
        }
        let key = try Files.read("\(program.folder.path)/d/admin.key").filter { !$0.isWhitespace }
        let headers = [(name: "X-API-Key", value: key)] + (place.map { [(name: "Last-Event-ID", value: $0)] } ?? [])
        var request = HTTPRequest("GET", "http://127.0.0.1:\(program.port)/api/stream/events", headers: headers)
        request.deadline = 170
        let asked = request
        let task = Task { [self] in
            _ = try? await client.send(asked) { bytes in
                self.got.withLock { $0 += bytes }
                return true
            }
            connection.withLock { $0 = nil }
        }
        connection.withLock { $0 = task }
    }

    func leave() {
        connection.withLock { $0 }?.cancel()
        client.close()
    }
}

extension Array where Element == UInt8 {
    fileprivate func lastRange(of part: [UInt8]) -> Range<Int>? {
        guard count >= part.count else { return nil }
        return (0...count - part.count).last { Array(self[$0..<$0 + part.count]) == part }.map { $0..<$0 + part.count }
    }
}

/// Events as readers and receivers of two real programs on one Redis get them.
@Suite(.serialized, .timeLimit(.minutes(3)), .enabled(if: RunningProgram.isBuilt, "there is no .build/debug/sallyport"))
struct RealStreamTests {
    /// What the log has after a place, asked of a program.
    private func logged(_ program: RunningProgram, after place: String) async throws -> [String] {
        struct Answer: Decodable {
            struct Line: Decodable { let id: String }
            let events: [Line]
        }
        let answer = try await program.call("GET", "/api/events?after=\(place)&limit=1000")
        return try JSONDecoder().decode(Answer.self, from: Data(answer.body)).events.map(\.id)
    }

    /// Each reload is an event of the program that is asked for it.
    private func tell(_ program: RunningProgram, _ count: Int) async throws {
        for _ in 0..<count { #expect(try await program.call("POST", "/admin/reload").status == 200) }
    }

    @Test func `a reader goes on at another program when its own is killed, and at its own when that is back`() async throws {
        let redis = try await OwnRedis()
        let first = try RunningProgram(redis: redis.socket)
        let second = try RunningProgram(redis: redis.socket, partner: first)
        let reader = Follower()
        defer { reader.leave() }
        try await RunningProgram.with([first, second]) {
            func hasAll(_ what: String, _ start: String, least count: Int, from program: RunningProgram) async throws {
                try await eventually(what, within: 60) {
                    let wanted = try await logged(program, after: start)
                    return wanted.count >= count && reader.ids == wanted
                }
            }
            try reader.follow(first)
            let start = try await eventually("it has a place", within: 60) { reader.place }
            try await tell(first, 3)
            try await tell(second, 3)
            try await hasAll("events of both", start, least: 6, from: second)

            // Killed: what the other one tells meanwhile, and when it takes over, is not lost.
            try await first.crash()
            try await eventually("the reader notices", within: 60) { !reader.isConnected }
            try await tell(second, 5)
            try reader.follow(second)
            try await tell(second, 3)
            try await hasAll("events of the time in between, and after", start, least: 14, from: second)

            // Back again, with the other one gone meanwhile.
            try await second.crash()
            try await first.start()
            try await tell(first, 4)
            try await eventually("the reader notices", within: 60) { !reader.isConnected }
            try reader.follow(first)
            try await tell(first, 2)
            try await hasAll("events of before and after the restart", start, least: 20, from: first)
            #expect(!reader.kinds.contains("gap") && !reader.kinds.contains("dropped"), "\(reader.kinds)")
            try await second.start()
        }
        try await redis.stop()
    }

    @Test func `of two programs one sends to webhooks, and the other one when the first is killed`() async throws {
        let redis = try await OwnRedis()
        let receiver = try WebhookReceiver()
        defer { receiver.stop() }
        let first = try RunningProgram(redis: redis.socket)
        let second = try RunningProgram(redis: redis.socket, partner: first)
        for program in [first, second] { try program.configure(more: "webhooks: {allow_private: true, allow_http: true}") }
        try await RunningProgram.with([first, second]) {
            let made = try await second.call("POST", "/api/webhooks", #"{"url":"\#(receiver.url)","kinds":["configuration.reloaded"]}"#)
            #expect(made.status == 201, "\(made.text)")
            for _ in 0..<10 { for program in [first, second] { try await tell(program, 1) } }
            try await eventually("all have come", within: 60) { receiver.requests.count >= 20 }
            // A second sender would be a moment behind the first.
            let id = try #require(made.text.firstMatch(of: /"id":"(w[0-9a-f]+)"/)).1
            try await eventually("all is settled", within: 60) {
                let tries = try await second.call("GET", "/api/webhooks/\(id)/deliveries?limit=200").text
                return tries.split(separator: #""delivered":true"#).count - 1 >= 20
            }
            #expect(receiver.requests.count == 20 && Set(receiver.ids).count == 20, "\(receiver.requests.map(\.id))")
            try await first.crash()
            try await tell(second, 3)
            try await eventually("the other one sends", within: 60) { receiver.requests.count >= 23 }
            #expect(receiver.ids == receiver.ids.sorted() && receiver.ids.count == 23, "\(receiver.ids)")
            try await first.start()
        }
        try await redis.stop()
    }
}
