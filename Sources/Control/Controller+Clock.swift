import Model
import Planning
import Platform

/// Pauses and ages are told by the wall clock, since the store keeps them. When somebody sets that clock, they move with it.
extension Controller {
    /// Less than this, in seconds, is a clock that is put right little by little, and costs nobody anything.
    private static let smallestStep = 2.0

    /// Compares the wall clock with one that nobody can set, before each pass and each round of probes.
    func noticeClock() {
        let (wall, steady) = (ports.now(), ports.instant)
        defer { clock = (wall, steady) }
        guard let clock else { return }
        let step = (wall - clock.wall) - (steady - clock.steady) / .seconds(1)
        guard abs(step) >= Self.smallestStep else { return }
        let words = "\(Figures.decimal(abs(step), digits: 0)) s \(step > 0 ? "forward" : "back")"
        ports.log.warning("the clock was set \(words); pauses and ages are moved with it")
        shift(by: step)
    }

    private func shift(by seconds: Double) {
        for id in exits.keys { exits[id]?.shift(by: seconds) }
        exitWrites.mark(exits.keys)
        for watch in watches.values { watch.shift(by: seconds) }
        breakers.shift(by: seconds)
        alerts.shift(by: seconds)
        handshakeFailures = handshakeFailures.mapValues { $0.map { HandshakeFailure(server: $0.server, at: $0.at + seconds) } }
        handshakes.shift(by: seconds)
        launches = launches.mapValues { $0.map { $0 + seconds } }
        searchedAt = searchedAt.mapValues { $0 + seconds }
        servers = servers.mapValues { ($0.ranked, $0.at + seconds) }
        hostReturnedAt = hostReturnedAt.map { $0 + seconds }
        allFailedAt = allFailedAt.map { $0 + seconds }
        hostCheck = hostCheck.map { ($0.isOnline, $0.at + seconds) }
        toldUnaskedAt = toldUnaskedAt.map { $0 + seconds }
        failovers.shift(by: seconds)
    }
}
