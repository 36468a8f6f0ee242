import AccessControl
import EventStreams
import HTTPServing
package import Model
import OpenAPI

/// A breaker as the API shows it.
package struct BreakerView: Encodable, Hashable, Sendable {
    package var name: BreakerKey
    package var state: String
    package var reason: String?
    package var openings: Int
    package var openUntil: Timestamp?

    package init(name: BreakerKey, state: String, reason: String?, openings: Int, openUntil: Timestamp?) {
        self.name = name
        self.state = state
        self.reason = reason
        self.openings = openings
        self.openUntil = openUntil
    }
}

/// History, events, alerts and breakers: what happened, and what needs somebody.
struct MonitoringRoutes: RouteGroup {
    let operations: any Operations
    let events: (any EventSource)?
    let names: UserNameAccess

    var routes: [APIRoute] {
        [
            Route(
                "GET", "/api/exits/{id}/health/history", .viewer, "Results of an exit's probes",
                query: [Parameter("limit", .whole(1...2000, 100), "samples at most; there is one each ten seconds")],
                answers: [.json(200, "the samples", .healthHistory)], .waiting(showHistory)),
            Route(
                "GET", "/api/events", .viewer, "What happened",
                "Without `after`: the latest ones. `last` is the id for the next request, also if the filters match nothing.",
                query: [
                    Parameter(
                        "after", .text("1795222923456-0", pattern: "^[0-9]{1,18}-[0-9]{1,18}$"), "the id of the last event that is known"),
                    Parameter("limit", .whole(1...1000, 100), "events at most, before the filters are applied"),
                    .country, Parameter("kind", .choice(EventKind.self), "only of this kind"),
                ], answers: [.json(200, "the events", .events)], .waiting(listEvents)),
            Route(
                "GET", "/api/alerts", .viewer, "Problems that need an operator, with remedies",
                answers: [.json(200, "the alerts", .alerts)],
                .ready(listAlerts)),
            Route(
                "GET", "/api/breakers", .viewer, "Servers and credentials that failed, and for how long they are not used",
                answers: [.json(200, "the breakers", .breakers)], .ready(listBreakers)),
        ]
    }

    func showHistory(_ request: ServerRequest) async throws -> ServerResponse {
        let id = try request.exitID()
        let limit = request.whole("limit") ?? 100
        return .json(Fields(["exit": id, "samples": try await operations.history(of: id, limit: limit)]))
    }

    func listEvents(_ request: ServerRequest) async throws -> ServerResponse {
        let after = request.query("after")
        if let after, !StoredEvent.isValidID(after) {
            throw APIProblem.invalid("after", "not an event's id, expected one like 1795222923456-0")
        }
        let country = try request.country("country")
        let kind = request.query("kind").flatMap(EventKind.init(rawValue:))
        let limit = request.whole("limit") ?? 100
        let page = try await eventPage(after: after.flatMap(EventPlace.init), limit: limit)
        let filter = EventFilter(country: country, kind: kind, showsNames: names.areShown(to: request))
        return .json(
            Fields([
                "events": page.events.filter { filter.contains($0.event) }.map { EventView(id: $0.id, filter.shown($0.event)) },
                "last": page.end?.description ?? after ?? EventPlace.start.description, "gap": page.gap?.rawValue,
            ]))
    }

    private func eventPage(after place: EventPlace?, limit: Int) async throws -> EventPage {
        guard let source = events else { return EventPage(events: [], end: nil) }
        do {
            guard let place else { return try await source.latest(limit: limit) }
            return try await source.page(after: place, limit: limit)
        } catch {
            throw APIProblem.unavailable("the store does not answer: \(error)")
        }
    }

    func listAlerts(_ request: ServerRequest) throws -> ServerResponse {
        let alerts = operations.state.alerts
        guard !names.areShown(to: request) else { return .json(["alerts": alerts]) }
        return .json(["alerts": alerts.enumerated().map { $1.withoutUserName(number: $0 + 1) }])
    }

    func listBreakers(_ request: ServerRequest) throws -> ServerResponse { .json(["breakers": operations.state.breakers]) }
}
