import Model
import Platform

/// Commands for webhooks.
extension Command {
    static let webhooks = Command(
        name: "webhooks",
        actions: [
            Action("list"), Action("add", "<url>"), Action("deliveries", "<id>"), Action("test", "<id>"), Action("replay", "<id> <event>"),
            Action("enable", "<id>"), Action("remove", "<id>"),
        ],
        summary: "Send events to other programs over HTTPS",
        options: ControllerClient.options + [
            Option(name: "kinds", value: "LIST", help: "for add: only these kinds, with commas between (all)"),
            Option(name: "countries", value: "LIST", help: "for add: only events of these countries (all)"),
            Option(name: "format", value: "F", help: "for add: sallyport, slack, discord, teams or telegram (sallyport)"),
            Option(name: "secret-file", value: "FILE", help: "for add: take the secret from a file instead of making one", field: "secret"),
            Option(name: "limit", value: "N", help: "for deliveries: how many of the latest attempts, at most 200 (50)"),
        ],
        examples: [
            "sallyport webhooks add https://hooks.example.com/sallyport --kinds pool.failover,alert.raised --countries us",
            "sallyport webhooks add 'https://api.telegram.org/bot<token>/sendMessage?chat_id=-100123' --format telegram",
            "sallyport webhooks list --json", "sallyport webhooks test w3f9ab27c1d2e",
            "sallyport webhooks deliveries w3f9ab27c1d2e --limit 10",
            "sallyport webhooks replay w3f9ab27c1d2e 1795222923456-0", "sallyport webhooks remove w3f9ab27c1d2e",
        ]
    ) { arguments in
        return try await ControllerClient.with(arguments) { api in
            switch arguments.words[0] {
            case "add": return show(try await add(arguments, api), arguments, added)
            case "remove":
                let id = try hookID(arguments.expect("remove", "<id>")[1])
                try await api.call("DELETE", "/api/webhooks/\(id)")
                return show(.object(["removed": .string(id)]), arguments) { _ in "\(id) is removed" }
            case "enable":
                let id = try hookID(arguments.expect("enable", "<id>")[1])
                let answer = try await api.call("PATCH", "/api/webhooks/\(id)", body: .object(["enabled": .bool(true)]))
                return show(answer, arguments) { _ in "\(id) is enabled and continues at the same event" }
            case "deliveries":
                let id = try hookID(arguments.expect("deliveries", "<id>")[1])
                let limit = try arguments.integer("limit", in: 1...200).map { "?limit=\($0)" } ?? ""
                return show(try await api.get("/api/webhooks/\(id)/deliveries\(limit)"), arguments) { tried($0, arguments) }
            case "test":
                let id = try hookID(arguments.expect("test", "<id>")[1])
                let answer = try await api.call("POST", "/api/webhooks/\(id)/test", deadline: 90)
                _ = show(answer, arguments) { "\($0["error"]?.text ?? "delivered") (\(Int($0["duration_ms"]?.number ?? 0)) ms)" }
                return answer["delivered"] == .bool(true) ? Status.success : Status.failure
            case "replay":
                let words = try arguments.expect("replay", "<id>", "<event>")
                let answer = try await api.call(
                    "POST", "/api/webhooks/\(try hookID(words[1]))/replay", body: .object(["after": .string(words[2])]))
                return show(answer, arguments) { _ in "\(words[1]) gets the events after \(words[2]) again" }
            default:
                _ = try arguments.expect("list")
                return show(try await api.get("/api/webhooks"), arguments, listed)
            }
        }
    }

    private static func add(_ arguments: Arguments, _ api: ControllerClient) async throws -> Document {
        var body: [String: Document] = ["url": .string(try arguments.expect("add", "<url>")[1])]
        for name in ["kinds", "countries"] {
            if let list = arguments[name] { body[name] = .array(list.split(separator: ",").map { .string(String($0)) }) }
        }
        if let format = arguments["format"] { body["format"] = .string(format) }
        if let path = arguments["secret-file"] { body["secret"] = .string(try Files.readText(path, limit: 4096).filter { !$0.isNewline }) }
        return try await api.call("POST", "/api/webhooks", body: .object(body))
    }

    private static func show(_ answer: Document, _ arguments: Arguments, _ words: (Document) -> String) -> Int32 {
        print(arguments.has("json") ? answer.json : words(answer))
        return Status.success
    }

    private static func added(_ hook: Document) -> String {
        "\(hook["id"]?.text ?? "") gets events from now on. Its secret is shown only now: \(hook["secret"]?.text ?? "")"
    }

    private static func listed(_ answer: Document) -> String {
        let rows = (answer["webhooks"]?.items ?? []).map { hook in
            let isEnabled = hook["enabled"] == .bool(true)
            let state = !isEnabled ? "disabled" : hook["failing_since"] == nil ? "well" : "failing"
            return [
                hook["id"]?.text ?? "", state, hook["format"]?.text ?? "", String(Int(hook["dead_letters"]?.number ?? 0)),
                hook["url"]?.text ?? "", hook["last_error"]?.text ?? "",
            ]
        }
        return Table(["ID", "STATE", "FORMAT", "GIVEN UP", "URL", "LAST ERROR"], rows, nothing: "no webhooks").text()
    }

    private static func tried(_ answer: Document, _ arguments: Arguments) -> String {
        let rows = (answer["deliveries"]?.items ?? []).map { delivery in
            [
                arguments.time(delivery["at"]) ?? "-", delivery["event"]?.text ?? "", delivery["kind"]?.text ?? "",
                String(Int(delivery["attempt"]?.number ?? 0)), "\(Int(delivery["duration_ms"]?.number ?? 0)) ms",
                delivery["error"]?.text ?? "delivered",
            ]
        }
        return Table(["AT", "EVENT", "KIND", "ATTEMPT", "TOOK", "RESULT"], rows, nothing: "nothing was sent yet").text()
    }

    /// It becomes a part of the request's path.
    private static func hookID(_ text: String) throws -> String {
        guard text.hasPrefix("w"), text.utf8.count <= 40, text.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber) }) else {
            throw UsageError(message: "'\(text)' is not a webhook's id, expected one like w3f9ab27c1d2e")
        }
        return text
    }
}
