import Model
import Planning
import Platform

/// The age of tunnels' last handshakes, for the metrics: nothing is decided by it.
extension Controller {
    func readHandshakes(of id: ExitID, _ generation: Int) async {
        // Soon for the first time, and not all at once.
        var pause = Double.random(in: 0.02...0.2) * settings.handshakeSeconds
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(pause))
            guard let watch = watches[id], watch.generation == generation, !Task.isCancelled else { return }
            // While probes fail others read it.
            if watch.record.failures == 0, let container = exits[id]?.container {
                let reading = try? await parts.engine.tunnel(of: container)
                guard watches[id]?.generation == generation, !Task.isCancelled else { return }
                if let reading { note(reading, of: id) }
            }
            pause = max(settings.handshakeSeconds, Double(watches.count) / settings.handshakesPerSecond) * Double.random(in: 0.9...1.1)
        }
    }

    private func note(_ reading: TunnelReading, of id: ExitID) {
        guard let handshake = reading.handshakeAt else { return forgetHandshake(of: id) }
        Metrics.handshakeAge.set(max(0, reading.at - handshake), "\(id)", id.country.rawValue)
    }

    func forgetHandshake(of id: ExitID) { Metrics.handshakeAge.keep { $0.first != "\(id)" } }
}
