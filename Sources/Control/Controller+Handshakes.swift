import Model
import Planning
import Platform

/// What is read inside of exits while nothing fails: the age of the tunnel's last handshake, which decides nothing by itself (one that is
/// too old has the tunnel probed at once, which tells more), and what the exit's firewall has counted beside the tunnel, which is a leak.
extension Controller {
    func readHandshakes(of id: ExitID, _ generation: Int) async {
        // Soon for the first time, and not all at once.
        var pause = Double.random(in: 0.02...0.2) * settings.handshakeSeconds
        while !Task.isCancelled {
            try? await ports.sleep(seconds: pause)
            guard let watch = watches[id], watch.generation == generation, !Task.isCancelled else { return }
            // While probes fail others read it, and an engine that doesn't answer is not asked for this.
            if watch.record.failures == 0, alerts.troubles[.engine] == nil, let container = exits[id]?.container {
                let reading = try? await ports.engine.tunnel(of: container)
                guard watches[id]?.generation == generation, !Task.isCancelled else { return }
                if let reading { note(reading, of: id, generation) }
            }
            pause = max(settings.handshakeSeconds, Double(watches.count) / settings.handshakesPerSecond) * Double.random(in: 0.9...1.1)
        }
    }

    private func note(_ reading: TunnelReading, of id: ExitID, _ generation: Int) {
        watches[id]?.record.show(reading)
        noteLeaks(reading.leaks, of: id, generation)
        guard let age = reading.handshakeAge else { return Metrics.handshakeAge.keep { $0.first != "\(id)" } }
        Metrics.handshakeAge.set(age, "\(id)", id.country.rawValue)
        if age > TunnelReading.oldestHandshake { nudgeWatch(id) }
    }

    /// A leak is judged at once.
    func noteLeaks(_ leaks: LeakCount, of id: ExitID, _ generation: Int) {
        switch leaks {
        case .unread: return
        case .counted(let packets, let bytes):
            Metrics.leakedPackets.set(Double(packets), "\(id)", id.country.rawValue)
            Metrics.leakedBytes.set(Double(bytes), "\(id)", id.country.rawValue)
        case .notCounted, .removed: break
        }
        if watches[id]?.record.sightings.leak != nil { return takeVerdict(id, generation) }
        guard leaks == .notCounted, let watch = watches[id], !watch.isToldUncounted else { return }
        watch.isToldUncounted = true
        ports.log.info(
            "exit \(id) does not count what leaves beside its tunnel, for its container is of an earlier version; rotate it to have that")
    }

    func forgetReadings(of id: ExitID) {
        for metric in [Metrics.handshakeAge, Metrics.leakedPackets, Metrics.leakedBytes, Metrics.comparedAt, Metrics.placedAt] {
            metric.keep { $0.first != "\(id)" }
        }
    }
}
