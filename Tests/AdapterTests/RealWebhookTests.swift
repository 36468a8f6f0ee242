import FoundationEssentials
import Model
import Platform
import TestSupport
import Testing

/// Webhooks as an operator uses them: by the command, of a real program, with a real receiver over HTTPS.
@Suite(.serialized, .timeLimit(.minutes(3)), .enabled(if: RunningProgram.isBuilt, "there is no .build/debug/sallyport"))
struct RealWebhookTests {
    private func with(_ receiver: SecureReceiver, _ body: (RunningProgram) async throws -> Void) async throws {
        let program = try RunningProgram()
        try program.configure(
            api: "limits: {requests: 0, strict_requests: 9000}", more: "webhooks: {allow_private: true, ca_file: \(receiver.authority)}")
        let result = await Result { try await RunningProgram.with([program]) { try await body(program) } }
        receiver.stop()
        try result.get()
    }

    /// What a command prints with `--json`.
    private func json(_ program: RunningProgram, _ words: String...) async throws -> Document {
        let result = try await program.run(["webhooks"] + words + ["--json"])
        #expect(result.status == 0, "\(words): \(result.output)")
        return try JSONDecoder().decode(Document.self, from: Data(result.output.utf8))
    }

    @Test func `a webhook is added, listed, tested, replayed and removed by the command`() async throws {
        let receiver = try await SecureReceiver()
        try await with(receiver) { program in
            let none = try await program.ask("webhooks", "list")
            #expect(none.status == 0 && none.output == "no webhooks\n", "\(none.output)")
            let made = try await json(program, "add", receiver.url, "--kinds", "configuration.reloaded")
            let id = try #require(made.field("id")?.string)
            let secret = try #require(made.field("secret")?.string)
            let shown = try await program.ask("webhooks", "add", receiver.url, "--countries", "de")
            #expect(shown.status == 0 && shown.output.contains("gets events from now on. Its secret is shown only now: "))
            let list = try await program.ask("webhooks", "list")
            #expect(
                list.status == 0 && list.output.contains("\(id)  well   sallyport  0         \(receiver.url)")
                    && !list.output.contains(secret), "\(list.output)"
            )

            let test = try await program.ask("webhooks", "test", id)
            #expect(test.status == 0 && test.output.hasPrefix("delivered ("), "\(test.output)")
            for _ in 0..<3 { #expect(try await program.ask("reload").status == 0) }
            try await eventually("test and events have come", within: 60) { receiver.requests.count == 4 }
            let events = receiver.requests.dropFirst().map(\.id)
            #expect(receiver.requests[0].event == "webhook.test" && Set(events).count == 3)
            for request in receiver.requests {
                // t=<seconds>,v1=<hex>
                let parts = request.signature.split(separator: ",").map { String($0.drop { $0 != "=" }.dropFirst()) }
                let seconds = try #require(Int64(parts[0]))
                #expect(parts[1] == Digest.hmac(Array("\(seconds).\(request.body)".utf8), key: secret))
            }

            // Again from after the first one: the same ids, in their order.
            let replay = try await program.ask("webhooks", "replay", id, events[0])
            #expect(replay.status == 0 && replay.output == "\(id) gets the events after \(events[0]) again\n", "\(replay.output)")
            try await eventually("they have come again", within: 60) { receiver.requests.count == 6 }
            #expect(receiver.requests.suffix(2).map(\.id) == Array(events.suffix(2)))
            let tries = try await json(program, "deliveries", id, "--limit", "3").field("deliveries")?.list ?? []
            #expect(tries.map { $0.field("event")?.string } == [events[2], events[1], events[2]])
            let told = try await program.ask("webhooks", "deliveries", id)
            #expect(
                told.status == 0 && told.output.split(separator: "\n").count == 7 && told.output.contains("webhook.test"), "\(told.output)")

            #expect(try await json(program, "remove", id) == .object(["removed": .string(id)]))
            try await refusals(program, id, receiver.url)
            #expect(!program.log.contains(secret))
        }
    }

    /// Wrong input: what is wrong is said, on which status.
    private func refusals(_ program: RunningProgram, _ gone: String, _ url: String) async throws {
        let other = try #require(
            try await json(program, "list").field("webhooks")?.list.first?.field("id")?.string)
        for (words, status, wanted) in [
            (["remove", gone], 1, "no such webhook"), (["test", gone], 1, "no such webhook"), (["deliveries", gone], 1, "no such webhook"),
            (["replay", gone, "1-0"], 1, "no such webhook"), (["replay", other, "yesterday"], 1, "after: "),
            (["replay", other, "9000000000000-0"], 1, "after: is later than the last event"), (["replay", other], 2, "<event> is missing"),
            (["add", "http://localhost/"], 1, "url: is plain HTTP"), (["add", "ftp://x"], 1, "url: expected https://"),
            (["add", url, "--kinds", "exit.flies"], 1, "--kinds: unknown kind"), (["add", url, "--countries", "zz"], 1, "--countries: "),
            (["add", url, "--secret-file", "/nowhere"], 1, "/nowhere"), (["add"], 2, "<url> is missing"),
            (["deliveries", other, "--limit", "0"], 2, "--limit is 0"), (["deliveries", other, "--limit", "a&b"], 2, "--limit is a&b"),
            (["test", "../users"], 2, "is not a webhook's id"), (["fly"], 2, "unknown fly"), (["ad"], 2, "did you mean add?"),
            (["list", "all"], 2, "unexpected all"),
        ] {
            let result = try await program.run(["webhooks"] + words)
            #expect(result.status == status && result.output.contains(wanted), "\(words): \(result.status) \(result.output)")
        }
        let away = try await program.sallyport(
            "webhooks", "list", "--api", "http://127.0.0.1:9", "--key-file", "\(program.folder.path)/d/admin.key")
        #expect(away.status == 3 && away.output.contains("no controller answers"), "\(away.output)")
    }

    @Test func `a receiver whose certificate another authority has signed, or that is another's, gets nothing`() async throws {
        let (receiver, stranger) = (try await SecureReceiver(), try await SecureReceiver())
        defer { stranger.stop() }
        try await with(receiver) { program in
            // The good one's authority, and another name than the certificate's.
            let misnamed = receiver.url.replacing("localhost", with: "127.0.0.1")
            for (url, wanted) in [
                (stranger.url, "is not signed by an authority that is trusted here"), (misnamed, "is for another name"),
            ] {
                let id = try #require(try await json(program, "add", url).field("id")?.string)
                let test = try await program.ask("webhooks", "test", id)
                #expect(test.status == 1 && test.output.hasPrefix("the server's certificate \(wanted)"), "\(test.output)")
                #expect(try await program.ask("reload").status == 0)
                try await eventually("the list says why it fails", within: 60) {
                    let list = try await program.ask("webhooks", "list").output
                    return list.split(separator: "\n").contains { $0.hasPrefix("\(id)  failing") && $0.contains(wanted) }
                }
                #expect(try await program.ask("webhooks", "deliveries", id).output.contains("configuration.reloaded"))
            }
            #expect(stranger.requests.isEmpty && receiver.requests.isEmpty)
            // No such file: said before anything starts.
            try program.configure(more: "webhooks: {ca_file: /nowhere/ca.pem}")
            let wrong = try await program.sallyport("config", "--config", program.configuration)
            #expect(wrong.status == 2 && wrong.output.contains("webhooks.ca_file: /nowhere/ca.pem is not there"), "\(wrong.output)")
        }
    }
}

extension Document {
    func field(_ name: String) -> Document? { if case .object(let fields) = self { fields[name] } else { nil } }
    var string: String? { if case .string(let text) = self { text } else { nil } }
    var list: [Document] { if case .array(let items) = self { items } else { [] } }
}
