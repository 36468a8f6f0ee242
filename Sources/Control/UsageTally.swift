import Model
import Platform

/// Counts into the metrics what the gateway has carried since the last reading. The first reading of a term counts nothing:
/// it says where to begin.
struct UsageTally {
    private var last: [String: Usage]?
    private var lastRefusals: [String: Int] = [:]
    private var lastAttempts: [String: Int] = [:]
    private var names: Set<String> = []

    /// - Returns: the bytes that are new, by `exit:ID` and `user:NAME`.
    @discardableResult
    mutating func take(_ reading: UsageReading, isWhole: Bool, users: [ProxyUser]) -> [String: Int] {
        forgetOthers(than: Set(users.map(\.name)))
        var bytes: [String: Int] = [:]
        if let last {
            for (counter, entry) in reading.counters {
                let fresh = entry.usage.since(last[counter] ?? Usage())
                guard !fresh.isEmpty, let subject = entry.subject else { continue }
                Self.count(fresh, subject)
                bytes[Self.key(of: subject), default: 0] += fresh.bytes
            }
            for (counter, entry) in reading.refusals {
                let before = lastRefusals[counter] ?? 0
                let fresh = entry.count < before ? entry.count : entry.count - before
                guard fresh > 0 else { continue }
                let isOfPassword = entry.reason.hasPrefix("authentication_") || entry.reason == "too_many_tries"
                let metric = isOfPassword ? Metrics.authFailures : Metrics.refusedConnections
                metric.add(Double(fresh), entry.reason)
            }
            for (counter, entry) in reading.attempts {
                let before = lastAttempts[counter] ?? 0
                let metric = entry.kind == .retries ? Metrics.gatewayRetries : Metrics.gatewayHeld
                metric.add(Double(entry.count < before ? entry.count : entry.count - before))
            }
        }
        let seen = reading.counters.mapValues(\.usage)
        // Who did not answer is counted from where it was.
        last = isWhole ? seen : (last ?? [:]).merging(seen) { $1 }
        let refusals = reading.refusals.mapValues(\.count)
        lastRefusals = isWhole ? refusals : lastRefusals.merging(refusals) { $1 }
        let attempts = reading.attempts.mapValues(\.count)
        lastAttempts = isWhole ? attempts : lastAttempts.merging(attempts) { $1 }
        return bytes
    }

    private static func key(of subject: UsageSubject) -> String {
        switch subject {
        case .user(let account, _): CurrentTraffic.key(user: account.userName)
        case .exit(let id): CurrentTraffic.key(exit: id)
        }
    }

    private static func count(_ usage: Usage, _ subject: UsageSubject) {
        switch subject {
        case .user(let account, let country):
            let (name, country) = (account.userName, country.rawValue)
            if usage.bytesIn > 0 { Metrics.userBytes.add(Double(usage.bytesIn), name, country, "in") }
            if usage.bytesOut > 0 { Metrics.userBytes.add(Double(usage.bytesOut), name, country, "out") }
            if usage.connections > 0 { Metrics.userConnections.add(Double(usage.connections), name, country) }
            if usage.errors > 0 { Metrics.userErrors.add(Double(usage.errors), name, country) }
        case .exit(let id):
            if usage.bytesIn > 0 { Metrics.exitBytes.add(Double(usage.bytesIn), "\(id)", id.country.rawValue, "in") }
            if usage.bytesOut > 0 { Metrics.exitBytes.add(Double(usage.bytesOut), "\(id)", id.country.rawValue, "out") }
        }
    }

    /// Users who are gone make room for others.
    private mutating func forgetOthers(than known: Set<String>) {
        guard known != names else { return }
        names = known
        for metric in [Metrics.userBytes, Metrics.userConnections, Metrics.userErrors] {
            metric.keep { labels in labels.first.map { $0 == Metric.other || known.contains($0) } ?? true }
        }
    }
}
