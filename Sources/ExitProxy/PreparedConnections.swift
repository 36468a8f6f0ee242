internal import CLinux

/// Connections to targets that stand before the requests that are meant for them come, possibly at another loop. Thread-safe.
final class PreparedConnections: Sendable {
    private struct Entry {
        let descriptor: Int32
        let target: Target
        /// Milliseconds of the loops' clock.
        let until: Int
    }

    private let entries = Locked<[UInt64: Entry]>([:])
    /// Milliseconds that a connection waits for its request.
    private static let patience = 10_000

    /// Keeps a connection, which is no loop's any more.
    /// - Returns: the ticket that a request for the same target takes it by, once.
    func keep(_ descriptor: Int32, to target: Target, now: Int) -> UInt64 {
        let ticket = UInt64.random(in: 1 ... .max)
        entries.withLock { $0[ticket] = Entry(descriptor: descriptor, target: target, until: now + Self.patience) }
        return ticket
    }

    func take(_ ticket: UInt64, to target: Target) -> Int32? {
        entries.withLock { entries in
            guard let entry = entries[ticket], entry.target == target else { return nil }
            entries[ticket] = nil
            return entry.descriptor
        }
    }

    /// Ends those whose request has not come.
    func closeOld(now: Int) {
        entries.withLock { entries in
            for (ticket, entry) in entries where entry.until <= now {
                entries[ticket] = nil
                close(entry.descriptor)
            }
        }
    }
}
