import FoundationEssentials
import HTTPServing
import Model
import Platform

/// Keeps the figures over time for all controllers: the one that leads writes them, the others read.
package protocol FigureStore: Sendable {
    /// Adds a sample to one of the two series.
    func append(_ sample: String, to series: FigureSeries) async throws
    /// The samples after an id, all of them where it is nil, with the last one's id.
    func samples(of series: FigureSeries, after id: String?) async throws -> (samples: [String], last: String?)
}

/// The two series of samples that are kept.
package enum FigureSeries: String, Sendable, CaseIterable { case fine, coarse }

/// `/metrics` and `/api/metrics`: figures of now for Prometheus, and over time for a dashboard.
extension API {
    static let figureSchemas: [String: Schema] = [
        "Figures": .object(
            .always("step", .whole(10...86_400, 10), "seconds between two points"),
            .always("at", .list(.time), "the points, the oldest first"),
            .always(
                "series", .map(.list(.number(-1e18...1e18, 2).orNull), key: "exits_serving"),
                "a value for each point, null where nothing is known; docs/metrics.md says what each is"))
    ]

    var figureRoutes: [APIRoute] {
        let names = Figure.allCases.map(\.rawValue).joined(separator: "|")
        return [
            Route(
                "GET", "/metrics",
                Contract(
                    .role(.viewer), "Figures for Prometheus",
                    "By proxy user for keys of role `admin`, or where `api.metrics_user_names` is true; others get the sums of all users.",
                    answers: [.text("text format 0.0.4", "text/plain")]),
                .ready(showMetrics)),
            Route(
                "GET", "/api/metrics",
                Contract(
                    .role(.viewer), "The main figures over time",
                    "Each ten seconds for an hour, each five minutes for a day. A step between these is rounded up.",
                    query: [
                        Parameter("since", .time, "not before this time; an hour ago where none is said"),
                        Parameter("step", .whole(10...86_400, 60), "seconds between two points"),
                        Parameter(
                            "series", .text("exits_serving,failovers", length: 1...1000, pattern: "^(\(names))(,(\(names)))*$"),
                            "only these, by name"),
                    ], answers: [.json(200, "the figures", .named("Figures"))]),
                .ready(showFigures)),
        ]
    }

    func showFigures(_ request: ServerRequest) throws -> ServerResponse {
        struct Answer: Encodable {
            let step: Int
            let at: [Timestamp]
            let series: [String: [Double?]]
        }
        let wanted = try request.figures()
        let points = figures.points(
            since: try request.time("since"), step: request.number("step").map { Int($0) }, now: SystemClock.now())
        let series = wanted.reduce(into: [:]) { series, figure in
            series[figure.rawValue] = points.points.map { $0.sample?.shown(figure) }
        }
        return .json(Answer(step: points.step, at: points.points.map(\.at), series: series), asIs: true)
    }

    /// Takes a sample each ten seconds, or reads what the leader has taken, until it is cancelled.
    func sampleFigures() async {
        var meter = FigureMeter()
        _ = meter.sample(operations.state, metrics, at: SystemClock.now())
        var reader = FigureReader()
        // What was before this start.
        if let store = parts.figures { await reader.read(from: store, into: figures) }
        while true {
            let period = Int64(FigureRing.fineSeconds) * 1000
            let pause = period - SystemClock.now().milliseconds % period
            guard (try? await Task.sleep(for: .milliseconds(pause))) != nil else { return }
            let state = operations.state
            let sample = meter.sample(state, metrics, at: SystemClock.now())
            if let store = parts.figures, state.leader != nil {
                await reader.read(from: store, into: figures)
            } else if let sample {
                reader = FigureReader()
                await keep(sample)
            }
        }
    }

    /// A hole in what is stored is no reason to do anything: this controller still has it.
    private func keep(_ sample: FigureSample) async {
        let period = figures.add(sample)
        guard let store = parts.figures else { return }
        for (series, sample) in [(FigureSeries.fine, sample), (.coarse, period)] {
            guard let sample, let data = try? JSONEncoder().encode(sample) else { continue }
            try? await store.append(String(decoding: data, as: UTF8.self), to: series)
        }
    }
}

/// Reads what another controller has stored, or an earlier one of ours.
struct FigureReader {
    private var last: [FigureSeries: String] = [:]

    mutating func read(from store: any FigureStore, into figures: KeptFigures) async {
        for series in FigureSeries.allCases {
            guard let (texts, id) = try? await store.samples(of: series, after: last[series]), let id else { continue }
            // The first time all that is here gives way.
            let samples = texts.compactMap { try? JSONDecoder().decode(FigureSample.self, from: Data($0.utf8)) }
            figures.insert(samples, series, isWhole: last[series] == nil)
            last[series] = id
        }
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
            throw APIProblem.invalid([FieldProblem(field: "series", message: "want names divided by commas, of \(known)")])
        }
        return figures
    }
}
