import Model
import Platform
import Synchronization

/// Counts requests in sliding windows, in this process, and now and then together with other controllers.
///
/// A window slides by weight: of the window before, that part counts which a window ending now still covers. No request waits for
/// the shared counters: they get what was let in here every tenth of a second, and answer what was let in everywhere.
package final class RateLimiter: Sendable {
    package struct Verdict: Sendable, Equatable {
        package var isAllowed: Bool
        package var limit: Int
        package var remaining: Int
        /// Seconds until there is room again, or until the window has moved on.
        package var reset: Int
    }

    private typealias Entry = LimitTable.Entry

    private struct State {
        var table: LimitTable
        /// Identities with counts to share, oldest first; some may have lost their place since.
        var queue: [String] = []
        /// What identities without a place have used together, by their limit.
        var overflow: [Int: Entry] = [:]

        mutating func enqueue(_ identity: String) {
            queue.append(identity)
            // One that loses its place and comes again is here twice.
            if queue.count > 2 * table.capacity { queue = table.dirty }
        }
    }

    /// Identities that are remembered: addresses, keys, and addresses with wrong keys.
    package static let capacity = 100_000
    /// Identities that are shared at a time.
    private static let batch = 5000
    private let state: Mutex<State>
    private let now: @Sendable () -> Double

    /// - Parameter now: seconds of the wall clock, so that controllers agree about windows.
    package init(
        capacity: Int = RateLimiter.capacity, now: @escaping @Sendable () -> Double = { Double(SystemClock.now().milliseconds) / 1000 }
    ) {
        self.now = now
        state = Mutex(State(table: LimitTable(capacity: capacity)))
    }

    /// Lets one request in, or not; a refused one is not counted.
    package func take(_ identity: String, limit: Int, window seconds: Int, counts: Bool = true) -> Verdict {
        let (window, share) = place(in: seconds)
        return state.withLock { state in
            var wasDirty = true
            let known = state.table.change(identity) { entry in
                wasDirty = entry.isDirty
                return Self.take(&entry, limit, window, share, seconds, counts)
            }
            if let known {
                if !wasDirty { state.enqueue(identity) }
                return known
            }
            var entry = Entry(window: window, limit: limit)
            let verdict = Self.take(&entry, limit, window, share, seconds, counts)
            if state.table.add(identity, entry) {
                state.enqueue(identity)
                return verdict
            }
            // All places are held by identities that are at their limits: who comes on top shares one limit with the others.
            return Self.take(&state.overflow[limit, default: Entry(window: window, limit: limit)], limit, window, share, seconds, counts)
        }
    }

    private static func take(
        _ entry: inout Entry, _ limit: Int, _ window: Int, _ share: Double, _ seconds: Int, _ counts: Bool
    ) -> Verdict {
        slide(&entry, to: window)
        entry.limit = limit
        let used = Double(entry.count) + Double(entry.before) * (1 - share)
        let isAllowed = used + 1 <= Double(limit) + 1e-6
        if isAllowed, counts {
            entry.count += 1
            entry.unshared += 1
        }
        entry.isDirty = true
        let left = max(0, limit - Int((isAllowed ? used + 1 : used).rounded(.up)))
        return Verdict(
            isAllowed: isAllowed, limit: limit, remaining: left,
            reset: reset(entry, limit: limit, share: share, seconds: seconds, isAllowed: isAllowed))
    }

    /// The number of the window that it is now, and how much of it is over, 0 to 1.
    private func place(in seconds: Int) -> (window: Int, share: Double) {
        let now = now()
        let window = Int(now) / seconds
        return (window, now / Double(seconds) - Double(window))
    }

    private static func slide(_ entry: inout Entry, to window: Int) {
        guard entry.window != window else { return }
        entry.before = entry.window == window - 1 ? entry.count : 0
        entry.count = 0
        entry.unshared = 0
        entry.window = window
    }

    private static func reset(_ entry: Entry, limit: Int, share: Double, seconds: Int, isAllowed: Bool) -> Int {
        let rest = (1 - share) * Double(seconds)
        guard !isAllowed else { return max(1, Int(rest.rounded(.up))) }
        // When the weight of the window before has sunk far enough; else when this window's own has.
        let free = Double(limit - 1 - entry.count)
        if entry.before > 0, free >= 0 {
            let wanted = 1 - free / Double(entry.before)
            return max(1, Int(((wanted - share) * Double(seconds)).rounded(.up)))
        }
        let wanted = entry.count > 0 ? max(0, 1 - Double(limit - 1) / Double(entry.count)) : 0
        return max(1, Int((rest + wanted * Double(seconds)).rounded(.up)))
    }

    /// What an identity has used of its window, in whole requests.
    package func used(_ identity: String, window seconds: Int) -> Int {
        let (window, share) = place(in: seconds)
        return state.withLock { state in
            guard var entry = state.table[identity] else { return 0 }
            Self.slide(&entry, to: window)
            return Int((Double(entry.count) + Double(entry.before) * (1 - share)).rounded(.up))
        }
    }

    package var size: Int { state.withLock { $0.table.count } }
    /// Places of the table that were looked at to make room.
    package var looks: Int { state.withLock { $0.table.looks } }

    // MARK: - Together with others

    /// Shares what was let in here and takes over what was let in everywhere.
    /// - Throws: the memory's error; the counts are shared the next time then.
    package func share(with memory: any SharedMemory, window seconds: Int) async throws {
        let window = Int(now()) / seconds
        let shared = state.withLock { Self.unshared(&$0, window) }
        guard !shared.isEmpty else { return }
        let counts = shared.map { (key: Self.key($0.0, window), amount: $0.1) }
        let before = shared.map { (key: Self.key($0.0, window - 1), amount: 0) }
        let totals: [Int]
        do {
            totals = try await memory.add(counts + before, seconds: seconds * 2)
        } catch {
            state.withLock { state in for (identity, _) in shared { Self.shareLater(identity, &state) } }
            throw error
        }
        guard totals.count == shared.count * 2 else { return }
        takeOver(totals, of: shared, in: window)
    }

    /// - Parameter totals: the counts of this window, then those of the window before, each in the order of the identities.
    private func takeOver(_ totals: [Int], of shared: [(identity: String, amount: Int)], in window: Int) {
        state.withLock { state in
            for (index, (identity, amount)) in shared.enumerated() {
                let isBehind = state.table.change(identity) { entry in
                    guard entry.window == window else { return false }
                    entry.unshared -= amount
                    // A counter that somebody has cleared is smaller than ours: theirs is right.
                    entry.count = totals[index] + entry.unshared
                    entry.before = totals[shared.count + index]
                    return entry.unshared > 0
                }
                if isBehind == true { Self.shareLater(identity, &state) }
            }
        }
    }

    /// Takes the next identities with counts to share off the queue. Identities that were not seen in this window have none.
    private static func unshared(_ state: inout State, _ window: Int) -> [(identity: String, amount: Int)] {
        let taken = state.queue.prefix(batch)
        state.queue.removeFirst(taken.count)
        return taken.compactMap { identity in
            state.table.change(identity) { entry in
                // It may be here twice; it is shared once.
                defer { entry.isDirty = false }
                return entry.isDirty && entry.window == window ? (identity, entry.unshared) : nil
            } ?? nil
        }
    }

    private static func shareLater(_ identity: String, _ state: inout State) {
        let wasDirty = state.table.change(identity) { entry in
            defer { entry.isDirty = true }
            return entry.isDirty
        }
        if wasDirty == false { state.enqueue(identity) }
    }

    /// Forgets these identities here; the shared counters are for the caller to remove, by the keys that are returned.
    package func clear(_ identities: [String], window seconds: Int) -> [String] {
        state.withLock { state in for identity in identities { state.table.remove(identity) } }
        let window = Int(now()) / seconds
        return identities.flatMap { [Self.key($0, window), Self.key($0, window - 1)] }
    }

    private static func key(_ identity: String, _ window: Int) -> String { "limit:\(identity):\(window)" }
}
