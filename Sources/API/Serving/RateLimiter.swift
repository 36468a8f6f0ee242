import Model
import Platform
import Synchronization

/// Counts requests in sliding windows, in this process, and now and then together with other controllers.
///
/// A window slides by weight: of the window before, that part counts which a window ending now still covers. No request waits for
/// the shared counters: they are told every tenth of a second what was let in here, and answer what was let in everywhere.
final class RateLimiter: Sendable {
    struct Verdict: Sendable, Equatable {
        var isAllowed: Bool
        var limit: Int
        var remaining: Int
        /// Seconds until there is room again, or until the window has moved on.
        var reset: Int
    }

    private struct Entry {
        var window: Int
        var count: Int
        var before: Int
        /// Let in here, and not told yet.
        var untold: Int
        var isDirty: Bool
    }

    private struct State {
        var entries: [String: Entry] = [:]
        /// Identities whose entries are dirty.
        var dirty: Set<String> = []
        var window = 0

        mutating func forget(before window: Int) {
            entries = entries.filter { $0.value.window >= window }
            dirty = dirty.filter { entries[$0] != nil }
        }
    }

    /// Identities that are remembered; more push out those that were not seen in this window.
    private static let capacity = 100_000
    /// Identities that are told at a time.
    private static let told = 5000
    private let state = Mutex(State())
    private let now: @Sendable () -> Double

    /// - Parameter now: seconds of the wall clock, so that controllers agree about windows.
    init(now: @escaping @Sendable () -> Double = { Double(SystemClock.now().milliseconds) / 1000 }) { self.now = now }

    /// Lets one request in, or not; a refused one is not counted.
    func take(_ identity: String, limit: Int, window seconds: Int, counts: Bool = true) -> Verdict {
        let now = now()
        let window = Int(now) / seconds
        let share = now / Double(seconds) - Double(window)
        return state.withLock { state in
            if let index = state.entries.index(forKey: identity) {
                let isNew = !state.entries.values[index].isDirty
                if isNew { state.dirty.insert(identity) }
                return Self.take(&state.entries.values[index], limit, window, share, seconds, counts)
            }
            var entry = Entry(window: window, count: 0, before: 0, untold: 0, isDirty: false)
            let verdict = Self.take(&entry, limit, window, share, seconds, counts)
            if state.entries.count >= Self.capacity { state.forget(before: window) }
            // An identity that finds no place even then is let in by the rules of the others: it starts anew each time.
            if state.entries.count < Self.capacity {
                state.entries[identity] = entry
                state.dirty.insert(identity)
            }
            return verdict
        }
    }

    private static func take(
        _ entry: inout Entry, _ limit: Int, _ window: Int, _ share: Double, _ seconds: Int, _ counts: Bool
    ) -> Verdict {
        slide(&entry, to: window)
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
    func used(_ identity: String, window seconds: Int) -> Int {
        let now = now()
        let window = Int(now) / seconds
        let share = now / Double(seconds) - Double(window)
        return state.withLock { state in
            guard var entry = state.entries[identity] else { return 0 }
            Self.slide(&entry, to: window)
            return Int((Double(entry.count) + Double(entry.before) * (1 - share)).rounded(.up))
        }
    }

    var size: Int { state.withLock { $0.entries.count } }

    // MARK: - Together with others

    /// Tells what was let in here and takes over what was let in everywhere; throws when the shared memory does not answer, and
    /// tells it then the next time.
    func share(with memory: any SharedMemory, window seconds: Int) async throws {
        let window = Int(now()) / seconds
        let told = state.withLock { state in
            if state.window != window {
                state.window = window
                state.forget(before: window - 1)
            }
            // Of those that were not seen since the window before there is nothing more to tell.
            state.dirty = state.dirty.filter { identity in
                let isOld = state.entries[identity]?.window != window
                if isOld { state.entries[identity]?.isDirty = false }
                return !isOld
            }
            return state.dirty.prefix(Self.told).map { ($0, state.entries[$0]?.untold ?? 0) }
        }
        guard !told.isEmpty else { return }
        let counts = told.map { (key: Self.key($0.0, window), amount: $0.1) }
        let before = told.map { (key: Self.key($0.0, window - 1), amount: 0) }
        let totals = try await memory.add(counts + before, seconds: seconds * 2)
        guard totals.count == told.count * 2 else { return }
        state.withLock { state in
            for (index, (identity, amount)) in told.enumerated() {
                guard var entry = state.entries[identity], entry.window == window else { continue }
                entry.untold -= amount
                // A counter that somebody has cleared is smaller than ours: theirs is right.
                entry.count = totals[index] + entry.untold
                entry.before = totals[told.count + index]
                entry.isDirty = entry.untold > 0
                if !entry.isDirty { state.dirty.remove(identity) }
                state.entries[identity] = entry
            }
        }
    }

    /// Forgets these identities here; the shared counters are for the caller to remove, by the keys that are returned.
    func clear(_ identities: [String], window seconds: Int) -> [String] {
        state.withLock { state in
            for identity in identities {
                state.entries[identity] = nil
                state.dirty.remove(identity)
            }
        }
        let window = Int(now()) / seconds
        return identities.flatMap { [Self.key($0, window), Self.key($0, window - 1)] }
    }

    private static func key(_ identity: String, _ window: Int) -> String { "limit:\(identity):\(window)" }
}
