import Model
import Planning
import Platform

/// What fast probes find, and what it adds up to.
extension Controller {
    /// Begins one probe. One that has no answer after the exit's own suspect time counts as failed; if its answer comes later
    /// after all, it counts as the success that it is.
    func beginProbe(_ id: ExitID) {
        guard let monitor = probes.monitors[id] else { return }
        monitor.fast.due = nil
        let resolvers = exits[id]?.server.map(ports.keys.resolvers) ?? []
        guard let proxy = exits[id]?.proxy, !resolvers.isEmpty else { return probes.schedule(id) }
        let (generation, number) = (monitor.generation, monitor.fast.number)
        let resolver = resolvers[number % resolvers.count]
        monitor.fast.number += 1
        monitor.fast.suspectAt = ports.instant + .seconds(monitor.record.suspectSeconds)
        monitor.fast.task = spawn { controller in
            let result: Result<Double, any Error>
            do { result = .success(try await controller.ports.prober.probe(proxy, resolver: resolver)) } catch { result = .failure(error) }
            await controller.probed(id, generation, number, result)
        }
    }

    /// The probe under way is late.
    func suspect(_ id: ExitID) {
        guard let monitor = probes.monitors[id] else { return }
        let generation = monitor.generation
        monitor.fast.suspectAt = nil
        monitor.fast.suspected = monitor.fast.number - 1
        fail(id, monitor, .blackhole)
        spawn { controller in
            await controller.judge(id, generation)
            if controller.isMonitored(id, generation) { controller.probes.schedule(id) }
        }
    }

    private func probed(_ id: ExitID, _ generation: Int, _ number: Int, _ result: Result<Double, any Error>) async {
        guard isMonitored(id, generation), let monitor = probes.monitor(id, generation) else { return }
        let suspected = monitor.fast.suspected
        // After one that was suspected the next has been scheduled, if it isn't over too.
        if suspected < number { monitor.fast.suspectAt = nil }
        switch result {
        case .success(let milliseconds):
            succeed(id, monitor, milliseconds)
            await judge(id, generation)
        case .failure(let error):
            let failure = error as? ExitFailure
            if failure?.isOurs == true {
                if probes.mayReportUnable() {
                    ports.log.warning("exits can't be probed now; their verdicts are kept", ["error": failure?.detail ?? ""])
                }
            } else if suspected < number {
                // One that was suspected has been counted.
                fail(id, monitor, failure?.reason ?? .unknown)
                await judge(id, generation)
            }
        }
        if suspected < number, isMonitored(id, generation) { probes.schedule(id) }
    }

    private func succeed(_ id: ExitID, _ monitor: ProbeMonitor, _ milliseconds: Double) {
        // A server that comes back may be another one, or elsewhere.
        if monitor.record.failures > 0 { probes.hastenDeep(id) }
        monitor.record.succeed(milliseconds: milliseconds, ports.now())
        monitor.period.probes += 1
        monitor.period.latencies.append(milliseconds)
        Metrics.probeSeconds.observe(milliseconds / 1000, id.country.rawValue)
        Metrics.probes.add(1, "fast", "ok")
    }

    private func fail(_ id: ExitID, _ monitor: ProbeMonitor, _ reason: ExitReason) {
        monitor.record.fail(reason, ports.now())
        monitor.period.probes += 1
        monitor.period.failures += 1
        Metrics.probes.add(1, "fast", reason.rawValue)
    }

    // MARK: - The verdict

    /// Takes the verdict that the samples add up to now.
    private func judge(_ id: ExitID, _ generation: Int) async {
        guard let monitor = probes.monitors[id] else { return }
        let record = monitor.record
        // Before the last failure that it takes: does anything come through the tunnel all the same? And again while that keeps it alive.
        let late = record.failures - record.failuresUntilDead
        let isKept = late > 0 && late.isMultiple(of: 4) && exits[id]?.health.verdict == .degraded
        if record.failures == 1 || late == -1 || isKept { readTunnel(id, generation) }
        // Not for long: an engine that hangs must not keep a dead exit plugged in.
        if record.failures == record.failuresUntilDead, let reading = monitor.tunnel.reading {
            _ = await ports.result(of: reading, within: 1)
        }
        guard isMonitored(id, generation) else { return }
        takeVerdict(id, generation)
    }

    func takeVerdict(_ id: ExitID, _ generation: Int) {
        let now = ports.now()
        guard var health = probes.monitors[id]?.record.health(now) else { return }
        showCanaries(of: id, in: &health)
        let before = exits[id]?.health
        // A probe says nothing of the container, which the next list is to show; and its figures can wait for the next pass.
        change(id, generation: generation, isSeen: true) { $0.judged(health, now: now) }
        if before?.verdict != health.verdict {
            Metrics.verdictChanges.add(1, health.verdict.rawValue, health.reason?.rawValue ?? "none")
            term.failovers.judged(id, isDead: health.verdict == .dead, at: now)
            if health.verdict == .healthy, let server = exits[id]?.server { noteKeyAccepted(by: account(of: server)) }
        }
        if before?.verdict != health.verdict || before?.reason != health.reason { wake() }
        if let exit = exits[id], exit.attempts == 0, exit.proof.at.map({ now - $0 > Exit.secondsUntilProven }) ?? false {
            noteProven(exit)
        }
    }
}
