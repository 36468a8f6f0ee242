import EventStreams
import FoundationEssentials
import HTTPServing
import Model
import OpenAPI
import Platform

/// `/api/stream`, `/api/logs`: what happens, as it happens.
struct StreamRoutes: RouteGroup {
    let streams: Streams
    let list: ExitList
    let names: UserNameAccess
    /// The latest lines of the log; nil where they are not kept.
    let tail: LogTail?

    var routes: [APIRoute] {
        let about =
            "Server-sent events. After Last-Event-ID a stream continues at the same process; with an id of another process it begins with"
            + " `gap`. A reader that is too slow gets `dropped`, and its stream ends."
        let topics = Topic.allCases.map(\.rawValue).joined(separator: "|")
        return [
            Route(
                "GET", "/api/stream/events", .viewer, "Events as they happen",
                "Server-sent events with the ids of `/api/events`. After Last-Event-ID a stream continues at any controller of this"
                    + " Redis and after any restart; if later events are no longer kept, `gap` comes first. While Redis is away"
                    + " this controller's events come without an id. A reader that is too slow gets `dropped`, and its stream ends.",
                query: [.country, Parameter("kind", .choice(EventKind.self), "only of this kind")],
                answers: [.text("the stream", "text/event-stream")], .ready(streamEvents)),
            Route(
                "GET", "/api/stream/exits", .viewer, "Changes of exits as they happen",
                about + " The first event, `exits`, has all of them, also after a gap.",
                answers: [.text("the stream", "text/event-stream")], .ready(streamExits)),
            Route(
                "GET", "/api/stream/logs", .operator, "The controller's log as it is written", about + " After a gap come the kept lines.",
                answers: [.text("the stream", "text/event-stream")], .ready(streamLogs)),
            Route(
                "GET", "/api/stream/dashboard", .viewer, "Everything that a dashboard follows, on one connection",
                "Server-sent events, one kind for each topic. The first event of a topic has `all` its items by id; later ones have"
                    + " `set`, the items that are new or changed, and `removed`, the ids of removed ones. `beat` comes every 15"
                    + " s. The items are those of the routes: `exits`, `pools`, `users` (role admin), `alerts`, `breakers`, `events`,"
                    + " `logs` (role operator), the parts of `/health/deep` as `health`. `figures` says when `/api/metrics` has"
                    + " something new, `changes` which lists have changed. `traffic` has `exit:<id>`, and `user:<name>` for role"
                    + " admin: `bytes_today` (both directions, since midnight in UTC), `bytes_per_second` (over the last ten seconds)"
                    + " and `connections` (open now); the last two are missing where no controller has told them for 15 s.",
                query: [
                    Parameter(
                        "topics", .text("exits,pools", length: 1...200, pattern: "^(\(topics))(,(\(topics)))*$"),
                        "only these; by default all that the role may read")
                ], answers: [.text("the stream", "text/event-stream")], showsByRole: true, .ready(streamDashboard)),
            Route(
                "GET", "/api/logs", .operator, "The controller's latest log lines", "Without the lines of requests.",
                query: [
                    Parameter("lines", .whole(1...1000, 100), "the last ones"),
                    Parameter(
                        "level", .choice(["debug", "info", "warn", "warning", "error"]),
                        "of this level or above; `warn` and `warning` are the same"),
                ], answers: [.json(200, "the lines", .logLines)], .ready(listLog)),
        ]
    }

    func streamEvents(_ request: ServerRequest) throws -> ServerResponse {
        let filter = EventFilter(
            country: try request.country("country"), kind: request.query("kind").flatMap(EventKind.init(rawValue:)),
            showsNames: names.areShown(to: request))
        let place = try request.headers["last-event-id"].map { id in
            guard let place = EventPlace(id) else {
                throw APIProblem.invalid("Last-Event-ID", "not an event's id, expected one like 1795222923456-0")
            }
            return place
        }
        return try streams.events.open(filter, after: place)
    }

    func streamExits(_ request: ServerRequest) throws -> ServerResponse {
        try streams.exits.join(
            after: request.headers["last-event-id"],
            beginning: .snapshot(event: "exits") { String(decoding: list.response.body, as: UTF8.self) })
    }

    func streamLogs(_ request: ServerRequest) throws -> ServerResponse {
        try streams.logs.join(
            after: request.headers["last-event-id"], beginning: .kept, showsNames: names.areShown(to: request))
    }

    func streamDashboard(_ request: ServerRequest) throws -> ServerResponse {
        let role = names.role(of: request)
        let asked = request.query("topics").map { $0.split(separator: ",").compactMap { Topic(rawValue: String($0)) } }
        let topics = asked ?? Topic.allCases.filter { $0.role <= role }
        if let refused = topics.first(where: { $0.role > role }) {
            throw APIProblem(
                status: 403, code: "role_too_low", message: "topic \(refused.rawValue) needs role \(refused.role.rawValue)")
        }
        let areShown = names.areShown(to: request)
        // Figures of users are as the users themselves: for admins, whoever else may see names elsewhere.
        return try streams.topics.open(Set(topics)) { $0 == .traffic ? role >= Topic.users.role : areShown }
    }

    func listLog(_ request: ServerRequest) throws -> ServerResponse {
        let levels = ["debug", "info", "warn", "error"]
        let least = request.query("level").map { $0 == "warning" ? "warn" : $0 }.flatMap(levels.firstIndex) ?? 0
        let all = tail?.lines ?? []
        let isTold = names.areShown(to: request)
        let lines = all.filter { (levels.firstIndex(of: $0.level) ?? 0) >= least }.map { isTold ? $0 : $0.withoutUserName }
        let shown = lines.suffix(request.whole("lines") ?? 100).map {
            Fields(["time": $0.time, "level": $0.level, "message": $0.message, "fields": $0.fields])
        }
        return .json(Fields(["lines": shown, "last": streams.logs.id(all.last?.number ?? 0)]), asIs: true)
    }
}

extension Schema {
    static let logLines = named(
        "LogLines",
        .always(
            "lines",
            .objects(
                .always("time", .time), .always("level", .choice(["debug", "info", "warn", "error"])),
                .always("message", .text("exit us-1 serves")), .always("fields", .map(.text("us-1"), key: "exit")),
                showing: ["level": .string("info")])), .always("last", .text("3f9ab27c-17"), "Last-Event-ID for the lines after these"))
}
