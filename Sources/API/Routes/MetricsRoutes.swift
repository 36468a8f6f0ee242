import HTTPServing
import Model
import OpenAPI
import Platform
import TimeSeries

/// `/metrics` and `/api/metrics`: figures of now for Prometheus, and over time for a dashboard.
struct MetricsRoutes: RouteGroup {
    let operations: any Operations
    let exporter: MetricsExporter
    let history: FigureHistory
    let names: UserNameAccess

    var routes: [APIRoute] {
        let names = Figure.allCases.map(\.rawValue).joined(separator: "|")
        return [
            Route(
                "GET", "/metrics", .viewer, "Figures for Prometheus",
                "By proxy user for keys of role `admin`, or if `api.metrics_user_names` is true; others get the sums of all users.",
                answers: [.text("text format 0.0.4", "text/plain")], .ready(showMetrics)),
            Route(
                "GET", "/api/metrics", .viewer, "The main figures over time",
                "Each ten seconds for an hour, each five minutes for a day. A step between these is rounded up.",
                query: [
                    Parameter("since", .time, "not before this time; default an hour ago"),
                    Parameter("step", .whole(10...86_400, 60), "seconds between two points"),
                    Parameter(
                        "series", .text("exits_serving,failovers", length: 1...1000, pattern: "^(\(names))(,(\(names)))*$"),
                        "only these, by name"),
                ], answers: [.json(200, "the figures", .figures)], .ready(showFigures)),
        ]
    }

    func showMetrics(_ request: ServerRequest) throws -> ServerResponse {
        let text = exporter.text(of: operations.state, showsNames: names.areShown(to: request))
        return ServerResponse(status: 200, headers: [("Content-Type", "text/plain; version=0.0.4; charset=utf-8")], body: Array(text.utf8))
    }

    func showFigures(_ request: ServerRequest) throws -> ServerResponse {
        let wanted = try request.figures()
        let points = history.points(
            since: try request.time("since"), step: request.whole("step"), now: SystemClock.now())
        let series = wanted.reduce(into: [:]) { series, figure in
            series[figure.rawValue] = points.points.map { $0.sample?.shown(figure) }
        }
        return .json(Fields(["step": points.step, "at": points.points.map(\.at), "series": series]), asIs: true)
    }
}

extension ServerRequest {
    /// The figures that are asked for; all where none is named.
    fileprivate func figures() throws -> [Figure] {
        guard let text = query("series") else { return Figure.allCases }
        let names = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        let figures = names.compactMap(Figure.init(rawValue:))
        guard figures.count == names.count else {
            let known = Figure.allCases.map(\.rawValue).joined(separator: ", ")
            throw APIProblem.invalid("series", "expected names separated by commas, of \(known)")
        }
        return figures
    }
}

extension Schema {
    static let figures = named(
        "Figures", .always("step", .whole(10...86_400, 10), "seconds between two points"),
        .always("at", .list(.time), "the points, the oldest first"),
        .always(
            "series", .map(.list(.number(-1e18...1e18, 2).orNull), key: "exits_serving"),
            "a value for each point, null if there is none; docs/metrics.md says what each is"))
}
