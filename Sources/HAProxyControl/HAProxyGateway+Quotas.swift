package import Model
import Planning
import Platform

/// What users with quotas have used of them, for the gateway to show each user: `alice day:1000:523,month:5000:900`, and for `*` the second
/// in which that was told last.
extension HAProxyGateway {
    var quotasMap: String { "\(folder)/quotas.map" }

    /// Seconds between two tellings.
    private static let quotaPause = 5.0

    /// Tells the newest worker what has changed, at most every few seconds.
    package func tell(_ quotas: [String: [QuotaUse]], now: Timestamp) async throws {
        guard toldQuotas.map({ now < $0.at || now >= $0.at + Self.quotaPause }) ?? true else { return }
        // A gateway without quotas has nothing to be told.
        guard !quotas.isEmpty || !(toldQuotas?.entries.isEmpty ?? false) else { return }
        var entries = quotas.filter { !$0.value.isEmpty }.mapValues { uses in
            uses.map { "\($0.quota.period):\($0.limit):\($0.used)" }.joined(separator: ",")
        }
        if !entries.isEmpty { entries["*"] = "\(now.milliseconds / 1000)" }
        try await adjust(GatewayMap(name: "quotas.map", entries: entries))
        toldQuotas = (entries, now)
    }

    /// The file, for the next worker. What an earlier controller has written stays as long as this one knows nothing.
    func writeQuotas() throws {
        if let toldQuotas {
            try sharing.write(GatewayMap(name: "quotas.map", entries: toldQuotas.entries).text, to: quotasMap)
        } else if !Files.exists(quotasMap) {
            try sharing.write("", to: quotasMap)
        }
    }
}
