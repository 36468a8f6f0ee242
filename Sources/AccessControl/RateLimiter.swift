import Model
import Platform
import Synchronization

/// Counts requests in sliding windows, in this process, and now and then together with other controllers.
///
/// A window slides by weight: of the window before, that part counts which a window ending now still covers. No request waits for
/// the shared counters: they are told every tenth of a second what was let in here, and answer what was let in everywhere.
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
        /// Identities of which there is something to tell, in the order in which it came; some may have lost their place since.
        var queue: [String] = []
        /// What those have used together who found no place, by their limit.
        var crowd: [Int: Entry] = [:]

        mutating func enqueue(_ identity: String) {
            queue.append(identity)
            // One that loses its place and comes again is here twice.
            if queue.count > 2 * table.capacity { queue = table.dirty }
        }
    }

    /// Identities that are remembered: addresses, keys, and addresses with wrong keys.
    package static let capacity = 100_000
    /// Identities that are told at a time.
    private static let told = 5000
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
            return Self.take(&state.crowd[limit, default: Entry(window: window, limit: limit)], limit, window, share, seconds, counts)
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
            entry.untold += 1
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
        entry.untold = 0
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
        let now = now()
        let window = Int(now) / seconds
        let share = now / Double(seconds) - Double(window)
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

    /// Tells what was let in here and takes over what was let in everywhere; throws when the shared memory does not answer, and
    /// tells it then the next time.
    package func share(with memory: any SharedMemory, window seconds: Int) async throws {
        let window = Int(now()) / seconds
        let told = state.withLock { Self.untold(&$0, window) }
        guard !told.isEmpty else { return }
        let counts = told.map { (key: Self.key($0.0, window), amount: $0.1) }
        let before = told.map { (key: Self.key($0.0, window - 1), amount: 0) }
        let totals: [Int]
        do { totals = try await memory.add(counts + before, seconds: seconds * 2) } catch {
            state.withLock { state in for (identity, _) in told { Self.tellLater(identity, &state) } }
            throw error
        }
        guard totals.count == told.count * 2 else { return }
        takeOver(totals, of: told, in: window)
    }

    /// - Parameter totals: what was let in everywhere in this window, for each that was told, and then in the one before.
    private func takeOver(_ totals: [Int], of told: [(String, Int)], in window: Int) {
        state.withLock { state in
            for (index, (identity, amount)) in told.enumerated() {
                let isBehind = state.table.change(identity) { entry in
                    guard entry.window == window else { return false }
                    entry.untold -= amount
                    // A counter that somebody has cleared is smaller than ours: theirs is right.
                    entry.count = totals[index] + entry.untold
                    entry.before = totals[told.count + index]
                    return entry.untold > 0
                }
                if isBehind == true { Self.tellLater(identity, &state) }
            }
        }
    }

    /// Takes those off the queue of which there is something to tell. Of those that were not seen since the window before there is nothing
    /// more.
    private static func untold(_ state: inout State, _ window: Int) -> [(String, Int)] {
        let taken = state.queue.prefix(told)
        state.queue.removeFirst(taken.count)
        return taken.compactMap { identity in
            state.table.change(identity) { entry in
                // It may be here twice; it is told once.
                defer { entry.isDirty = false }
                return entry.isDirty && entry.window == window ? (identity, entry.untold) : nil
            } ?? nil
        }
    }

    private static func tellLater(_ identity: String, _ state: inout State) {
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
