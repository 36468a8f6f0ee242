import Model

/// The command for settings that can be changed while the controller runs.
extension Command {
    static let settings = Command(
        name: "settings", actions: [Action("list"), Action("set", "<name>=<value>...")],
        summary: "Show the settings that can be changed at run time, or change some",
        options: ControllerClient.options,
        examples: [
            "sallyport settings", "sallyport settings set requests=10000 log_requests=false", "sallyport settings set requests=default",
        ]
    ) { arguments in
        var changes: [String: Document] = [:]
        if arguments.words[0] == "list" {
            _ = try arguments.expect("list")
        } else {
            guard arguments.words.count > 1 else { throw UsageError(message: "<name>=<value> is missing") }
            for word in arguments.words.dropFirst() {
                let pair = word.split(separator: "=", maxSplits: 1).map(String.init)
                guard pair.count == 2 else { throw UsageError(message: "'\(word)' is not a setting, expected <name>=<value>") }
                changes[pair[0]] = pair[1] == "default" ? .null : value(pair[1])
            }
        }
        return try await ControllerClient.with(arguments) { [changes] api in
            let answer =
                changes.isEmpty
                ? try await api.get("/api/settings") : try await api.call("PATCH", "/api/settings", body: .object(changes))
            print(arguments.has("json") ? answer.json : table(answer))
            return Status.success
        }
    }

    /// A number, true or false, as the API wants it; what is none of these is a text, which the API refuses in its own words.
    private static func value(_ text: String) -> Document {
        (try? Document(json: text.utf8)) ?? .string(text)
    }

    private static func table(_ answer: Document) -> String {
        guard case .object(let fields) = answer else { return "" }
        let changed = Set((answer["changed"]?.items ?? []).compactMap(\.text))
        let rows = fields.filter { $0.key != "changed" }.sorted { $0.key < $1.key }.map { name, value in
            [name, value.json, changed.contains(name) ? "set here" : "as configured"]
        }
        return Table(["SETTING", "VALUE", "FROM"], rows).text()
    }
}
