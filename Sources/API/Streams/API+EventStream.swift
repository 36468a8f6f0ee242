import HTTPServing
import Model

/// An event as the API shows it.
struct EventView: Encodable {
    let id: String
    let at: Timestamp
    let kind: EventKind
    let severity: Severity
    let message: String
    let country: CountryCode?
    let exit: ExitID?
    let server: String?
    let reason: ExitReason?
    let cause: String?

    init(_ entry: StoredEvent) {
        let event = entry.event
        (id, at, kind, severity, message) = (entry.id, event.at, event.kind, event.severity, event.message)
        (country, exit, server, reason, cause) = (event.country, event.exit, event.server, event.reason, event.cause)
    }
}

/// `/api/stream/events`: stored events, as they are stored.
extension API {
    /// Missed events that one connection gets; with more it ends, and the reader's next one goes on there. Fits a stream's limit.
    private static let page = 200

    var eventStreamRoute: APIRoute {
        Route(
            "GET", "/api/stream/events",
            Contract(
                .role(.viewer), "What happens, as it happens",
                "Server-sent events with the ids of `/api/events`. Last-Event-ID goes on where a reader was, at any controller of this"
                    + " Redis and after any restart; one that is too slow is told so and ended.",
                query: [.country, Parameter("kind", .choice(EventKind.self), "only of this kind")],
                answers: [.text("the stream", "text/event-stream")]),
            .waiting(streamEvents))
    }

    func streamEvents(_ request: ServerRequest) async throws -> ServerResponse {
        let filter = EventFeed.Filter(
            country: try request.country("country"), kind: request.query("kind").flatMap(EventKind.init(rawValue:)))
        var after = request.headers["last-event-id"]
        if let id = after, !StoredEvent.isValidID(id) {
            throw APIProblem.invalid([FieldProblem(field: "Last-Event-ID", message: "not an event's id, want one like 1763686923456-0")])
        }
        let stream = BodyStream(farewell: Array("event: dropped\ndata: {\"reason\":\"too slow\"}\n\n".utf8))
        stream.send(Array("retry: 2000\n\n".utf8))
        var sent = 0
        while true {
            if after == nil { after = try await operations.events(after: nil, limit: 1).last?.id ?? "0-0" }
            let missed = try await operations.events(after: after, limit: Self.page)
            for entry in missed where filter.contains(entry.event) { stream.send(EventFeed.bytes(entry)) }
            after = missed.last?.id ?? after
            sent += missed.count
            guard let place = after.flatMap(EventFeed.Place.init) else { break }
            if sent >= Self.page {
                // An id alone moves the reader on past what its filter left out.
                stream.send(Array("id: \(after ?? "")\nretry: 100\n\n".utf8))
                stream.finish()
                break
            }
            if try eventFeed.join(EventFeed.Reader(stream: stream, filter: filter, place: place)) { break }
        }
        var response = ServerResponse(
            status: 200, headers: [("Content-Type", "text/event-stream"), ("Cache-Control", "no-store"), ("X-Accel-Buffering", "no")])
        response.stream = stream
        return response
    }

    /// Sends what the store gets, from this controller or another, until it is cancelled.
    func feedEvents() async {
        var last: String?
        while !Task.isCancelled {
            if let after = last {
                if let events = try? await operations.events(after: after, limit: 1000), let end = events.last {
                    eventFeed.publish(events)
                    last = end.id
                    continue
                }
            } else if let latest = try? await operations.events(after: nil, limit: 1) {
                let id = latest.last?.id ?? "0-0"
                last = id
                if let place = EventFeed.Place(id) { eventFeed.begin(at: place) }
            }
            try? await Task.sleep(for: .milliseconds(200))
        }
    }
}
