/// The latest latencies of an exit's probes, in milliseconds, and their medians.
struct LatencyWindow: Sendable {
    /// How many latencies are kept.
    let length: Int
    /// Oldest first.
    private var all: [Double] = []
    /// The median of all that are kept, and of the ten latest; nil before there is one.
    private(set) var usual: Double?
    private(set) var recent: Double?

    init(length: Int) { self.length = length }

    var last: Double? { all.last }

    mutating func append(_ milliseconds: Double) {
        all.append(milliseconds)
        if all.count > length { all.removeFirst() }
        usual = Self.median(all[...])
        recent = Self.median(all.suffix(10))
    }

    /// The median difference of neighbouring latencies; 0 with fewer than two.
    var jitter: Double {
        let steps = zip(all, all.dropFirst()).map { abs($0 - $1) }
        return Self.median(steps[...]) ?? 0
    }

    private static func median(_ values: ArraySlice<Double>) -> Double? {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        return sorted[sorted.count / 2]
    }
}
