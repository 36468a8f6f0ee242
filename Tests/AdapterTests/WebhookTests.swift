import HTTPTransport
import Model
import Planning
import Platform
@testable import RedisStore
@testable import sallyport
import Synchronization
import TestSupport
import Testing
@testable import Webhooks

/// Webhooks on real Redis, with receivers on real sockets.
@Suite(.timeLimit(.minutes(2))) struct WebhookTests {
    static let secret = String(repeating: "s", count: 43)

    struct Bench {
        let table: WebhookTable
        let store: Store
        let client: HTTPClient

        func hook(_ id: String, _ url: String, format: WebhookFormat? = nil) async throws {
            let hook = Webhook(id: id, url: url, format: format, secret: WebhookTests.secret, createdAt: SystemClock.now())
            #expect(try await table.add(hook, limit: 100))
        }

        func tell(_ numbers: ClosedRange<Int>) async throws {
            try await store.append(numbers.map { Event(at: SystemClock.now(), .exitServing, .info, "event \($0)") })
        }

        func ids() async throws -> [String] { try await store.events(after: "0-0", limit: 1000).map(\.id) }

        func state(_ id: String) async throws -> WebhookState? { try await table.webhooks().hooks.first { $0.hook.id == id }?.state }

        func sender(
            disableAfter: Double = 3600, giveUpAfter: Int = 1000, deadline: Double = 1, allowsPrivate: Bool = true
        ) -> WebhookSender {
            var settings = WebhookSender.Settings()
            settings.rules = WebhookRules(backOff: BackOff(first: 0.1, longest: 0.4), disableAfter: disableAfter, giveUpAfter: giveUpAfter)
            settings.addresses = WebhookAddresses(allowsPrivate: allowsPrivate, allowsPlainHTTP: true) {
                $0 == "inside.example" ? ["192.0.2.1", "10.0.0.1"] : await NameResolver.allAddresses(of: $0)
            }
            settings.deadline = deadline
            return WebhookSender(record: table, transport: WebhookClient(client: client), settings: settings, log: .none) { true }
        }
    }

    func withBench(_ body: (Bench, PrivateRedis) async throws -> Void) async throws {
        try await withRedis { redis, _, connection in
            let client = HTTPClient()
            let bench = Bench(
                table: WebhookTable(connection: connection, prefix: "test"), store: Store(connection: connection, prefix: "test"),
                client: client)
            let result = await Result { try await body(bench, redis) }
            client.close()
            try result.get()
        }
    }

    func running(_ sender: WebhookSender, _ body: () async throws -> Void) async throws {
        let task = Task { await sender.run() }
        let result = await Result { try await body() }
        task.cancel()
        await task.value
        try result.get()
    }

    @Test func `every event comes in its order, whatever the receiver does meanwhile, and hooks don't wait for each other`() async throws {
        try await withBench { bench, _ in
            let bad = try WebhookReceiver { number, connection in
                switch number {
                case 1: connection.answer(500)
                case 2: connection.hang()
                case 3: connection.answer(302, "", headers: "Location: http://127.0.0.1:1/")
                case 4: connection.write("nonsense\r\n\r\n")
                default: connection.answer(number.isMultiple(of: 3) ? 503 : 200)
                }
            }
            let good = try WebhookReceiver()
            defer { bad.stop() }
            defer { good.stop() }
            try await bench.tell(1...3)
            try await bench.hook("wbad", bad.url)
            try await bench.hook("wgood", good.url)
            try await bench.tell(4...9)
            let wanted = try await bench.ids().suffix(6)
            try await running(bench.sender(deadline: 3)) {
                try await eventually("the good one has all", within: 60) { good.ids.count == 6 }
                try await eventually("the bad one has all", within: 60) { try await bench.state("wbad")?.cursor == wanted.last }
            }
            #expect(good.ids == Array(wanted) && bad.ids == Array(wanted))
            let log = try await bench.table.deliveries(of: "wbad", limit: 200)
            // Tries that a busy machine kept from coming through in time stand there too.
            #expect(log.reversed().filter(\.isDelivered).map(\.event) == Array(wanted))
            #expect(log.contains { $0.status == 500 && !$0.isDelivered } && log.contains { $0.status == 302 && !$0.isDelivered })
            #expect(log.contains { $0.status == nil && $0.error != nil })
        }
    }

    @Test func `a store that is away delays events, and loses none`() async throws {
        try await withBench { bench, redis in
            let receiver = try WebhookReceiver()
            defer { receiver.stop() }
            try await bench.hook("w1", receiver.url)
            try await running(bench.sender()) {
                try await bench.tell(1...2)
                try await eventually("the first come", within: 30) { receiver.ids.count == 2 }
                try await redis.stop()
                _ = try await redis.start()
                try await eventually("events are told again", within: 30) { () async -> Bool in
                    (try? await bench.tell(3...3)) != nil
                }
                try await eventually("the rest comes", within: 30) { receiver.ids.count == 3 }
            }
            #expect(receiver.ids == (try await bench.ids()))
        }
    }

    @Test func `one that fails for long is disabled with an event, and goes on where it was when it is enabled`() async throws {
        try await withBench { bench, _ in
            let isWell = Mutex(false)
            let receiver = try WebhookReceiver { $1.answer(isWell.withLock { $0 } ? 200 : 500) }
            defer { receiver.stop() }
            try await bench.hook("w1", receiver.url)
            try await bench.tell(1...2)
            try await running(bench.sender(disableAfter: 0.5)) {
                try await eventually("it is disabled", within: 60) { try await bench.state("w1")?.isEnabled == false }
                let last = try #require(try await bench.store.events(after: nil, limit: 1).first)
                #expect(last.event.kind == .hookDisabled && !last.event.message.contains(Self.secret))
                isWell.withLock { $0 = true }
                let kept = try #require(try await bench.table.webhooks().hooks.first)
                var state = kept.state
                state.enable()
                #expect(try await bench.table.change(kept, to: kept.hook, state) != nil)
                #expect(try await bench.table.change(kept, to: kept.hook, state) == nil, "it is another version now")
                try await eventually("all have come", within: 30) { try await bench.state("w1")?.cursor == last.id }
            }
            #expect(receiver.ids == (try await bench.ids()))
        }
    }

    @Test func `one that was away for longer than events are kept is told once what it has missed, and goes on`() async throws {
        try await withBench { bench, _ in
            // It refuses the first event, the first try to tell it of the gap, and the first event after that.
            let isBack = Mutex(false)
            let refused = Mutex<Set<String>>([])
            let receiver = try WebhookReceiver(status: { request in
                isBack.withLock { $0 } && !refused.withLock { $0.insert(request.id).inserted } ? 200 : 503
            })
            defer { receiver.stop() }
            let hook = Webhook(id: "w1", url: receiver.url, kinds: [.failover], secret: Self.secret, createdAt: SystemClock.now())
            #expect(try await bench.table.add(hook, limit: 100))
            func failover() async throws -> String {
                try await bench.store.append([Event(at: SystemClock.now(), .failover, .info, "a failover")])
                return try #require(try await bench.store.latestEvents(limit: 1).events.last?.id)
            }
            let lost = try await failover()
            let cursor = try #require(try await bench.state("w1")?.cursor)
            try await running(bench.sender(deadline: 10)) {
                try await eventually("it is tried", within: 60) { receiver.ids == [lost] }
            }
            // The log drops the oldest by itself. Nobody sends meanwhile: a gap that still grows would be told as it was.
            for _ in 0..<52 { try await bench.tell(1...200) }
            let kept = try await failover()
            let first = try #require(try await bench.store.events(after: "0-0", limit: 1).first?.id)
            #expect(try #require(EventPlace(first)) > #require(EventPlace(lost)))
            isBack.withLock { $0 = true }
            try await running(bench.sender(deadline: 10)) {
                try await eventually("it has what is kept", within: 60) { try await bench.state("w1")?.cursor == kept }
                #expect(receiver.ids == [lost, "gap-\(first)", kept], "\(receiver.ids)")
                let told = receiver.requests.filter { $0.id.hasPrefix("gap-") }
                #expect(told.count == 2 && told.allSatisfy { $0.head.contains("X-Sallyport-Event: webhook.gap\r\n") })
                let body = told[0].body
                for field in [#""after":"\#(cursor)""#, #""before":"\#(first)""#, #""reason":"too_old""#, #""severity":"warning""#] {
                    #expect(body.contains(field), "\(body)")
                }
                let log = try await bench.table.deliveries(of: "w1", limit: 200).filter { $0.kind == "webhook.gap" }
                #expect(log.map(\.isDelivered) == [true, false] && log.allSatisfy { $0.event == "gap-\(first)" })
            }
        }
    }

    @Test func `a private address is not connected to, also where only one of a name's is`() async throws {
        try await withBench { bench, _ in
            let receiver = try WebhookReceiver()
            defer { receiver.stop() }
            let sender = bench.sender(allowsPrivate: false)
            for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "inside.example"] {
                let hook = Webhook(
                    id: "w1", url: "http://\(host):\(receiver.port)/", secret: Self.secret, createdAt: SystemClock.now())
                let delivery = await sender.test(hook)
                #expect(!delivery.isDelivered && delivery.error?.contains("private network") == true, "\(host): \(delivery)")
            }
            #expect(receiver.requests.isEmpty)
        }
    }

    @Test func `the address that was checked is the one connected to`() async throws {
        let receiver = try WebhookReceiver()
        let client = HTTPClient()
        defer { receiver.stop() }
        defer { client.close() }
        // A resolver that is asked again would find no such name.
        let request = WebhookRequest(
            url: "http://pinned.invalid:\(receiver.port)/a", address: "127.0.0.1", headers: [], body: Array("{}".utf8), deadline: 10)
        #expect(try await WebhookClient(client: client).post(request).status == 204)
        #expect(receiver.requests.first?.head.contains("Host: pinned.invalid:\(receiver.port)") == true)
    }

    @Test func `Python's hmac finds the signature genuine, and a changed body not`() async throws {
        try await withBench { bench, _ in
            let receiver = try WebhookReceiver()
            defer { receiver.stop() }
            let hook = Webhook(id: "w1", url: receiver.url, secret: Self.secret, createdAt: SystemClock.now())
            #expect(await bench.sender(deadline: 10).test(hook).isDelivered)
            let request = try #require(receiver.requests.first)
            let line = try #require(request.head.split(separator: "\r\n").first { $0.hasPrefix("X-Sallyport-Signature: ") })
            let header = String(line.dropFirst("X-Sallyport-Signature: ".count))
            // The example of docs/api.md, as it stands there.
            let page = try Files.read("\(Repository.root)/docs/api.md")
            let example = try #require(page.split(separator: "```python\n").last?.split(separator: "```").first)
            let program = "\(example)\nimport sys\nprint(is_genuine(sys.argv[1], sys.argv[2], sys.argv[3].encode()))\n"
            let right = try await Programs.run("python3", ["-c", program, Self.secret, header, request.body])
            #expect(right.output == "True\n", "\(right.output)")
            let wrong = try await Programs.run("python3", ["-c", program, Self.secret, header, request.body + " "])
            #expect(wrong.output == "False\n", "\(wrong.output)")
        }
    }
}
