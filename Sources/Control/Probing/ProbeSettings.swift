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
}
