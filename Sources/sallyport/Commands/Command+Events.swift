import FoundationEssentials
import Model
import Platform

/// Commands that show what happens, as it happens.
extension Command {
    static let events = Command(
        name: "events", summary: "Show events, and follow new ones",
        options: ControllerClient.options + [
            Option(name: "follow", help: "continue until Ctrl-C, also across restarts of the controller"),
            Option(name: "since", value: "WHEN", help: "start there: an event's id, 10m, 2h, 3d or a time like 2026-11-21T01:00:00Z"),
            Option(name: "limit", value: "N", help: "the latest N of these, 1 to 1000 (20; with --since all)"),
            Option(name: "country", value: "CC", help: "only of this country"),
            Option(name: "kind", value: "KIND", help: "only of this kind: pool.failover"),
        ],
        examples: [
            "sallyport events", "sallyport events --since 1h --country us", "sallyport events --follow --json",
            "sallyport events --follow --since 1795222923456-0",
        ]
    ) { arguments in
        _ = try arguments.expect()
        let since = try arguments["since"].map(place)
        let limit = try arguments.integer("limit", in: 1...1000)
        let filter = try filter(arguments)
        let form = Form(arguments)
        return try await ControllerClient.with(arguments) { api in
            var last = since?.description
            if since == nil || limit != nil || !arguments.has("follow") {
                last = try await list(api, since: since, limit: limit, filter: filter, form)
            }
            guard arguments.has("follow"), let last else { return Status.success }
            let path = "/api/stream/events" + (filter.isEmpty ? "" : "?\(filter)")
            try await api.follow(path, after: last) {
                show($0, form)
            } note: {
                Output.note($0)
            }
            return Status.success
        }
    }

    static let logs = Command(
        name: "logs", usage: "[exit]", summary: "Show the controller's log, and follow it, or what an exit's container has said",
        options: ControllerClient.options + [
            Option(name: "follow", help: "continue until Ctrl-C, also across restarts of the controller"),
            Option(name: "lines", value: "N", help: "the latest N first, 1 to 1000 (100)"),
            Option(name: "level", value: "LEVEL", help: "of this level or above: debug, info, warning, error"),
        ],
        examples: [
            "sallyport logs --lines 20", "sallyport logs us-1", "sallyport logs --follow --level warning", "sallyport logs --follow --json",
        ]
    ) { arguments in
        let lines = try arguments.integer("lines", in: 1...1000) ?? 100
        if !arguments.words.isEmpty { return try await showOutput(of: try arguments.expect("<exit>")[0], lines: lines, arguments) }
        let levels = ["debug", "info", "warn", "error"]
        let word = (arguments["level"] ?? "debug").lowercased()
        let level = word == "warning" ? "warn" : word
        guard let least = levels.firstIndex(of: level) else {
            throw UsageError(message: "--level is \(word), expected debug, info, warning or error")
        }
        let form = Form(arguments)
        return try await ControllerClient.with(arguments) { api in
            let answer = try await api.get("/api/logs?lines=\(lines)&level=\(level)")
            for line in answer["lines"]?.items ?? [] where !Output.line(form.isJSON ? line.line : logged(line, form)) {
                return Status.success
            }
            guard arguments.has("follow"), let last = answer["last"]?.text else { return Status.success }
            try await api.follow("/api/stream/logs", after: last) { event in
                guard event.name == "line" else { return told(event) }
                let line = document(event.data)
                let isWanted = levels.firstIndex(of: line["level"]?.text ?? "") ?? 0 >= least
                return !isWanted || Output.line(form.isJSON ? event.data : logged(line, form))
            } note: {
                Output.note($0)
            }
            return Status.success
        }
    }

    // MARK: - Parts of these

    /// How lines are shown.
    private struct Form: Sendable {
        let isJSON: Bool
        let isUTC: Bool
        let screen = Screen.output

        init(_ arguments: Arguments) { (isJSON, isUTC) = (arguments.has("json"), arguments.has("utc")) }

        func time(_ value: Document?) -> String { Times.text(value?.text ?? "", isUTC: isUTC) }
        /// A word of four letters, in the colour of what it stands for.
        func mark(_ word: String, of severity: String) -> String { screen.painted(word, Table.colour(of: severity)) }
    }

    /// What an exit's container has said.
    private static func showOutput(of word: String, lines: Int, _ arguments: Arguments) async throws -> Int32 {
        guard let id = ExitID(word) else { throw UsageError(message: "'\(word)' is not an exit's name, expected one like us-1") }
        for option in ["follow", "level"] where arguments.has(option) || arguments[option] != nil {
            throw UsageError(message: "--\(option) is for the controller's log, not for an exit's")
        }
        return try await ControllerClient.with(arguments) { api in
            let said = try await api.text("/api/exits/\(id)/logs?lines=\(lines)").split(separator: "\n").map { plain(String($0)) }
            if arguments.has("json") {
                print(Document.object(["exit": .string(id.description), "lines": .array(said.map(Document.string))]).json)
            } else {
                for line in said where !Output.line(line) { break }
            }
            return Status.success
        }
    }

    /// Prints the pages up to the end, or the latest of them, and returns the id to go on after.
    private static func list(
        _ api: ControllerClient, since: EventPlace?, limit: Int?, filter: String, _ form: Form
    ) async throws -> String? {
        var after = since?.description
        let most = limit ?? (since == nil ? 20 : nil)
        var latest: [Document] = []
        while true {
            // A page is cut before it is filtered.
            let size = since == nil && filter.isEmpty ? most ?? 1000 : 1000
            let query = [after.map { "after=\($0)" }, "limit=\(size)", filter.isEmpty ? nil : filter]
            let page = try await api.get("/api/events?\(query.compactMap(\.self).joined(separator: "&"))")
            if let gap = page["gap"]?.text { Output.note("events are missing before these (\(gap))") }
            latest += page["events"]?.items ?? []
            latest.removeFirst(max(0, latest.count - (most ?? .max)))
            let last = page["last"]?.text
            // Of a place in the log there may be more pages.
            let isOver = since == nil || last == after || last == nil
            if isOver || most == nil {
                for event in latest where !Output.line(form.isJSON ? event.line : happened(event, form)) { return nil }
                latest = []
            }
            guard !isOver, let last else { return last }
            after = last
        }
    }

    /// An event's id, a time that has passed, or how long ago.
    static func place(_ text: String) throws -> EventPlace {
        if let place = EventPlace(text) { return place }
        let now = SystemClock.now()
        var since = Timestamp(text)
        if let unit = text.last, let seconds: Double = ["s": 1, "m": 60, "h": 3600, "d": 86_400][unit], let count = UInt32(text.dropLast())
        {
            since = now + -Double(count) * seconds
        }
        guard let since, since <= now, since.milliseconds >= 0 else {
            throw UsageError(message: "--since is \(text), expected an event's id, 10m, 2h, 3d or a time like 2026-11-21T01:00:00Z")
        }
        return EventPlace(milliseconds: UInt64(since.milliseconds), number: 0)
    }

    private static func filter(_ arguments: Arguments) throws -> String {
        var words: [String] = []
        if let text = arguments["country"] {
            words.append("country=\(try CountryWords.country(text, "--country").rawValue)")
        }
        if let text = arguments["kind"] { words.append("kind=\(PercentEncoding.encode(text))") }
        return words.joined(separator: "&")
    }

    @Sendable private static func show(_ event: ReceivedEvent, _ form: Form) -> Bool {
        guard event.name != "gap", event.name != "dropped" else { return told(event) }
        return Output.line(form.isJSON ? event.data : happened(document(event.data), form))
    }

    /// What the stream says about itself.
    private static func told(_ event: ReceivedEvent) -> Bool {
        let reason = document(event.data)["reason"]?.text ?? ""
        Output.note(event.name == "gap" ? "something is missing here (\(reason))" : "\(event.name) (\(reason))")
        return true
    }

    private static func document(_ text: String) -> Document { (try? Document(json: text.utf8)) ?? .null }

    private static func happened(_ event: Document, _ form: Form) -> String {
        let severity = event["severity"]?.text ?? ""
        let mark = form.mark(["warning": "warn", "critical": "crit"][severity] ?? "info", of: severity)
        return form.time(event["at"]) + "  \(mark)  " + plain("\(event["kind"]?.text ?? "")  \(event["message"]?.text ?? "")")
    }

    private static func logged(_ line: Document, _ form: Form) -> String {
        let level = line["level"]?.text ?? ""
        let mark = form.mark(plain(level), of: level == "warn" ? "warning" : level)
        var text = line["message"]?.text ?? ""
        if case .object(let fields)? = line["fields"] {
            for (name, value) in fields.sorted(by: { $0.key < $1.key }) { text += " \(name)=\(value.text ?? "")" }
        }
        return plain(form.time(line["time"])) + "  \(mark)  " + plain(text)
    }

    /// What came from outside must not move the cursor of a terminal.
    private static func plain(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) ? " " : $0 }))
    }
}

extension Document {
    /// Itself as one line of JSON.
    fileprivate var line: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "null"
    }
}
