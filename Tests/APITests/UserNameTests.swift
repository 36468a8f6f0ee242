@testable import API
@testable import HTTPServing
import Model
import Platform
@testable import RequestPipeline
import TestSupport
import Testing

/// Who uses the proxies is for admins.
@Suite(.timeLimit(.minutes(1))) struct UserNameTests {
    private static let name = "bob.smith_2"
    private static let start = Timestamp(milliseconds: 1_700_000_000_000)
    private static let alert = Alert(
        .user(name), .warning, "the addresses of user \(name) are too much",
        remedy: "give \(name) networks of its own (sallyport users set \(name) --addresses)", since: start)
    private static let sentences: [(EventKind, String)] = [
        (.userAdded, "user \(name) was added"), (.userChanged, "user \(name) was changed: password, countries"),
        (.userChanged, "user \(name) is over a quota, and blocked: quota_day"), (.userRemoved, "user \(name) was removed"),
        (.alertRaised, "alert \(alert.subject): \(alert.message); \(alert.remedy)"), (.alertCleared, "alert \(alert.subject) is over"),
    ]

    private func prepare(_ subject: Subject) {
        subject.operations.with { state in
            state.shown.alerts.append(Self.alert)
            state.moreEvents = Self.sentences.enumerated().map {
                StoredEvent(id: "\($0 + 10)-0", event: Event(at: Self.start, $1.0, .info, $1.1))
            }
        }
    }

    @Test(arguments: Role.allCases, [false, true])
    func `events, alerts and the log tell users' names to admins alone, unless it is set`(role: Role, isSet: Bool) async throws {
        let tail = LogTail()
        var parts = API.Parts()
        parts.logTail = tail
        let log = Log(descriptor: 1_000_000, tail: tail)
        var settings = RequestSettings()
        settings.showsUserNames = isSet
        try await Subject.with(.direct, settings: settings, parts: parts) { subject in
            prepare(subject)
            log.info("user \(Self.name) was added")
            log.info("a user is over a quota", ["user": Self.name, "quota": "quota_day"])
            for path in ["/api/events", "/api/events?after=9-0", "/api/alerts", "/api/logs"] {
                let answer = try await subject.call("GET", path, as: role)
                if path == "/api/logs", role == .viewer {
                    #expect(answer.status == 403)
                    continue
                }
                #expect(answer.text.contains(Self.name) == (isSet || role == .admin), "\(path) \(answer.text)")
                #expect(answer.text.contains("over a quota") || path == "/api/alerts", "\(answer.text)")
            }
        }
    }

    @Test(arguments: Role.allCases) func `streams tell users' names to admins alone`(role: Role) async throws {
        let tail = LogTail()
        var parts = API.Parts()
        parts.logTail = tail
        let log = Log(descriptor: 1_000_000, tail: tail)
        try await Subject.with(.direct, parts: parts) { subject in
            prepare(subject)
            let key = try #require(Subject.keys[role])
            for path in ["/api/stream/events", "/api/stream/logs"] where path != "/api/stream/logs" || role != .viewer {
                let head = RequestHead(
                    method: "GET", path: path.split(separator: "/").map(String.init), headers: ["x-api-key": key, "last-event-id": "1-0"])
                guard
                    case .ready(let response) = subject.api.dispatcher()(
                        ServerRequest(head: head, body: [], clientAddress: "127.0.0.1", id: "r")),
                    let stream = response.stream
                else {
                    Issue.record("no stream")
                    continue
                }
                var text = ""
                try await eventually("the last one came", within: 20) {
                    if path.hasSuffix("logs") { log.info("user \(Self.name) was removed") }
                    text += Self.read(stream)
                    return text.contains("was removed")
                }
                #expect(text.contains(Self.name) == (role == .admin), "\(text)")
            }
        }
    }

    private static func read(_ stream: BodyStream) -> String {
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        guard case .bytes(let count) = bytes.withUnsafeMutableBytes({ stream.read(into: $0) { nil } }) else { return "" }
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }

    @Test(arguments: sentences.map(\.1)) func `a sentence about a user can do without the name`(sentence: String) {
        let hidden = UserNames.hidden(in: sentence)
        #expect(!hidden.contains(Self.name) && hidden.contains(UserNames.mask))
    }

    @Test(arguments: [
        "exit us-1 serves as 198.18.1.10", "user", "user ", "users come", "pool us was changed: size 1 to 2", "alert users are many",
    ])
    func `any other sentence stays as it is`(sentence: String) { #expect(UserNames.hidden(in: sentence) == sentence) }

    @Test func `a name that is a word of the sentence leaves the sentence's other words`() {
        #expect(UserNames.hidden(in: "user a was added") == "user *** was added")
        #expect(
            UserNames.hidden(in: "alert user:al: the addresses of user al are also too much")
                == "alert user:***: the addresses of user *** are also too much")
    }
}
