import Model
import Platform

/// Makes samples: what is so now, and what has come on top since the sample before.
struct FigureMeter {
    private var before: [Figure: Double] = [:]
    private var beforeTimes: [Figure: (count: Double, sum: Double)] = [:]
    private var last: ContinuousClock.Instant?

    /// Nil the first time, which is where counting begins.
    mutating func sample(_ state: OperatorState, _ api: APIMetrics, at now: Timestamp) -> FigureSample? {
        let moment = ContinuousClock.now
        let seconds = last.map { (moment - $0) / .seconds(1) }
        last = moment
        let process = ProcessFigures.now()
        var values = Self.levels(of: state)
        values[.memory] = process.map { Double($0.residentBytes) }
        let fresh = additions(Self.totals(api, process))
        values.merge(fresh) { $1 }
        for (figure, metric) in [(Figure.requestLatency, api.seconds), (.loopLatency, Metrics.loopSeconds)] {
            let (count, sum) = (metric.total, metric.sum)
            let old = beforeTimes.updateValue((count, sum), forKey: figure)
            if let old, count > old.count { values[figure] = max(0, sum - old.sum) / (count - old.count) * 1000 }
        }
        guard let seconds else { return nil }
        return FigureSample(
            at: now, seconds: seconds, values: values.reduce(into: [:]) { $0[$1.key.rawValue] = $1.value })
    }

    private mutating func additions(_ totals: [Figure: Double]) -> [Figure: Double] {
        defer { before = totals }
        return totals.reduce(into: [:]) { fresh, entry in
            if let old = before[entry.key] { fresh[entry.key] = max(0, entry.value - old) }
        }
    }

    private static func levels(of state: OperatorState) -> [Figure: Double] {
        let serving = state.exits.values.filter(\.state.takesTraffic)
        let latencies = serving.compactMap(\.health.latencyMilliseconds).sorted()
        let served = Set(serving.map(\.country))
        var levels: [Figure: Double] = [
            .exits: Double(state.exits.count), .exitsServing: Double(serving.count),
            .exitsWanted: Double(state.pools.values.reduce(0) { $0 + $1.size }),
            .poolsUnserved: Double(state.pools.keys.count { !served.contains($0) }), .alerts: Double(state.alerts.count),
            .breakersOpen: Double(state.breakers.count { $0.state == "open" }),
        ]
        if !latencies.isEmpty { levels[.probeLatency] = latencies[latencies.count / 2] }
        return levels
    }

    private static func totals(_ api: APIMetrics, _ process: ProcessFigures?) -> [Figure: Double] {
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
