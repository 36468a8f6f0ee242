/// A way to measure how far a server is.
package enum LatencyMethod: String, Codable, Sendable, CaseIterable {
    /// ICMP echoes, and TCP connections to those that answer none.
    case auto
    /// ICMP echoes by the program `fping`.
    case fping
    /// TCP connections to the ports 51820, 443, 80 and 22; a refusal is an answer.
    case tcp
    /// A WireGuard handshake, which the server answers only if it takes our key.
    case wireguard
}

/// What the measurements of one server add up to.
package struct LatencyFigures: Hashable, Codable, Sendable {
    /// Milliseconds; nil where no measurement was answered.
    package var median: Double?
    /// Mean difference between one answer and the next, in milliseconds; nil for fewer than two.
    package var jitter: Double?
    /// Percent of the measurements without an answer.
    package var loss: Double
    package var samples: Int
    package var method: LatencyMethod
    package var measuredAt: Timestamp

    package init(median: Double?, jitter: Double?, loss: Double, samples: Int, method: LatencyMethod, measuredAt: Timestamp) {
        self.median = median
        self.jitter = jitter
        self.loss = loss
        self.samples = samples
        self.method = method
        self.measuredAt = measuredAt
    }

    enum CodingKeys: String, CodingKey {
        case median = "median_ms"
        case jitter = "jitter_ms"
        case loss = "loss_percent"
        case samples, method
        case measuredAt = "measured_at"
    }
}

/// The latest measurements of one server.
package struct LatencyHistory: Sendable {
    /// Measurements that are kept.
    package static let limit = 20

    private var samples: [Double?] = []
    private var method = LatencyMethod.auto

    package init() {}

    /// - Parameter milliseconds: nil where there was no answer.
    package mutating func add(_ milliseconds: Double?, by method: LatencyMethod, at time: Timestamp) {
        // Times by another method are of other things.
        if method != self.method { samples = [] }
        samples.append(milliseconds)
        if samples.count > Self.limit { samples.removeFirst() }
        self.method = method
        figures = added(at: time)
    }

    /// Nil before the first measurement. Made with each, for it is asked for far more often.
    package private(set) var figures: LatencyFigures?

    private func added(at time: Timestamp) -> LatencyFigures {
        let answered = samples.compactMap { $0 }
        let sorted = answered.sorted()
        let middle = sorted.count / 2
        let median = sorted.isEmpty ? nil : sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
        let steps = zip(answered, answered.dropFirst()).map { abs($0 - $1) }
        return LatencyFigures(
            median: median, jitter: steps.isEmpty ? nil : steps.reduce(0, +) / Double(steps.count),
            loss: 100 * Double(samples.count - answered.count) / Double(samples.count), samples: samples.count, method: method,
            measuredAt: time)
    }
}

/// A server with its score, and what the score is made of.
package struct RankedServer: Hashable, Sendable {
    package struct Part: Hashable, Sendable {
        /// "load", "latency", "loss", "breaker", "held", "city", "network".
        package var name: String
        package var points: Double
        package var reason: String

        package init(name: String, points: Double, reason: String) {
            self.name = name
            self.points = points
            self.reason = reason
        }
    }

    package var server: Server
    /// Points against it: the lowest is the best.
    package var score: Double
    package var parts: [Part]

    package init(server: Server, parts: [Part]) {
        self.server = server
        score = parts.reduce(0) { $0 + $1.points }
        self.parts = parts
    }
}
