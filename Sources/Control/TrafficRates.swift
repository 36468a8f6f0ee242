import Model

/// How fast exits and users carry bytes, from what is new in each reading. A value.
struct TrafficRates {
    /// HAProxy counts a long connection about every five seconds: a shorter time would show nothing, then too much.
    private static let window = Duration.seconds(10)

    private struct Reading {
        let since: ContinuousClock.Instant
        let bytes: [String: Int]
    }

    private var readings: [Reading] = []
    private var last: ContinuousClock.Instant?

    /// Takes the bytes that are new since the last reading, by `exit:ID` and `user:NAME`.
    mutating func take(_ bytes: [String: Int], now: ContinuousClock.Instant) {
        defer { last = now }
        // What came before the first reading came at an unknown time.
        guard let last else { return }
        readings.append(Reading(since: last, bytes: bytes))
        readings.removeAll { now - $0.since > Self.window }
    }

    /// What is carried now; whoever carries nothing is not in it.
    func traffic(openByUser: [String: Int], openByExit: [ExitID: Int], now: ContinuousClock.Instant) -> [String: CurrentTraffic] {
        var traffic: [String: CurrentTraffic] = [:]
        for (name, count) in openByUser { traffic[CurrentTraffic.key(user: name)] = CurrentTraffic(connections: count) }
        for (id, count) in openByExit { traffic[CurrentTraffic.key(exit: id)] = CurrentTraffic(connections: count) }
        guard let first = readings.first?.since, now > first else { return traffic }
        let seconds = (now - first) / .seconds(1)
        let bytes = readings.reduce(into: [:]) { $0.merge($1.bytes, uniquingKeysWith: +) }
        for (key, count) in bytes { traffic[key, default: CurrentTraffic()].bytesPerSecond = Int(Double(count) / seconds) }
        return traffic
    }
}
