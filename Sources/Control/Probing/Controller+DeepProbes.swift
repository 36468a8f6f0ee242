import Model
import Planning
import Platform

/// What deep probes find: also whether exits are compared with this machine's own address and with their country, which only address services can
/// tell.
extension Controller {
    func beginDeepProbe(_ id: ExitID) {
        guard let monitor = probes.monitors[id] else { return }
        monitor.deep.due = nil
        monitor.deep.begunAt = ports.instant
        // While the fast probe fails it says nothing new, and would count as a fault of its own.
        guard monitor.record.failures == 0, let proxy = exits[id]?.proxy else { return probes.scheduleDeep(id) }
        let generation = monitor.generation
        let isUrgent = monitor.deep.isUrgent
        monitor.deep.isUrgent = false
        monitor.deep.task = spawn { controller in
            let examination = await controller.ports.prober.examine(proxy, isUrgent: isUrgent)
            controller.examined(id, generation, examination)
        }
    }

    private func examined(_ id: ExitID, _ generation: Int, _ found: Examination) {
        guard isMonitored(id, generation), let monitor = probes.monitor(id, generation) else { return }
        let failures = monitor.record.failures
        let reason = found.reason == .wrongCountry && !settings.countryMustMatch ? nil : found.reason
        Metrics.probes.add(1, "deep", reason?.rawValue ?? "ok")
        takeComparison(found, of: id, monitor)
        // A leak is one also while the fast probe fails.
        if failures == 0 || reason == .leak {
            monitor.record.found(reason, found.detail, isPlaced: found.isPlaced)
            takeVerdict(id, generation)
            // Where all is well, the tunnel is.
            if reason == nil, isMonitored(id, generation) { probes.postpone(id) }
        }
        if isMonitored(id, generation) { probes.scheduleDeep(id, isUrgent: failures == 0 && reason != nil) }
    }

    // MARK: - Comparisons

    /// Since when a new monitor's exit counts as not compared: one that was proved just now has been; of one that was taken over nobody knows, and
    /// where an alert of an earlier controller's stands, it has been so all the time.
    func beginComparing(_ monitor: ProbeMonitor, _ exit: Exit) {
        let now = monitor.deep.addressComparedAt
        if let provedAt = exit.proof.at, now - provedAt > 5 {
            monitor.deep.addressComparedAt = min(now, term.alerts.since(.comparison(.address)) ?? now)
            monitor.deep.countryComparedAt = min(now, term.alerts.since(.comparison(.country)) ?? now)
        }
        setComparisonMetrics(of: exit.id, exit.health)
    }

    private func takeComparison(_ found: Examination, of id: ExitID, _ monitor: ProbeMonitor) {
        if let other = found.otherAddress, other != exits[id]?.health.otherAddress {
            ports.log.warning("two address services see two addresses of exit \(id)", ["second": other])
        }
        let now = ports.now()
        monitor.record.sightings.compare(
            address: found.isCompared, country: found.isPlaced, problem: found.problem, otherAddress: found.otherAddress,
            awaitsTurn: found.awaitsTurn, now)
        if found.isCompared { monitor.deep.addressComparedAt = now }
        if found.isPlaced { monitor.deep.countryComparedAt = now }
        setComparisonMetrics(of: id, monitor.record.health(now))
    }

    /// 0, which is 1970, stands for never.
    private func setComparisonMetrics(of id: ExitID, _ health: Health) {
        func seconds(_ time: Timestamp?) -> Double { time.map { Double($0.milliseconds) / 1000 } ?? 0 }
        Metrics.comparedAt.set(seconds(health.comparedAt), id.metricLabels)
        Metrics.placedAt.set(seconds(health.placedAt), id.metricLabels)
    }

    /// Exits whose address, or country, has not been compared for so long that somebody must know. A country that no service has ever said is not
    /// waited for.
    func uncompared(_ now: Timestamp) -> [Alerts.Uncompared] {
        let (probing, count) = (settings.probing, probes.monitors.count)
        let addressSeconds = probing.uncomparedSeconds(probing.addressesPerDay, exits: count)
        let countrySeconds = probing.uncomparedSeconds(probing.countriesPerDay, exits: count)
        return probes.monitors.flatMap { id, monitor -> [Alerts.Uncompared] in
            guard let exit = exits[id], exit.state.isProbed else { return [] }
            let hasCountry = exit.health.placedAt != nil || exit.proof.country != nil
            var all: [(AlertSubject.Comparison, Timestamp)] = []
            if now - monitor.deep.addressComparedAt >= addressSeconds { all.append((.address, monitor.deep.addressComparedAt)) }
            if hasCountry, now - monitor.deep.countryComparedAt >= countrySeconds {
                all.append((.country, monitor.deep.countryComparedAt))
            }
            return all.map { .init(exit: id, what: $0.0, since: $0.1, problem: exit.health.comparisonProblem) }
        }
    }
}
