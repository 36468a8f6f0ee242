import FoundationEssentials
import HTTPServing
import Model
import Platform

/// `/api/stream`: what happens, as it happens.
extension API {
    var streamRoutes: [APIRoute] {
        let about =
            "Server-sent events. Last-Event-ID goes on where a reader was, in the life of one controller; one with another id is told by"
            + " `gap`. One that is too slow is told so (`dropped`) and ended."
        return [
            eventStreamRoute,
            Route(
                "GET", "/api/stream/exits",
                Contract(
                    .role(.viewer), "Changes of exits as they happen",
                    about + " The first event, `exits`, has all of them, also after a gap.",
                    answers: [.text("the stream", "text/event-stream")]),
                .ready(streamExits)),
            Route(
                "GET", "/api/stream/logs",
                Contract(
                    .role(.operator), "The controller's log as it is written", about + " After a gap comes what is kept.",
                    answers: [.text("the stream", "text/event-stream")]),
                .ready(streamLogs)),
            Route(
                "GET", "/api/logs",
                Contract(
                    .role(.operator), "The controller's latest log lines", "Without the lines of requests.",
                    query: [
                        Parameter("lines", .whole(1...1000, 100), "the last ones"),
                        Parameter(
                            "level", .choice(["debug", "info", "warn", "warning", "error"]),
                            "of this level or above; `warn` and `warning` are the same"),
                    ], answers: [.json(200, "the lines", .named("LogLines"))]),
                .ready(listLog)),
        ]
    }

    static let streamSchemas: [String: Schema] = [
        "StreamEvent": .object(
            .maybe("id", .text("3f9ab27c-17"), "for Last-Event-ID"),
            .maybe("event", .text("exit"), "its kind; `gap`: what came before this is missing; `dropped`: the reader was too slow"),
            .maybe("data", .text("{}"), "JSON"), .maybe("retry", .whole(2000), "milliseconds until a reader is to come back")),
        "LogLines": .object(
            .always(
                "lines",
                .list(
                    .object(
                        .always("time", .time), .always("level", .choice(["debug", "info", "warn", "error"])),
                        .always("message", .text("exit us-1 serves")), .always("fields", .map(.text("us-1"), key: "exit"))
                    ).showing(["level": .string("info")]))),
            .always("last", .text("3f9ab27c-17"), "Last-Event-ID for the lines after these")),
    ]

    func streamExits(_ request: ServerRequest) throws -> ServerResponse {
        try exitStream.join(
            after: request.headers["last-event-id"],
            beginning: .snapshot(event: "exits") { String(decoding: self.allExits().body, as: UTF8.self) })
    }

    func streamLogs(_ request: ServerRequest) throws -> ServerResponse {
        try logStream.join(
            after: request.headers["last-event-id"], beginning: .kept, showsNames: showsUserNames(to: request))
    }

    func listLog(_ request: ServerRequest) throws -> ServerResponse {
        struct Line: Encodable {
            let time: Timestamp
            let level: String
            let message: String
            let fields: [String: String]
        }
        struct Answer: Encodable {
            let lines: [Line]
            let last: String
        }
        let levels = ["debug", "info", "warn", "error"]
        let least = request.query("level").map { $0 == "warning" ? "warn" : $0 }.flatMap(levels.firstIndex) ?? 0
        let all = parts.logTail?.lines ?? []
        let isTold = showsUserNames(to: request)
        let lines = all.filter { (levels.firstIndex(of: $0.level) ?? 0) >= least }.map { isTold ? $0 : $0.withoutUserName }
        let shown = lines.suffix(Int(request.number("lines") ?? 100)).map {
            Line(time: $0.time, level: $0.level, message: $0.message, fields: $0.fields)
        }
        return .json(Answer(lines: shown, last: logStream.id(all.last?.number ?? 0)), asIs: true)
    }

    /// Feeds the streams until it is cancelled.
    func feedStreams() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.feedExits() }
            group.addTask { await self.feedEvents() }
            group.addTask {
                while (try? await Task.sleep(for: .seconds(15))) != nil {
                    self.exitStream.beat()
                    self.eventFeed.beat()
                    self.logStream.beat()
                }
            }
            if let tail = parts.logTail {
                group.addTask {
                    for await line in tail.follow() {
                        self.logStream.publish("line", line.json, plain: line.withoutUserName.json, number: line.number)
                    }
                }
            }
            await group.waitForAll()
        }
    }

    private func feedExits() async {
        var changes = ExitChanges()
        var (revision, comparedAt) = (-1, ContinuousClock.now - .seconds(1))
        var lastReader: ContinuousClock.Instant?
        while !Task.isCancelled {
            let now = ContinuousClock.now
            if exitStream.readers > 0 { lastReader = now }
            // After a minute without a reader nothing is written for those who might come back, and compared only so often that who
            // comes next isn't told of all exits.
            let isRead = lastReader.map { now - $0 <= .seconds(60) } ?? false
            if isRead || now - comparedAt >= .seconds(1) {
                tell(&changes, since: &revision, now, isRead: isRead)
                comparedAt = now
            }
            try? await Task.sleep(for: .milliseconds(100))
        }
    }

    private func tell(_ changes: inout ExitChanges, since revision: inout Int, _ now: ContinuousClock.Instant, isRead: Bool) {
        let state = operations.state
        guard state.revision != revision || changes.isBehind(state.exits) else { return }
        revision = state.revision
        let (changed, gone) = changes.changes(to: state.exits, now: now)
        guard isRead else {
            if !changed.isEmpty || !gone.isEmpty { exitStream.skip() }
            return
        }
        for exit in changed {
            exitStream.publish("exit", String(decoding: ServerResponse.json(ExitView(exit, proxy: proxy)).body, as: UTF8.self))
        }
        for id in gone { exitStream.publish("gone", "{\"id\":\"\(id)\"}") }
    }
}

extension LogLine {
    /// The same for those who may not know proxy users' names.
    fileprivate var withoutUserName: LogLine {
        var line = self
        line.message = UserNames.hidden(in: message)
        if let name = fields["user"] { line.fields = fields.mapValues { UserNames.hide(name, in: $0) } }
        return line
    }
}
