import HTTPServing
import Model
import Platform

/// An event as the API shows it.
struct EventView: Encodable {
    /// Nil while the store has not taken it.
    let id: String?
    let uid: String?
    let at: Timestamp
    let kind: EventKind
    let severity: Severity
    let message: String
    let country: CountryCode?
    let exit: ExitID?
    let server: String?
    let reason: ExitReason?
    let cause: String?
    let by: String?

    init(id: String?, _ event: Event) {
        (self.id, uid, at, kind, severity, message) = (id, event.uid, event.at, event.kind, event.severity, event.message)
        (country, exit, server, reason, cause) = (event.country, event.exit, event.server, event.reason, event.cause)
        by = event.by
    }
}

/// `/api/stream/events`: events as they happen.
extension API {
    /// Events that one who is behind is sent at a time, and bytes that it must have taken before there are more.
    private static let page = 200
    private static let ahead = 64 << 10
    /// Seconds in which one who is behind has to take what it was sent.
    private static let patience = 60.0

    var eventStreamRoute: APIRoute {
        Route(
            "GET", "/api/stream/events",
            Contract(
                .role(.viewer), "What happens, as it happens",
                "Server-sent events with the ids of `/api/events`. Last-Event-ID goes on where a reader was, at any controller of this"
                    + " Redis and after any restart; where what came after it is no longer kept, `gap` says so first. While Redis is away"
                    + " this controller's events come without an id. One that is too slow is told so (`dropped`) and ended.",
                query: [.country, Parameter("kind", .choice(EventKind.self), "only of this kind")],
                answers: [.text("the stream", "text/event-stream")]),
            .ready(streamEvents))
    }

    func streamEvents(_ request: ServerRequest) throws -> ServerResponse {
        let filter = EventFeed.Filter(
            country: try request.country("country"), kind: request.query("kind").flatMap(EventKind.init(rawValue:)),
            showsNames: showsUserNames(to: request))
        let place = try request.headers["last-event-id"].map { id in
            guard let place = EventPlace(id) else {
                throw APIProblem.invalid([
                    FieldProblem(field: "Last-Event-ID", message: "not an event's id, want one like 1763686923456-0")
                ])
            }
            return place
        }
        let stream = BodyStream(farewell: ServerSentEvents.dropped)
        try eventFeed.join(stream, filter, after: place)
        return ServerSentEvents.response(stream)
    }

    /// Sends what the store gets, from this controller or another, until it is cancelled.
    func feedEvents() async {
        guard let source = parts.events else { return }
        await withTaskCancellationHandler {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.followStore(source) }
                group.addTask { for await events in source.unstored { self.eventFeed.publish(unstored: events) } }
                for await reader in eventFeed.latecomers {
                    group.addTask { await self.catchUp(reader, from: source) }
                }
            }
        } onCancel: {
            source.interrupt()
        }
    }

    private func followStore(_ source: any EventSource) async {
        var isBehind = false
        while !Task.isCancelled {
            do {
                guard let last = eventFeed.last else {
                    eventFeed.begin(with: try await source.latest(limit: 1000))
                    continue
                }
                // After a break some of what we did not see may be gone; a wait would not tell.
                eventFeed.publish(
                    isBehind ? try await source.page(after: last, limit: 1000) : try await source.next(after: last, limit: 1000))
                if isBehind { log.debug("the log of events is followed again") }
                isBehind = false
            } catch {
                if !isBehind { log.debug("the log of events does not answer", ["error": "\(error)"]) }
                isBehind = true
                try? await Task.sleep(for: .milliseconds(200))
            }
        }
    }

    /// Sends a reader what it has missed, piece by piece and no faster than it takes it, until it has as much as the others.
    private func catchUp(_ reader: EventFeed.Latecomer, from source: any EventSource) async {
        var place = reader.place
        while !Task.isCancelled, !reader.stream.hasEnded, !eventFeed.goLive(reader, from: place) {
            // The store is asked again and again: a reader who comes while it is away waits, and gets heartbeats.
            guard let page = try? await source.page(after: place, limit: Self.page) else {
                try? await Task.sleep(for: .milliseconds(500))
                continue
            }
            if let gap = page.gap { reader.stream.send(ServerSentEvents.gap(gap.rawValue, after: place.description)) }
            for entry in page.events where reader.filter.contains(entry.event) {
                // Before each: a page on top of what still waits can be more than is kept for a reader.
                guard await hasTaken(reader.stream) else { return reader.stream.drop() }
                reader.stream.send(EventFeed.bytes(id: entry.id, reader.filter.shown(entry.event)))
            }
            guard await hasTaken(reader.stream) else { return reader.stream.drop() }
            if let end = page.end {
                reader.stream.send(ServerSentEvents.place(end.description))
                place = end
            }
            if page.end == nil {
                // It is at the store's end: what we know beyond that is of a store that was emptied since.
                place = max(place, eventFeed.floor)
                try? await Task.sleep(for: .milliseconds(100))
            }
        }
    }

    private func hasTaken(_ stream: BodyStream) async -> Bool {
        let end = ContinuousClock.now + .seconds(Self.patience)
        while stream.waiting > Self.ahead {
            guard ContinuousClock.now < end, !Task.isCancelled else { return false }
            try? await Task.sleep(for: .milliseconds(20))
        }
        return true
    }
}
