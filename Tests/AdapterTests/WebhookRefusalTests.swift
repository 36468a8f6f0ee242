import Model
import Platform
import RedisStore
import Synchronization
import TestSupport
import Testing
@testable import Webhooks

/// Receivers that refuse, that are gone, and that take messages: on real Redis and real sockets.
@Suite(.timeLimit(.minutes(2))) struct WebhookRefusalTests {
    private let common = WebhookTests()

    @Test func `an event that is refused again and again holds up the next no longer, and that is told`() async throws {
        try await common.withBench { bench, _ in
            let bad = Mutex("")
            let receiver = try WebhookReceiver(status: { request in request.id == bad.withLock { $0 } ? 422 : 200 })
            defer { receiver.stop() }
            try await bench.hook("w1", receiver.url)
            try await bench.tell(1...3)
            let ids = try await bench.ids()
            bad.withLock { $0 = ids[1] }
            try await common.running(bench.sender(giveUpAfter: 3)) {
                try await eventually("the last one is delivered", within: 60) { receiver.ids.contains(ids[2]) }
            }
            #expect(receiver.requests.count { $0.id == ids[1] } == 3 && receiver.ids == ids)
            let state = try #require(try await bench.state("w1"))
            #expect(state.deadLetters == 1 && state.lastDeadLetter == ids[1] && state.isEnabled)
            let told = try #require(try await bench.store.events(after: nil, limit: 1).first?.event)
            #expect(told.kind == .hookGaveUp && told.message.contains("w1 gave up on event \(ids[1])") && told.message.contains("422"))
            // The receiver itself is not told: it might refuse that, too.
            #expect(!receiver.requests.contains { $0.body.contains("webhook.gave_up") })
        }
    }

    @Test(arguments: [429, 503]) func `a receiver that is busy or away has refused nothing`(status: Int) async throws {
        try await common.withBench { bench, _ in
            let receiver = try WebhookReceiver { number, connection in connection.answer(number <= 6 ? status : 200) }
            defer { receiver.stop() }
            try await bench.hook("w1", receiver.url)
            try await bench.tell(1...2)
            let ids = try await bench.ids()
            try await common.running(bench.sender(giveUpAfter: 2)) {
                try await eventually("all are delivered", within: 60) { try await bench.state("w1")?.cursor == ids[1] }
            }
            #expect(receiver.ids == ids)
            #expect(try await bench.state("w1")?.deadLetters == nil)
        }
    }

    @Test func `a receiver that is gone for good is disabled at its first word, and its words are shown`() async throws {
        try await common.withBench { bench, _ in
            let receiver = try WebhookReceiver { $1.answer(410, "channel_is\n\u{1B}[31m archived") }
            defer { receiver.stop() }
            try await bench.hook("w1", receiver.url)
            try await bench.tell(1...2)
            try await common.running(bench.sender()) {
                try await eventually("it is disabled", within: 60) { try await bench.state("w1")?.isEnabled == false }
            }
            #expect(receiver.requests.count == 1)
            let wanted = "it answered with status 410: channel_is [31m archived"
            #expect(try await bench.state("w1")?.lastError == wanted)
            #expect(try await bench.table.deliveries(of: "w1", limit: 1).first?.error == wanted)
            let told = try #require(try await bench.store.events(after: nil, limit: 1).first?.event)
            #expect(told.kind == .hookDisabled && told.message.contains("channel_is [31m archived"))
        }
    }

    @Test(arguments: [
        (WebhookFormat.slack, #""text":"WARNING: 2 &lt; 3 &amp; so on"#), (.discord, #""content":"WARNING: 2 < 3 & so on"#),
        (.teams, #""contentType":"application/vnd.microsoft.card.adaptive""#), (.telegram, #""chat_id":"-100123""#),
        (.sallyport, #""severity":"warning""#),
    ])
    func `each service gets what it takes`(format: WebhookFormat, wanted: String) async throws {
        try await common.withBench { bench, _ in
            let receiver = try WebhookReceiver()
            defer { receiver.stop() }
            try await bench.hook("w1", receiver.url + "?chat_id=-100123", format: format)
            try await bench.store.append([Event(at: SystemClock.now(), .failover, .warning, "2 < 3 & so on", country: CountryCode("us"))])
            try await common.running(bench.sender()) {
                try await eventually("it came", within: 30) { receiver.requests.count == 1 }
            }
            let body = try #require(receiver.requests.first?.body)
            #expect(body.contains(wanted) && body.contains("pool.failover"), "\(body)")
            #expect((try? Document(json: body.utf8)) != nil)
        }
    }

    @Test func `what only looks like success is none`() {
        func problem(_ status: Int, _ body: String, _ format: WebhookFormat) -> String? {
            ReceiverWords.problem(WebhookAnswer(status: status, body: Array(body.utf8)), format)
        }
        let failed = "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429"
        #expect(problem(200, failed, .teams) == "it answered with status 200: \(failed)")
        #expect(problem(200, "1", .teams) == nil && problem(200, failed, .slack) == nil)
        #expect(problem(200, #"{"ok":false,"description":"chat not found"}"#, .telegram)?.contains("chat not found") == true)
        #expect(problem(200, #"{"ok":true}"#, .telegram) == nil)
        #expect(problem(500, "", .sallyport) == "it answered with status 500")
        #expect(problem(500, "\0\u{1}", .sallyport) == "it answered with status 500")
        #expect(problem(500, String(repeating: "x", count: 10_000), .sallyport)?.count ?? 0 < 300)
        #expect(ReceiverWords.text([0xFF, 0xFE, 0x41, 0xC3]).contains("A"))
    }
}
