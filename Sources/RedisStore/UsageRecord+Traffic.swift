import FoundationEssentials
package import Model
import Synchronization

/// What exits and users carry now: the controller that leads writes it, each one reads it.
extension UsageRecord {
    /// Seconds that a row counts, and after which one that has not changed is written again.
    private static let (validSeconds, renewSeconds) = (15, 5.0)

    package func save(_ traffic: [String: CurrentTraffic]) async throws {
        let now = ContinuousClock.now
        let isKnown = saved.withLock { saved in
            guard let saved, saved.traffic == traffic else { return false }
            return now - saved.at < .seconds(Self.renewSeconds)
        }
        guard !isKnown else { return }
        let text = String(decoding: try JSONEncoder().encode(traffic), as: UTF8.self)
        try await writes.send([[["SET", "\(prefix):now", text, "EX", String(Self.validSeconds)]]], isChange: false)
        saved.withLock { $0 = (traffic, now) }
    }

    /// - Parameters:
    ///   - exits: whose bytes of today are wanted.
    ///   - users: the same.
    package func traffic(of exits: some Collection<ExitID>, _ users: [ProxyUser], now: Timestamp) async throws -> TrafficReport {
        let text = try await connection.command(["GET", "\(prefix):now"]).text
        let current = text.flatMap { try? JSONDecoder().decode([String: CurrentTraffic].self, from: Data($0.utf8)) }
        let subjects =
            exits.map { (CurrentTraffic.key(exit: $0), "exit:\($0)") }
            + users.map { (CurrentTraffic.key(user: $0.name), "user:\($0.account)") }
        let sums = try await sums(subjects.map { "day:\($0.1):\(now.day)" })
        return TrafficReport(
            now: current, bytesToday: Dictionary(zip(subjects.map(\.0), sums.map(\.bytes))) { $1 })
    }
}
