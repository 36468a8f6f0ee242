@testable import API
import Control
import FoundationEssentials
import Model
import Planning
import Platform
@testable import RedisStore
import TestSupport
import Testing
@testable import TimeSeries
@testable import Webhooks
@testable import sallyport

/// Figures over time, quotas and queues on a real Redis.
@Suite(.timeLimit(.minutes(1))) struct FigureStoreTests {
    private let start = Timestamp(milliseconds: 1_763_683_200_000)

    private func text(_ number: Int) throws -> String {
        let sample = FigureSample(at: start + Double(number) * 10, seconds: 10, values: ["exits": Double(number)])
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return String(decoding: try encoder.encode(sample), as: UTF8.self)
    }

    @Test func `what the leader samples another controller reads, and one that starts later has all of it`() async throws {
        try await withRedis { redis, _, connection in
            let leader = APIStore(connection: connection, prefix: "test")
            let other = RedisConnection(address: .unix(path: redis.socket))
            let follower = APIStore(connection: other, prefix: "test")
            var reader = FigureReader()
            let figures = FigureHistory()
            for number in 0..<3 { try await leader.append(try text(number), to: .fine) }
            await reader.read(from: follower, into: figures)
            try await leader.append(try text(3), to: .fine)
            try await leader.append(try text(0), to: .coarse)
            await reader.read(from: follower, into: figures)
            await reader.read(from: follower, into: figures)
            func values(_ figures: FigureHistory) -> [Double?] {
                figures.points(since: start, step: 10, now: start + 40).points.map { $0.sample?.shown(.exits) }
            }
            #expect(values(figures) == [0, 1, 2, 3])
            let late = FigureHistory()
            var lateReader = FigureReader()
            await lateReader.read(from: follower, into: late)
            #expect(values(late) == [0, 1, 2, 3])
            await other.close()
        }
    }

    @Test func `no more is stored than is shown, or little more`() async throws {
        try await withRedis { redis, _, connection in
            let store = APIStore(connection: connection, prefix: "test")
            for number in 0..<1200 { try await store.append(try text(number), to: .fine) }
            let length = try #require(try await connection.command(["XLEN", "test:api:figures:fine"]).integer)
            #expect((360...500).contains(length), "\(length)")
            #expect(try await store.samples(of: .fine, after: nil).samples.last == text(1199))
        }
    }

    @Test func `a controller that follows reads from the store who is over a quota`() async throws {
        try await withRedis { redis, _, connection in
            let usage = UsageRecord(connection: connection, prefix: "test")
            let state = RedisState(
                store: Store(connection: connection, prefix: "test"), usage: usage, leadership: .alone,
                unstored: AsyncStream.makeStream(of: [Event].self).continuation, log: .none)
            var bob = ProxyUser(name: "bob", salt: "00", digest: "11", createdAt: SystemClock.now())
            bob.limits.bytesPerDay = 100
            let alice = ProxyUser(name: "alice", salt: "00", digest: "11", createdAt: SystemClock.now())
            #expect(try await state.blocked(among: [alice, bob]) == [:])
            for user in [alice, bob] {
                let counter = "1-1 user \(user.account)/us"
                let reading = UsageReading(counters: [counter: (.user(user.account, us), Usage(bytesIn: 60, bytesOut: 60))])
                try await usage.add(reading, isWhole: false, now: SystemClock.now())
            }
            #expect(try await state.blocked(among: [alice, bob]) == ["bob": .day])
        }
    }

    @Test func `deliveries are counted by what came of them, and so are the events that wait`() async throws {
        try await withRedis { redis, _, connection in
            let table = WebhookTable(connection: connection, prefix: "test")
            let store = Store(connection: connection, prefix: "test")
            let hook = Webhook(
                id: "wfigures", url: "https://hooks.example.com/", secret: String(repeating: "s", count: 43), createdAt: SystemClock.now())
            #expect(try await table.add(hook, limit: 10))
            try await store.append((1...3).map { Event(at: SystemClock.now(), .exitServing, .info, "event \($0)") })
            struct Nowhere: WebhookTransport {
                func post(_ request: WebhookRequest) async throws -> WebhookAnswer { WebhookAnswer(status: 500, body: []) }
            }
            var settings = WebhookSender.Settings()
            settings.addresses = WebhookAddresses(allowsPrivate: true) { _ in ["127.0.0.1"] }
            let sender = WebhookSender(record: table, transport: Nowhere(), settings: settings, log: .none) { true }
            let queues = try await sender.queues()
            #expect(queues.waiting == [["wfigures"]: 3] && queues.states[["working"]] == 1)
            let before = Metrics.deliveries.values[["refused"]] ?? 0
            #expect(await sender.test(hook).status == 500)
            #expect(Metrics.deliveries.values[["refused"]] ?? 0 >= before + 1)
            let idle = WebhookSender(record: table, transport: Nowhere(), settings: settings, log: .none) { false }
            #expect(try await idle.queues().waiting.isEmpty, "who does not send knows nothing of it")
        }
    }
}
