import Model
import Planning
import Platform

/// Whether exits are compared with this machine's own address and with their country, which only address services can tell.
extension Controller {
    /// Deep probes in a row without a comparison for which somebody is called.
    private static let probesUntilUncompared = 4.0

    /// Since when a new watch's exit counts as not compared: one that was proved just now has been; of one that was taken over nobody
    /// knows, and where an alert of an earlier controller's stands, it has been so all the time.
    func beginComparing(_ watch: Watch, _ exit: Exit) {
        let now = watch.uncomparedSince
        if let provedAt = exit.provedAt, now - provedAt > 5 {
            watch.uncomparedSince = min(now, alerts.since(.comparison(.address)) ?? now)
            watch.unplacedSince = min(now, alerts.since(.comparison(.country)) ?? now)
        }
        tellComparison(of: exit.id, exit.health)
    }

    func takeComparison(_ found: Examination, of id: ExitID) {
        guard let watch = watches[id] else { return }
        if let other = found.otherAddress, other != exits[id]?.health.otherAddress {
            ports.log.warning("two address services see exit \(id) with two addresses", ["second": other])
        }
        let now = ports.now()
        watch.record.sightings.compare(
            address: found.isCompared, country: found.isPlaced, problem: found.problem, otherAddress: found.otherAddress, now)
        if found.isCompared { watch.uncomparedSince = now }
        if found.isPlaced { watch.unplacedSince = now }
        tellComparison(of: id, watch.record.health(now))
    }

    /// 0, which is 1970, stands for never.
    private func tellComparison(of id: ExitID, _ health: Health) {
        func seconds(_ time: Timestamp?) -> Double { time.map { Double($0.milliseconds) / 1000 } ?? 0 }
        Metrics.comparedAt.set(seconds(health.comparedAt), "\(id)", id.country.rawValue)
        Metrics.placedAt.set(seconds(health.placedAt), "\(id)", id.country.rawValue)
    }

    /// Exits whose address, or country, has not been compared for so long that somebody must know. A country that no service has
    /// ever said is not waited for.
    func uncompared(_ now: Timestamp) -> [Alerts.Uncompared] {
        let limit = Self.probesUntilUncompared * settings.deepSeconds
        return watches.flatMap { id, watch -> [Alerts.Uncompared] in
            guard let exit = exits[id], exit.state.isProbed else { return [] }
            let hasCountry = exit.health.placedAt != nil || exit.publicCountry != nil
            let all: [(AlertSubject.Comparison, Timestamp)] =
                [(.address, watch.uncomparedSince)] + (hasCountry ? [(.country, watch.unplacedSince)] : [])
            return all.filter { now - $0.1 >= limit }.map {
                .init(exit: id, what: $0.0, since: $0.1, problem: exit.health.comparisonProblem)
            }
        }
    }
}
