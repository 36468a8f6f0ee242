import Synchronization

/// One metric by Prometheus's conventions: a name, and a value for each combination of its labels. Thread-safe.
package final class Metric: Sendable {
    package enum Kind: Sendable {
        case counter, gauge
        /// Upper bounds, growing.
        case histogram([Double])
        var word: String {
            switch self {
            case .counter: "counter"
            case .gauge: "gauge"
            case .histogram: "histogram"
            }
        }
    }

    private struct Histogram {
        var counts: [Int]
        var sum = 0.0
    }

    private struct State {
        var values: [[String]: Double] = [:]
        var histograms: [[String]: Histogram] = [:]
    }

    /// Combinations of labels that one metric keeps; more are not counted, so that nobody outside can fill our memory.
    private static let limit = 5000

    package let name: String
    private let help: String
    private let kind: Kind
    private let labels: [String]
    private let state = Mutex(State())

    package init(_ kind: Kind, _ name: String, _ help: String, labels: [String] = []) {
        self.kind = kind
        self.name = name
        self.help = help
        self.labels = labels
    }

    package func add(_ amount: Double = 1, _ values: String...) {
        state.withLock { state in
            guard state.values[values] != nil || state.values.count < Self.limit else { return }
            state.values[values, default: 0] += amount
        }
    }

    package func set(_ value: Double, _ values: String...) { set(value, values) }
    package func set(_ value: Double, _ values: [String]) { state.withLock { $0.values[values] = value } }

    /// Replaces every value at once; what is not there any more is gone.
    package func replace(_ all: [[String]: Double]) { state.withLock { $0.values = all } }

    package func observe(_ value: Double, _ values: String...) {
        guard case .histogram(let bounds) = kind else { return }
        state.withLock { state in
            guard state.histograms[values] != nil || state.histograms.count < Self.limit else { return }
            let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
            state.histograms[values, default: Histogram(counts: [Int](repeating: 0, count: bounds.count + 1))].counts[bucket] += 1
            state.histograms[values]?.sum += value
        }
    }

    /// The sum of all values, of a histogram the number of its observations.
    package var total: Double {
        state.withLock { state in
            state.values.values.reduce(0, +) + Double(state.histograms.values.reduce(0) { $0 + $1.counts.reduce(0, +) })
        }
    }

    /// Every value with its labels.
    package var values: [[String]: Double] { state.withLock { $0.values } }

    /// In the text format (version 0.0.4).
    package func write(into text: inout String) {
        let state = state.withLock { $0 }
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.word)\n"
        switch kind {
        case .histogram(let bounds):
            for (values, histogram) in state.histograms.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
                var count = 0
                for (index, bucket) in histogram.counts.enumerated() {
                    count += bucket
                    let bound = index < bounds.count ? Self.number(bounds[index]) : "+Inf"
                    text += "\(name)_bucket\(pairs(values, ("le", bound))) \(count)\n"
                }
                text += "\(name)_sum\(pairs(values)) \(Self.number(histogram.sum))\n\(name)_count\(pairs(values)) \(count)\n"
            }
        default:
            // A metric without labels is there from the start.
            let values = labels.isEmpty && state.values.isEmpty ? [[]: 0] : state.values
            for (values, value) in values.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
                text += "\(name)\(pairs(values)) \(Self.number(value))\n"
            }
        }
    }

    private func pairs(_ values: [String], _ more: (String, String)? = nil) -> String {
        var all = Array(zip(labels, values))
        if let more { all.append(more) }
        return all.isEmpty ? "" : "{" + all.map { "\($0)=\"\(Self.escaped($1))\"" }.joined(separator: ",") + "}"
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }

    private static func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : String(value)
    }
}

/// Metrics that every part of the process counts into, wherever it is.
package enum Metrics {
    package static let seconds: [Double] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

    package static let redisCalls = Metric(.counter, "sallyport_redis_commands_total", "Commands sent to Redis.", labels: ["result"])
    package static let redisSeconds = Metric(
        .histogram(seconds), "sallyport_redis_command_duration_seconds", "Time of a batch of commands.")
    package static let engineCalls = Metric(
        .counter, "sallyport_engine_requests_total", "Requests to the Docker Engine.", labels: ["method", "status"])
    package static let engineSeconds = Metric(
        .histogram(seconds), "sallyport_engine_request_duration_seconds", "Time of a request to the Docker Engine.", labels: ["method"])
    package static let loopLastRun = Metric(
        .gauge, "sallyport_loop_last_run_timestamp_seconds", "When the control loop last finished a turn, in seconds since 1970.")
    package static let loopSeconds = Metric(.histogram(seconds), "sallyport_loop_duration_seconds", "Time of one turn of the control loop.")
}
