@testable import API
import Model
import Testing

@Suite(.timeLimit(.minutes(1))) struct WebhookTests {
    private static let secret = "a-secret-of-the-tests-that-is-long-enough"

    @Test(arguments: Way.allCases) func `a secret is shown by the answer that made it, and by no other`(way: Way) async throws {
        try await Subject.with(way) { subject in
            let body = #"{"url":"https://hooks.example.com/a","secret":"\#(Self.secret)","kinds":["exit.serving"],"countries":["uk"]}"#
            let made = try await subject.call("POST", "/api/webhooks", body: body)
            #expect(made.status == 201 && made["secret"] == .string(Self.secret) && made["countries"] == .array([.string("GB")]))
            let path = try #require(made.headers["location"])
            var answers = [try await subject.call("GET", path), try await subject.call("GET", "/api/webhooks")]
            answers.append(try await subject.call("PATCH", path, body: #"{"enabled":false}"#))
            #expect(answers.last?["enabled"] == .bool(false))
            answers.append(try await subject.call("POST", "\(path)/test"))
            answers.append(try await subject.call("POST", "\(path)/replay", body: #"{"after":"2-0"}"#))
            #expect(answers.last?["cursor"] == .string("2-0"))
            for answer in answers { #expect((200..<300).contains(answer.status) && !answer.text.contains(Self.secret)) }
            for late in ["9000000000000-0", "x", "1-", ""] {
                let refused = try await subject.call("POST", "\(path)/replay", body: #"{"after":"\#(late)"}"#)
                #expect(refused.status == 422 && refused.fields == ["after"], "\(late): \(refused.text)")
            }
            #expect(try await subject.call("GET", path)["cursor"] == .string("2-0"))
            #expect(try await subject.call("DELETE", path).status == 204)
            #expect(try await subject.call("GET", path).status == 404)
            let log = try await subject.call("GET", "/audit/logs")
            #expect(log.text.contains("/api/webhooks") && !log.text.contains(Self.secret))
        }
    }

    @Test(arguments: [
        (#"{}"#, ["url"]), (#"{"url":"http://hooks.example.com"}"#, ["url"]),
        (
            #"{"url":"https://h.example","kinds":["exit.flies"],"countries":["zz"],"secret":"short","more":1}"#,
            ["countries[0]", "kinds[0]", "more", "secret"]
        ),
    ]) func `every mistake is named`(body: String, fields: [String]) async throws {
        try await Subject.with(.direct) { subject in
            let answer = try await subject.call("POST", "/api/webhooks", body: body)
            #expect(answer.status == 422 && answer.fields.sorted() == fields, "\(answer.text)")
        }
    }

    @Test func `a webhook has a format, and Telegram's needs a chat`() async throws {
        try await Subject.with(.direct) { subject in
            func add(_ body: String) async throws -> Answer { try await subject.call("POST", "/api/webhooks", body: body) }
            let bot = "https://api.telegram.org/bot1:x/sendMessage"
            #expect(try await add(#"{"url":"https://h.example"}"#)["format"] == .string("sallyport"))
            #expect(try await add(#"{"url":"https://h.example","format":"slack"}"#)["format"] == .string("slack"))
            #expect(try await add(#"{"url":"\#(bot)?chat_id=-100123","format":"telegram"}"#).status == 201)
            #expect(try await add(#"{"url":"\#(bot)","format":"telegram"}"#).fields == ["url"])
            #expect(try await add(#"{"url":"\#(bot)?chat_id=","format":"telegram"}"#).fields == ["url"])
            #expect(try await add(#"{"url":"https://h.example","format":"irc"}"#).fields == ["format"])
            let changed = try await subject.call("PATCH", "/api/webhooks/w3f9ab27c1d2e", body: #"{"format":"teams"}"#)
            #expect(changed["format"] == .string("teams") && changed["dead_letters"] == .integer(0))
        }
    }
}
