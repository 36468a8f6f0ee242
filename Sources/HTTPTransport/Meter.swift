import Synchronization

/// Counts the body of a successful answer instead of keeping it, and ends the transfer when enough has come. It can be read
/// from any thread while the transfer runs.
package final class Meter: Sendable {
    package struct Reading: Sendable {
        /// Bytes of body, as they come from the wire's encoding; at most one chunk of libcurl's over the limit.
        package var bytes = 0
        package var firstByte: ContinuousClock.Instant?
        package var lastByte: ContinuousClock.Instant?
    }

    private let limit: Int
    private let state = Mutex(Reading())

    /// - Parameter limit: bytes after which the transfer ends well.
    package init(limit: Int) { self.limit = limit }

    package var reading: Reading { state.withLock { $0 } }
    var isFull: Bool { reading.bytes >= limit }

    /// False when it is enough.
    func add(_ count: Int) -> Bool {
        let now = ContinuousClock.now
        return state.withLock { reading in
            reading.bytes += count
            reading.firstByte = reading.firstByte ?? now
            reading.lastByte = now
            return reading.bytes < limit
        }
    }
}
