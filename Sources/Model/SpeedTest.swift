/// What a download through an exit has brought, or has brought so far.
package struct SpeedTest: Hashable, Sendable {
    /// The limits of one test; each byte may cost the operator money.
    package static let megabytes = 1...100
    package static let seconds = 1.0...30.0

    package var exit: ExitID
    package var isRunning: Bool
    /// Bytes of the body that have arrived.
    package var bytes: Int
    /// From the first byte to the last, or to now.
    package var seconds: Double
    /// Megabits a second from the first byte on; nil while there is none.
    package var megabitsPerSecond: Double?
    /// From the request to the first byte; nil while there is none.
    package var firstByteMilliseconds: Double?
    package var startedAt: Timestamp

    package init(exit: ExitID, startedAt: Timestamp) {
        self.exit = exit
        self.startedAt = startedAt
        isRunning = true
        bytes = 0
        seconds = 0
    }

}
