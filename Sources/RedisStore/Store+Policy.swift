import Model
package import Platform

/// Whether the server keeps what it is given.
extension Store {
    package static let evictionRemedy = "CONFIG SET maxmemory-policy noeviction, and the same in redis.conf or the service's settings"

    /// The policy by which the server throws keys away when its memory is full; nil where it throws none away, has no limit of memory,
    /// or does not tell.
    package func evictionPolicy() async throws -> String? {
        // Who may not use CONFIG mostly may ask this.
        let text = try await connection.command(["INFO", "memory"]).text ?? ""
        let fields = text.split(whereSeparator: \.isNewline).reduce(into: [Substring: Substring]()) { fields, line in
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 { fields[parts[0]] = parts[1] }
        }
        guard let policy = fields["maxmemory_policy"], policy != "noeviction", fields["maxmemory"] != "0" else { return nil }
        return String(policy)
    }

    /// Looks every 10 s whether the server may throw keys away, until it is cancelled, and tells.
    package func watchPolicy(_ alertReporter: AlertReporter) async {
        while !Task.isCancelled {
            await checkPolicy(alertReporter)
            try? await Task.sleep(for: .seconds(10))
        }
    }

    func checkPolicy(_ alertReporter: AlertReporter) async {
        do {
            guard let policy = try await evictionPolicy() else { return alertReporter.clear(.storePolicy) }
            alertReporter.raise(
                .storePolicy, "Redis may evict users, pools and exits when its memory is full: its maxmemory-policy is \(policy)",
                remedy: Self.evictionRemedy)
        } catch {
            // That it does not answer is told by who needs it.
        }
    }
}
