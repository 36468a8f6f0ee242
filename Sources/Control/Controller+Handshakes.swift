import Model
import Planning
import Platform

/// The age of tunnels' last handshakes, for the metrics and the exit's health. It decides nothing by itself: one that is too old has the
/// tunnel probed at once, which tells more.
extension Controller {
    func readHandshakes(of id: ExitID, _ generation: Int) async {
        // Soon for the first time, and not all at once.
        var pause = Double.random(in: 0.02...0.2) * settings.handshakeSeconds
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(pause))
            guard let watch = watches[id], watch.generation == generation, !Task.isCancelled else { return }
            // While probes fail others read it, and an engine that doesn't answer is not asked for this.
            if watch.record.failures == 0, problems[.engine] == nil, let container = exits[id]?.container {
                let reading = try? await parts.engine.tunnel(of: container)
                guard watches[id]?.generation == generation, !Task.isCancelled else { return }
                if let reading { note(reading, of: id) }
            }
            pause = max(settings.handshakeSeconds, Double(watches.count) / settings.handshakesPerSecond) * Double.random(in: 0.9...1.1)
        }
    }

    private func note(_ reading: TunnelReading, of id: ExitID) {
        watches[id]?.record.show(reading)
        guard let age = reading.handshakeAge else { return forgetHandshake(of: id) }
        Metrics.handshakeAge.set(age, "\(id)", id.country.rawValue)
        if age > TunnelReading.oldestHandshake { nudgeWatch(id) }
    }

    func forgetHandshake(of id: ExitID) { Metrics.handshakeAge.keep { $0.first != "\(id)" } }
}
