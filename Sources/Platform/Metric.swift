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
        /// One more than there are bounds; empty before the first observation.
        var counts: [Int] = []
        var sum = 0.0

        func adding(_ other: Histogram) -> Histogram { Histogram(counts: zip(counts, other.counts).map(+), sum: sum + other.sum) }
    }

    private struct State {
        var values: [[String]: Double] = [:]
        var histograms: [[String]: Histogram] = [:]
        /// The sum of what was forgotten.
        var gone = 0.0
    }

    /// Combinations of labels that one metric keeps unless it says otherwise; what is beyond is counted under `other`, so that
    /// nobody outside can fill our memory.
    package static let usualLimit = 5000
    package static let other = "other"

    package let name: String
    private let help: String
    private let kind: Kind
    package let labels: [String]
    private let limit: Int
    private let folded: [Bool]
    private let state = Mutex(State())

    /// - Parameters:
    ///   - limit: combinations of labels that are kept apart.
    ///   - folding: the labels that become `other` beyond that; nil for all. Those that are not named need a bound of their own.
    package init(
        _ kind: Kind, _ name: String, _ help: String, labels: [String] = [], limit: Int = Metric.usualLimit, folding: [String]? = nil
    ) {
        self.kind = kind
        self.name = name
        self.help = help
        self.labels = labels
        self.limit = limit
        folded = labels.map { folding?.contains($0) ?? true }
    }

    package func add(_ amount: Double = 1, _ values: String...) {
        state.withLock { count(values, in: &$0.values, first: 0) { $0 += amount } }
    }

    /// Counts something with these labels; those that are known are looked up once.
    private func count<Value>(_ values: [String], in kept: inout [[String]: Value], first: Value, _ body: (inout Value) -> Void) {
        if let index = kept.index(forKey: values) { return body(&kept.values[index]) }
        body(&kept[kept.count < limit ? values : zip(values, folded).map { $1 ? Self.other : $0 }, default: first])
    }

    package func set(_ value: Double, _ values: String...) { set(value, values) }
    package func set(_ value: Double, _ values: [String]) { state.withLock { $0.values[values] = value } }

    /// Replaces every value at once; what is not there any more is gone.
    package func replace(_ all: [[String]: Double]) { state.withLock { $0.values = all } }

    /// Forgets every combination of labels that is not wanted any more.
    package func keep(_ isWanted: ([String]) -> Bool) {
        state.withLock { state in
            for (values, value) in state.values where !isWanted(values) { state.gone += value }
            state.values = state.values.filter { isWanted($0.key) }
            state.histograms = state.histograms.filter { isWanted($0.key) }
        }
    }

    package func observe(_ value: Double, _ values: String...) {
        guard case .histogram(let bounds) = kind else { return }
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.withLock { state in
            count(values, in: &state.histograms, first: Histogram()) { histogram in
                if histogram.counts.isEmpty { histogram.counts = [Int](repeating: 0, count: bounds.count + 1) }
                histogram.counts[bucket] += 1
                histogram.sum += value
            }
        }
    }

    /// The sum of all values, also of forgotten ones; of a histogram the number of its observations.
    package var total: Double {
        state.withLock { state in
            state.gone + state.values.values.reduce(0, +) + Double(state.histograms.values.reduce(0) { $0 + $1.counts.reduce(0, +) })
        }
    }

    /// The sum of what a histogram has observed.
    package var sum: Double { state.withLock { $0.histograms.values.reduce(0) { $0 + $1.sum } } }

    /// Every value with its labels.
    package var values: [[String]: Double] { state.withLock { $0.values } }

    /// In the text format (version 0.0.4).
    /// - Parameter hidden: labels that are left out; what differs in these alone is one sum.
    package func write(into text: inout String, without hidden: Set<String> = []) {
        guard hidden.isDisjoint(with: labels) else { return summed(without: hidden).write(into: &text) }
        let state = state.withLock { $0 }
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.word)\n"
        if case .histogram(let bounds) = kind {
            for (values, histogram) in Self.sorted(state.histograms) { write(histogram, bounds, values, into: &text) }
            return
        }
        // A metric without labels is there from the start.
        let values = labels.isEmpty && state.values.isEmpty ? [[]: 0] : state.values
        for (values, value) in Self.sorted(values) { text += "\(name)\(pairs(values)) \(Self.number(value))\n" }
    }

    private func write(_ histogram: Histogram, _ bounds: [Double], _ values: [String], into text: inout String) {
        var count = 0
        for (index, bucket) in histogram.counts.enumerated() {
            count += bucket
            let bound = index < bounds.count ? Self.number(bounds[index]) : "+Inf"
            text += "\(name)_bucket\(pairs(values, ("le", bound))) \(count)\n"
        }
        text += "\(name)_sum\(pairs(values)) \(Self.number(histogram.sum))\n\(name)_count\(pairs(values)) \(count)\n"
    }

    private static func sorted<Value>(_ entries: [[String]: Value]) -> [(key: [String], value: Value)] {
        entries.sorted { $0.key.lexicographicallyPrecedes($1.key) }
    }

    private func summed(without hidden: Set<String>) -> Metric {
        let kept = labels.indices.filter { !hidden.contains(labels[$0]) }
        let sum = Metric(kind, name, help, labels: kept.map { labels[$0] }, limit: limit)
        let state = state.withLock { $0 }
        sum.state.withLock { new in
            for (values, value) in state.values { new.values[kept.map { values[$0] }, default: 0] += value }
            for (values, histogram) in state.histograms {
                let values = kept.map { values[$0] }
                new.histograms[values] = new.histograms[values].map { $0.adding(histogram) } ?? histogram
            }
        }
        return sum
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
