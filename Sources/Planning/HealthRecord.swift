package import Model

/// What is remembered of one exit's probes, and what it adds up to. Pure: a verdict depends on samples and times alone.
///
/// How many failures in a row mean death follows from how often probes of this exit fail anyway: so many that bad luck
/// explains them in fewer than one of eight million cases. On a clean tunnel that is three; on one that loses four percent
/// of all probes it is five. An exit through which bytes come is never dead, however many probes fail.
package struct HealthRecord: Sendable {
    package struct Rules: Sendable {
        /// How often, at most, as many failures in a row as mean death may be bad luck.
        package var chance = 1.25e-7
        package var failuresUntilDead = 3...8
        /// Failures in a row, and the share of the latest probes that must succeed, below which an exit is degraded.
        package var failuresUntilDegraded = 2
        package var rateUntilDegraded = 0.8
        /// Probes without which a share says nothing: a first lost one would be much.
        package var probesUntilRate = 20
        /// Successes in a row that end it.
        package var successesUntilHealthy = 5
        /// Deep probes in a row that must fail for the same reason; more where large answers may only be late: on a tunnel that
        /// loses packets, or is slow.
        package var deepFailures = 2
        package var deepFailuresIfLate = 5
        package var lateMilliseconds = 200.0
        /// Slow is so many times its own usual latency, and at least so many milliseconds more, for so many seconds.
        package var slowFactor = 4.0
        package var slowMilliseconds = 250.0
        package var slowSeconds = 60.0
        /// Seconds after which an unanswered probe counts as failed for now: this many times the usual latency, in this range.
        package var suspectFactor = 5.0
        package var suspectSeconds = 0.25...2.0
        /// Seconds between two changes of a weight, but for one that falls by so much.
        package var weightSeconds = 10.0
        package var weightDrop = 40
        /// Milliseconds that are too few to tell a good exit from a better one.
        package var latencyGrain = 50.0
        /// Bytes that must have come through the tunnel since the first failure for it to be alive.
        package var bytesOfLife = 2_048

        package init() {}
    }

    /// What the latest deep probes have found in a row.
    private struct DeepFinding {
        let reason: ExitReason
        let count: Int
    }

    package static let window = 60

    private let rules: Rules
    /// What an answer took before the first probe.
    private let expected: Double?
    /// The latest outcomes, oldest first, at most 100; those of the failures that go on now are not in it yet.
    private var outcomes: [Bool] = []
    private var latencies = LatencyWindow(length: Self.window)
    package private(set) var failures = 0
    package private(set) var successes = 0
    package private(set) var checkedAt: Timestamp?
    private var failureReason: ExitReason?
    private var deepFinding: DeepFinding?
    /// What others have seen of it, and what its firewall has counted.
    package var sightings: SightingRecord
    private var isDegraded = false
    private var slowSince: Timestamp?
    private var degradedSince: Timestamp?
    /// What the tunnel's counters said when the failures began, and said last. Where it goes on failing although bytes came: what they
    /// said before the last time, for bytes of long ago prove no life.
    private var firstReading: TunnelReading?
    private var lastReading: TunnelReading?
    private var handshakeAge: Double?
    private var weight = 100
    private var weighedAt: Timestamp?

    /// - Parameter known: what was known of the exit before; how long an answer took when it was proved is expected of the first probe.
    package init(rules: Rules = Rules(), known: Health = Health()) {
        self.rules = rules
        expected = known.latencyMilliseconds
        sightings = SightingRecord(known)
    }

    // MARK: - What was seen

    package mutating func succeed(milliseconds: Double, _ now: Timestamp) {
        // What failed before it was bad luck, and says how much of that there is here.
        for _ in 0..<failures { remember(false) }
        remember(true)
        latencies.append(milliseconds)
        failures = 0
        failureReason = nil
        firstReading = nil
        lastReading = nil
        successes += 1
        checkedAt = now
        updateSlowness(now)
    }

    package mutating func fail(_ reason: ExitReason, _ now: Timestamp) {
        failures += 1
        successes = 0
        failureReason = reason
        checkedAt = now
    }

    /// The tunnel's counters, read after a failure.
    package mutating func read(_ reading: TunnelReading) {
        if failures >= failuresUntilDead, let lastReading { firstReading = lastReading }
        lastReading = reading
        if firstReading == nil { firstReading = reading }
        show(reading)
    }

    /// The same while nothing fails: its handshake is shown, and the tunnel's counters say nothing. A leak is one at any time.
    package mutating func show(_ reading: TunnelReading) {
        handshakeAge = reading.handshakeAge
        sightings.take(reading.leaks)
    }

    /// What a deep probe found; nil where all was well.
    /// - Parameters:
    ///   - detail: how a leak was seen.
    ///   - isPlaced: a service said the country; without that a wrong one stands.
    package mutating func found(_ reason: ExitReason?, _ detail: String? = nil, isPlaced: Bool = true) {
        if reason == nil, !isPlaced, deepFinding?.reason == .wrongCountry { return }
        if reason == .leak { sightings.leaked(detail ?? "its traffic leaves from this machine's own address") }
        let count = reason == deepFinding?.reason ? deepFinding?.count ?? 0 : 0
        deepFinding = reason.map { DeepFinding(reason: $0, count: count + 1) }
    }

    /// The clock was set by so many seconds.
    package mutating func shift(by seconds: Double) {
        for moment in [\Self.checkedAt, \.slowSince, \.degradedSince, \.weighedAt] {
            self[keyPath: moment] = self[keyPath: moment].map { $0 + seconds }
        }
        sightings.shift(by: seconds)
        firstReading?.shift(by: seconds)
        lastReading?.shift(by: seconds)
    }

    private mutating func remember(_ isSuccess: Bool) {
        outcomes.append(isSuccess)
        if outcomes.count > 100 { outcomes.removeFirst() }
    }

    private mutating func updateSlowness(_ now: Timestamp) {
        guard let usual = latencies.usual, let recent = latencies.recent,
            recent > max(usual * rules.slowFactor, usual + rules.slowMilliseconds)
        else {
            slowSince = nil
            return
        }
        if slowSince == nil { slowSince = now }
    }

    // MARK: - Figures

    /// The share of the latest `window` probes that succeeded; 1 before there is one.
    package var successRate: Double {
        let failing = min(failures, Self.window)
        let earlier = outcomes.suffix(Self.window - failing)
        let count = earlier.count + failing
        return count == 0 ? 1 : Double(earlier.count { $0 }) / Double(count)
    }

    /// 0 to 1: how much of the traffic of a perfect exit this one should get.
    package var score: Double {
        guard let usual = latencies.usual, let recent = latencies.recent else { return 1 }
        let speed = min(1, max(0.2, (usual + rules.latencyGrain) / (recent + rules.latencyGrain)))
        let steadiness = 1 / (1 + latencies.jitter / (recent + rules.latencyGrain))
        return successRate * successRate * speed * (0.5 + steadiness / 2)
    }

    /// Failures in a row that mean death here.
    package var failuresUntilDead: Int {
        // As if a hundred probes with half a failure had gone before: an exit that has just begun is taken for a good one.
        let loss = (Double(outcomes.count { !$0 }) + 0.5) / (Double(outcomes.count) + 100)
        return min(rules.failuresUntilDead.upperBound, max(rules.failuresUntilDead.lowerBound, Self.needed(rules.chance, loss)))
    }

    /// How often something of this likelihood must come in a row to be less likely than `chance`.
    private static func needed(_ chance: Double, _ likelihood: Double) -> Int {
        var (count, product) = (0, 1.0)
        while product > chance, count < 100 {
            product *= likelihood
            count += 1
        }
        return count
    }

    /// Seconds after which a probe that has no answer yet counts as failed, until one comes after all.
    package var suspectSeconds: Double {
        guard let latency = latencies.usual ?? expected else { return 1 }
        let seconds = latency / 1000 * rules.suspectFactor
        return min(rules.suspectSeconds.upperBound, max(rules.suspectSeconds.lowerBound, seconds))
    }

    /// Bytes that came through the tunnel since the failures began; nil where that is not known.
    package var bytesSinceFailure: Int? {
        guard let firstReading, let lastReading, lastReading.at > firstReading.at else { return nil }
        return max(0, lastReading.received - firstReading.received)
    }

    // MARK: - The verdict

    package mutating func health(_ now: Timestamp) -> Health {
        let (verdict, reason) = judge(now)
        if verdict == .degraded || verdict == .dead {
            if degradedSince == nil { degradedSince = now }
        } else {
            degradedSince = nil
        }
        weigh(max(1, Int((score * 100).rounded())), now)
        var health = Health(
            verdict: verdict, reason: reason, latencyMilliseconds: failures == 0 ? latencies.last : latencies.recent,
            successRate: successRate,
            failures: failures, checkedAt: checkedAt, score: score, weight: weight, degradedSince: degradedSince,
            handshakeAge: handshakeAge)
        sightings.show(in: &health, now)
        return health
    }

    /// A weight that follows every probe would make the gateway change all the time.
    private mutating func weigh(_ wanted: Int, _ now: Timestamp) {
        let isRested = weighedAt.map { now - $0 >= rules.weightSeconds } ?? true
        guard isRested || weight - wanted >= rules.weightDrop else { return }
        guard abs(wanted - weight) >= 15 || (wanted > 95 && weight != 100) else { return }
        weight = wanted > 95 ? 100 : wanted
        weighedAt = now
    }

    private mutating func judge(_ now: Timestamp) -> (Verdict, ExitReason?) {
        if sightings.leak != nil { return (.dead, .leak) }
        if failureReason == .wrongProxy { return (.dead, .wrongProxy) }
        if failures >= failuresUntilDead, let reason = deathReason { return (.dead, reason) }
        if let reason = degradation(now) {
            isDegraded = true
            return (.degraded, reason)
        }
        if isDegraded, successes < rules.successesUntilHealthy { return (.degraded, failureReason ?? .unknown) }
        isDegraded = false
        return (checkedAt == nil ? .unknown : .healthy, nil)
    }

    /// Nil where bytes come through all the same.
    private var deathReason: ExitReason? {
        guard let bytes = bytesSinceFailure else { return failureReason ?? .blackhole }
        if bytes >= rules.bytesOfLife { return nil }
        // A tunnel that carries something, while nobody at the resolver answers, has lost its resolver.
        return bytes > 0 && failureReason == .blackhole ? .dnsFailed : failureReason ?? .blackhole
    }

    private func degradation(_ now: Timestamp) -> ExitReason? {
        if failures >= rules.failuresUntilDegraded { return failureReason ?? .blackhole }
        if let deepFinding, deepFinding.count >= deepFailuresNeeded(deepFinding.reason) { return deepFinding.reason }
        if outcomes.count + failures >= rules.probesUntilRate, successRate < rules.rateUntilDegraded { return .lossy }
        if let slowSince, now - slowSince >= rules.slowSeconds { return .slow }
        return nil
    }

    private func deepFailuresNeeded(_ reason: ExitReason) -> Int {
        guard reason == .mtu else { return rules.deepFailures }
        let mayBeLate = outcomes.contains(false) || latencies.usual ?? 0 >= rules.lateMilliseconds
        return mayBeLate ? rules.deepFailuresIfLate : rules.deepFailures
    }
}
