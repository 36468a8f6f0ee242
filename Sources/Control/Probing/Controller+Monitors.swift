import Model
import Planning
import Platform

/// Each exit with a proved tunnel has a monitor: a fast probe at short intervals, a deep one seldom.
extension Controller {
    /// Begins and ends monitors so that they are those of the exits that there are.
    func followMonitors() {
        // One that follows shows the leader's verdicts; one that only waits for the store goes on looking for the truth.
        let probed = term.isLoaded ? exits.filter(\.value.state.isProbed) : [:]
        for id in probes.end(allBut: probed) {
            forgetReadings(of: id)
            forgetCanaries(of: id)
            term.failovers.judged(id, isDead: false, at: ports.now())
        }
        for exit in probed.values where probes.monitors[exit.id] == nil {
            let (id, generation) = (exit.id, exit.generation)
            let monitor = probes.begin(exit)
            beginComparing(monitor, exit)
            if !settings.canaries.list.isEmpty { monitor.canaries = spawn { await $0.askCanaries(of: id, generation) } }
            monitor.tunnel.reader = spawn { await $0.readTunnels(of: id, generation) }
        }
    }

    /// True where a result of a probe of this generation still counts.
    func isMonitored(_ id: ExitID, _ generation: Int) -> Bool { !Task.isCancelled && probes.monitor(id, generation) != nil }

    /// Begins probes when they are due, and counts those that are late, until it is cancelled.
    func keepProbing() async {
        while !Task.isCancelled {
            noticeClock()
            for (id, due) in probes.due() {
                switch due {
                case .suspicion: suspect(id)
                case .fast: beginProbe(id)
                case .deep: beginDeepProbe(id)
                }
            }
            await probes.earlier.wait(until: probes.next(), by: ports.time)
        }
    }

    // MARK: - History

    /// Writes what the probes of the last while said, for all exits in one go.
    func keepHistory() async {
        while !Task.isCancelled {
            try? await ports.sleep(seconds: settings.probing.historySeconds)
            await saveHistory()
        }
    }

    private func saveHistory() async {
        let now = ports.now()
        var samples: [(exit: ExitID, sample: HealthSample)] = []
        for (id, monitor) in probes.monitors where monitor.period.probes > 0 {
            guard let health = exits[id]?.health else { continue }
            let (period, latencies) = (monitor.period, monitor.period.latencies.sorted())
            let sample = HealthSample(
                at: now, verdict: health.verdict, reason: health.reason, probes: period.probes, failures: period.failures,
                latencyMilliseconds: latencies.isEmpty ? nil : latencies[latencies.count / 2], score: health.score)
            samples.append((id, sample))
            monitor.period = ProbeMonitor.Period()
        }
        guard !samples.isEmpty else { return }
        // A history with a hole is no reason to do anything.
        try? await ports.store.append(samples)
        // Others show what this controller's probes say.
        if !ports.leadership.isAlone { try? await ports.store.save(exits.filter(\.value.state.isProbed).mapValues(\.health)) }
    }
}
