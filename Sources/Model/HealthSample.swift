/// What the probes of an exit said over a few seconds, as its history keeps it.
package struct HealthSample: Hashable, Codable, Sendable {
    package var at: Timestamp
    package var verdict: Verdict
    package var reason: ExitReason?
    /// Probes that were made, and how many of them failed.
    package var probes: Int
    package var failures: Int
    /// The median of the successful ones.
    package var latencyMilliseconds: Double?
    /// 0 to 1.
    package var score: Double

    package init(
        at: Timestamp, verdict: Verdict, reason: ExitReason? = nil, probes: Int, failures: Int, latencyMilliseconds: Double?, score: Double
    ) {
        self.at = at
        self.verdict = verdict
        self.reason = reason
        self.probes = probes
        self.failures = failures
        self.latencyMilliseconds = latencyMilliseconds
        self.score = score
    }

    enum CodingKeys: String, CodingKey {
        case at, verdict, reason, probes, failures, score
        case latencyMilliseconds = "latency_ms"
    }
}
