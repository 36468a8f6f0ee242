import FoundationEssentials
import HTTPServing
import Model
import Platform

/// `/api/stream`: what happens, as it happens.
extension API {
    var streamRoutes: [APIRoute] {
        let about = "Server-sent events. Last-Event-ID goes on where a reader was; one that is too slow is told so and ended."
        return [
            eventStreamRoute,
            Route(
                "GET", "/api/stream/exits",
                Contract(
                    .role(.viewer), "Changes of exits as they happen", about + " The first event, `exits`, has all of them.",
                    answers: [.text("the stream", "text/event-stream")]),
                .ready(streamExits)),
            Route(
                "GET", "/api/stream/logs",
                Contract(
                    .role(.operator), "The controller's log as it is written", about, answers: [.text("the stream", "text/event-stream")]),
                .ready(streamLogs)),
            Route(
                "GET", "/api/logs",
                Contract(
                    .role(.operator), "The controller's latest log lines", "Without the lines of requests.",
                    query: [
                        Parameter("lines", .whole(1...1000, 100), "the last ones"),
                        Parameter("level", .choice(["debug", "info", "warn", "error"]), "of this level or above"),
                    ], answers: [.json(200, "the lines", .named("LogLines"))]),
                .ready(listLog)),
        ]
    }

    static let streamSchemas: [String: Schema] = [
        "StreamEvent": .object(
            .maybe("id", .text("3f9ab27c-17"), "for Last-Event-ID"), .maybe("event", .text("exit"), "its kind"),
            .maybe("data", .text("{}"), "JSON"), .maybe("retry", .whole(2000), "milliseconds until a reader is to come back")),
        "LogLines": .object(
            .always(
                "lines",
                .list(
                    .object(
                        .always("time", .time), .always("level", .choice(["debug", "info", "warn", "error"])),
                        .always("message", .text("exit us-1 serves")), .always("fields", .map(.text("value"))))))),
    ]

    func streamExits(_ request: ServerRequest) throws -> ServerResponse {
        try exitStream.join(after: request.headers["last-event-id"]) {
            [("exits", String(decoding: self.allExits(self.operations.state).body, as: UTF8.self))]
        }
    }

    func streamLogs(_ request: ServerRequest) throws -> ServerResponse {
        try logStream.join(after: request.headers["last-event-id"]) { [] }
    }

    func listLog(_ request: ServerRequest) throws -> ServerResponse {
        struct Line: Encodable {
            let time: Timestamp
            let level: String
            let message: String
            let fields: [String: String]
        }
        let levels = ["debug", "info", "warn", "error"]
        let least = request.query("level").flatMap(levels.firstIndex) ?? 0
        let lines = (parts.logTail?.lines ?? []).filter { (levels.firstIndex(of: $0.level) ?? 0) >= least }
        let shown = lines.suffix(Int(request.number("lines") ?? 100)).map {
            Line(time: $0.time, level: $0.level, message: $0.message, fields: $0.fields)
        }
        return .json(["lines": shown], asIs: true)
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
                    for await line in tail.follow() { self.logStream.publish("line", line.json) }
                }
            }
            await group.waitForAll()
        }
    }

    private func feedExits() async {
        var known: [ExitID: Exit] = [:]
        var revision = -1
        while !Task.isCancelled {
            let state = operations.state
            if state.revision != revision {
                for (id, exit) in state.exits where known[id] != exit {
                    let answer = ServerResponse.json(ExitView(exit, proxy: proxy))
                    exitStream.publish("exit", String(decoding: answer.body, as: UTF8.self))
                }
                for id in known.keys where state.exits[id] == nil { exitStream.publish("gone", "{\"id\":\"\(id)\"}") }
                (known, revision) = (state.exits, state.revision)
            }
            try? await Task.sleep(for: .milliseconds(100))
        }
    }
}
