import Model
import Planning
import Platform

/// What exits say of themselves: the age of the tunnel's last handshake, which decides nothing by itself (one that is too old has the tunnel probed
/// at once, which tells more), and what the exit's firewall has counted beside the tunnel, which is a leak.
extension Controller {
    /// Reads while nothing fails, until the exit's monitor ends.
    func readTunnels(of id: ExitID, _ generation: Int) async {
        // Soon for the first time, and not all at once.
        var pause = Double.random(in: 0.02...0.2) * settings.probing.handshakeSeconds
        while !Task.isCancelled {
            try? await ports.sleep(seconds: pause)
            guard isMonitored(id, generation), let monitor = probes.monitor(id, generation) else { return }
            // While probes fail others read it, and an engine that doesn't answer is not asked for this.
            if monitor.record.failures == 0 {
                let reading = await reading(of: id, generation, mayAskEngine: problem(.engine) == nil)
                guard isMonitored(id, generation) else { return }
                if let reading { show(reading, of: id, generation) }
            }
            pause = max(settings.probing.handshakeSeconds, Double(probes.monitors.count) / settings.probing.handshakesPerSecond)
            pause *= Double.random(in: 0.9...1.1)
        }
    }

    /// By the exit's status address; by a program inside of its container where it has none or does not answer.
    private func reading(of id: ExitID, _ generation: Int, mayAskEngine: Bool) async -> TunnelReading? {
        if let status = await status(of: id, generation) { return status.tunnel }
        guard mayAskEngine, probes.monitor(id, generation) != nil, let container = exits[id]?.container else { return nil }
        return try? await ports.engine.tunnel(of: container)
    }

    /// Nil where the exit has no status address, or does not answer there.
    private func status(of id: ExitID, _ generation: Int) async -> ExitReport? {
        guard let monitor = probes.monitor(id, generation), monitor.tunnel.hasStatus, let proxy = exits[id]?.proxy else { return nil }
        do {
            let status = try await ports.prober.status(of: proxy)
            monitor.tunnel.hasStatus = status != nil
            if let status, isMonitored(id, generation) { show(status, of: id) }
            return status
        } catch { return nil }
    }

    private func show(_ status: ExitReport, of id: ExitID) {
        let labels = id.metricLabels
        Metrics.exitConnections.set(Double(status.connections), labels)
        for (kind, attempts) in [("lookup", status.lookUps), ("connect", status.connects)] {
            Metrics.exitAttempts.set(Double(attempts.count - attempts.failures), labels + [kind, "ok"])
            Metrics.exitAttempts.set(Double(attempts.failures), labels + [kind, "failed"])
            Metrics.exitAttemptSeconds.set(Double(attempts.milliseconds) / 1000, labels + [kind])
        }
    }

    private func show(_ reading: TunnelReading, of id: ExitID, _ generation: Int) {
        probes.monitors[id]?.record.show(reading)
        noteLeaks(reading.leaks, of: id, generation)
        guard let age = reading.handshakeAge else { return Metrics.handshakeAge.keep { $0.first != "\(id)" } }
        Metrics.handshakeAge.set(age, id.metricLabels)
        if age > TunnelReading.oldestHandshake { probes.hasten(id) }
    }

    /// Reads once, for a verdict.
    func readTunnel(_ id: ExitID, _ generation: Int) {
        guard let monitor = probes.monitors[id] else { return }
        let previous = monitor.tunnel.reading
        monitor.tunnel.reading = spawn { controller in
            await previous?.value
            guard let reading = await controller.reading(of: id, generation, mayAskEngine: true) else { return }
            controller.take(reading, id, generation)
        }
    }

    private func take(_ reading: TunnelReading, _ id: ExitID, _ generation: Int) {
        guard let monitor = probes.monitor(id, generation) else { return }
        monitor.record.read(reading)
        noteLeaks(reading.leaks, of: id, generation)
    }

    /// A leak is judged at once.
    private func noteLeaks(_ leaks: LeakCount, of id: ExitID, _ generation: Int) {
        switch leaks {
        case .unread: return
        case .counted(let packets, let bytes):
            Metrics.leakedPackets.set(Double(packets), id.metricLabels)
            Metrics.leakedBytes.set(Double(bytes), id.metricLabels)
        case .notCounted, .removed: break
        }
        guard let monitor = probes.monitors[id] else { return }
        if monitor.record.sightings.leak != nil { return takeVerdict(id, generation) }
        guard leaks == .notCounted, !monitor.tunnel.isToldUncounted else { return }
        monitor.tunnel.isToldUncounted = true
        ports.log.info(
            "exit \(id) does not count packets beside its tunnel: its container is of an earlier version; rotate it")
    }

    func forgetReadings(of id: ExitID) {
        for metric in [
            Metrics.handshakeAge, Metrics.leakedPackets, Metrics.leakedBytes, Metrics.comparedAt, Metrics.placedAt,
            Metrics.exitConnections, Metrics.exitAttempts, Metrics.exitAttemptSeconds,
        ] {
            metric.keep { $0.first != "\(id)" }
        }
    }
}
