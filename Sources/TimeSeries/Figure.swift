package import Model

/// One of the figures that are kept over time, under its name in `/api/metrics`.
package enum Figure: String, CaseIterable, Sendable {
    case exits
    case exitsServing = "exits_serving"
    case exitsWanted = "exits_wanted"
    case poolsUnserved = "pools_unserved"
    case alerts
    case breakersOpen = "breakers_open"
    case probeLatency = "probe_latency_ms"
    case probesFailed = "probes_failed"
    case failovers
    case rotations
    case bytesIn = "proxy_bytes_in_per_second"
    case bytesOut = "proxy_bytes_out_per_second"
    case connections = "proxy_connections_per_second"
    case errors = "proxy_errors_per_second"
    case requests = "api_requests_per_second"
    case requestErrors = "api_errors_per_second"
    case requestLatency = "api_latency_ms"
    case loopLatency = "loop_ms"
    case engineFailures = "engine_failures"
    case storeFailures = "redis_failures"
    case memory = "resident_bytes"
    case processor = "cpu_share"

    /// How several samples become one.
    enum Kind: Sendable {
        /// Their mean.
        case level
        /// Their sum.
        case count
        /// Their sum for each second.
        case rate
    }

    var kind: Kind {
        switch self {
        case .probesFailed, .failovers, .rotations, .engineFailures, .storeFailures: .count
        case .bytesIn, .bytesOut, .connections, .errors, .requests, .requestErrors, .processor: .rate
        default: .level
        }
    }
}

/// The figures of some seconds. Of a rate it has the amount.
package struct FigureSample: Codable, Equatable, Sendable {
    /// When they were taken, at the end of these seconds; of one that stands for many, the beginning of its period.
    package var at: Timestamp
    package var seconds: Double
    /// By the names of `Figure`; text, so that another version's can be read.
    package var values: [String: Double]

    /// Several samples as one; nil of none.
    init?(_ samples: [FigureSample], at time: Timestamp) {
        guard !samples.isEmpty else { return nil }
        at = time
        seconds = samples.reduce(0) { $0 + $1.seconds }
        values = [:]
        for figure in Figure.allCases {
            let known = samples.compactMap { $0.values[figure.rawValue] }
            guard !known.isEmpty else { continue }
            let sum = known.reduce(0, +)
            values[figure.rawValue] = figure.kind == .level ? sum / Double(known.count) : sum
        }
    }

    package init(at: Timestamp, seconds: Double, values: [String: Double]) {
        self.at = at
        self.seconds = seconds
        self.values = values
    }

    /// A figure as it is shown; nil where it is not known.
    package func shown(_ figure: Figure) -> Double? {
        guard let value = values[figure.rawValue], value.isFinite else { return nil }
        let shown = figure.kind == .rate ? value / max(0.001, seconds) : value
        return (shown * 1000).rounded() / 1000
    }
}
