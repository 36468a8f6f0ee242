import Model
import Platform
import RequestPipeline
import TimeSeries

extension FigureReading {
    /// The figures of this moment, out of the state, this process's counters and the system.
    init(_ state: OperatorState, _ api: RequestMetrics) {
        let process = ProcessFigures.now()
        var levels = Self.levels(of: state)
        levels[.memory] = process.map { Double($0.residentBytes) }
        self.init(
            levels: levels, totals: Self.totals(api, process),
            times: [
                .requestLatency: (api.seconds.total, api.seconds.sum), .loopLatency: (Metrics.loopSeconds.total, Metrics.loopSeconds.sum),
            ])
    }

    private static func levels(of state: OperatorState) -> [Figure: Double] {
        let serving = state.exits.values.filter(\.state.takesTraffic)
        let latencies = serving.compactMap(\.health.latencyMilliseconds).sorted()
        var levels: [Figure: Double] = [
            .exits: Double(state.exits.count), .exitsServing: Double(serving.count),
            .exitsWanted: Double(state.pools.values.reduce(0) { $0 + $1.sizeNow }),
            .poolsUnserved: Double(state.pools.values.count { !$0.isClosed && state.exits.serving(in: $0.country).isEmpty }),
            .alerts: Double(state.alerts.count),
            .breakersOpen: Double(state.breakers.count { $0.state == "open" }),
        ]
        if !latencies.isEmpty { levels[.probeLatency] = latencies[latencies.count / 2] }
        return levels
    }

    private static func totals(_ api: RequestMetrics, _ process: ProcessFigures?) -> [Figure: Double] {
        func sum(_ metric: Metric, _ isWanted: ([String]) -> Bool) -> Double {
            metric.values.reduce(0) { isWanted($1.key) ? $0 + $1.value : $0 }
        }
        var totals: [Figure: Double] = [
            .probesFailed: sum(Metrics.probes) { $0.last != "ok" }, .failovers: Metrics.failovers.total,
            .rotations: Metrics.rotations.total,
            .bytesIn: sum(Metrics.exitBytes) { $0.last == "in" }, .bytesOut: sum(Metrics.exitBytes) { $0.last == "out" },
            .connections: Metrics.userConnections.total, .errors: Metrics.userErrors.total, .requests: api.requests.total,
            .requestErrors: sum(api.requests) { $0.last?.hasPrefix("5") ?? false },
            .engineFailures: sum(Metrics.engineCalls) { !($0.last?.hasPrefix("2") ?? false) && !($0.last?.hasPrefix("3") ?? false) },
            .storeFailures: sum(Metrics.redisCalls) { $0.last != "ok" },
        ]
        if let process { totals[.processor] = process.cpuSeconds }
        return totals
    }
}
