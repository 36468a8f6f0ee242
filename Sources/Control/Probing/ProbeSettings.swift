/// How often exits are probed.
package struct ProbeSettings: Sendable {
    /// Seconds between two fast probes of an exit, and fast probes of all exits in a second at most: with many exits the pauses are longer.
    package var probeSeconds: Double
    package var probesPerSecond: Double
    /// Seconds between two deep probes of an exit, and between two samples of its history.
    package var deepSeconds: Double
    package var historySeconds: Double
    /// Seconds between two readings of a tunnel's last handshake, for the metrics, and tunnels read in a second at most: each is a program that
    /// starts in an exit.
    package var handshakeSeconds = 60.0
    package var handshakesPerSecond = 0.5
    /// Comparisons of all exits that the address services' budgets allow in a day, of the address and of the country; nil for as many as are
    /// wanted.
    package var addressesPerDay: Double?
    package var countriesPerDay: Double?

    /// Seconds without a comparison after which somebody is called: four times as many as lie between two of them where that is less than an
    /// hour, for the services' budgets are shared by all exits.
    package func uncomparedSeconds(_ perDay: Double?, exits: Int) -> Double {
        let planned = perDay.map { 86_400 * Double(exits) / $0 } ?? 0
        return max(4 * deepSeconds, min(3_600, 4 * planned))
    }
}
