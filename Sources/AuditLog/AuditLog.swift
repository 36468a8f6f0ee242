import Model
package import Platform
import Synchronization

/// Takes entries at once and writes them in batches, each after the last one of all controllers.
package final class AuditLog: Sendable {
    private struct State {
        var pending: [AuditEntry] = []
        var lost = 0
        var waiters: [CheckedContinuation<Void, Never>] = []
        var written = 0
        var trouble: String?
    }

    /// What is about to be written, or has been sent and not been answered.
    struct Batch: Sendable {
        /// Taken from those that wait.
        var taken: Int
        var lost: Int
        var entries: [AuditEntry]
    }

    /// What whoever holds the mutex knows.
    struct Writing: Sendable {
        /// Where the next entry goes; nil where the store must be asked.
        var place: Place?
        /// Lines that may have arrived although nobody said so: they are sent again as they are.
        var uncertain: (batch: Batch, lines: [AuditLine], expected: String?)?
    }

    /// What a whole reading has found.
    struct Findings: Sendable {
        var open: [String] = []
        var missing = 0
    }

    /// Entries that are kept while the store is away.
    private static let capacity = 20_000
    private static let batch = 500

    package let store: any AuditStore
    let log: Log
    /// Remembers the log's head, so that it is never taken backwards.
    let marks: HighMarks
    /// Makes and checks the entries' codes; nil where there are none (yet).
    let authenticator: @Sendable () -> Authenticator?
    let alertReporter: AlertReporter
    private let state = Mutex(State())
    let writing = Mutex(Writing())
    let findings = Mutex(Findings())
    /// Sent for each entry.
    private let added = WakeSignal()
    private let retention = Mutex<Double>(365)
    /// Writing takes entries off the front only when they are written: two at a time would write the same ones.
    let mutex = AsyncMutex()

    package init(
        store: any AuditStore, log: Log, marks: HighMarks = HighMarks(path: nil), alertReporter: AlertReporter = AlertReporter(),
        authenticator: @escaping @Sendable () -> Authenticator? = { nil }
    ) {
        self.store = store
        self.log = log
        self.marks = marks
        self.alertReporter = alertReporter
        self.authenticator = authenticator
    }

    /// Days that entries are kept; 0 keeps them for ever.
    package var retentionDays: Double {
        get { retention.withLock { $0 } }
        set { retention.withLock { $0 = newValue } }
    }

    package var figures: (pending: Int, written: Int, lost: Int, trouble: String?, problems: [String]) {
        let open = findings.withLock { $0.open }
        return state.withLock { ($0.pending.count, $0.written, $0.lost, $0.trouble, open) }
    }

    /// Takes an entry; it is written soon.
    package func record(_ entry: AuditEntry) {
        state.withLock { state in
            if state.pending.count >= Self.capacity { state.lost += 1 } else { state.pending.append(entry) }
        }
        added.signal()
    }

    /// Takes an entry and returns when it is written, or when the store was tried and is away; the entry is kept then.
    package func recordNow(_ entry: AuditEntry) async {
        await withCheckedContinuation { continuation in
            state.withLock { state in
                if state.pending.count >= Self.capacity { state.lost += 1 } else { state.pending.append(entry) }
                state.waiters.append(continuation)
            }
            added.signal()
        }
    }

    /// Writes until it is cancelled; then what is left, once.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.write() }
            group.addTask { await self.watch() }
            group.addTask {
                while !Task.isCancelled {
                    try? await Task.sleep(for: .seconds(600))
                    if !Task.isCancelled { await self.retire() }
                }
            }
            await group.waitForAll()
        }
        _ = await flush()
        release()
    }

    private func write() async {
        while !Task.isCancelled {
            await added.wait()
            while !Task.isCancelled, await flush() == false { try? await Task.sleep(for: .milliseconds(500)) }
        }
    }

    /// True when nothing is left to write.
    package func flush() async -> Bool { await mutex.withLock { await writeAll() } }

    private func writeAll() async -> Bool {
        while true {
            let (batch, waiters) = nextBatch()
            guard !batch.entries.isEmpty else {
                for waiter in waiters { waiter.resume() }
                return true
            }
            do { try await append(batch) } catch {
                noteFailure(error)
                for waiter in waiters { waiter.resume() }
                release()
                return false
            }
            noteWritten(batch)
            for waiter in waiters { waiter.resume() }
        }
    }

    private func noteFailure(_ error: any Error) {
        writing.withLock { $0.place = nil }
        let isNew = state.withLock { state in
            defer { state.trouble = "\(error)" }
            return state.trouble == nil
        }
        if isNew { log.warning("the audit log can't be written; entries wait", ["error": "\(error)"]) }
    }

    private func noteWritten(_ batch: Batch) {
        state.withLock { state in
            state.pending.removeFirst(batch.taken)
            state.lost -= batch.lost
            state.written += batch.entries.count
            state.trouble = nil
        }
    }

    /// The batch that was not answered, else the next one; and who waits for all that there is.
    private func nextBatch() -> (Batch, [CheckedContinuation<Void, Never>]) {
        let uncertain = writing.withLock { $0.uncertain?.batch }
        return state.withLock { state in
            let entries = Array(state.pending.prefix(Self.batch))
            let gap =
                state.lost > 0 ? [AuditEntry(.gap, "audit", details: "\(state.lost) entries were lost while the store was away")] : []
            let batch = uncertain ?? Batch(taken: entries.count, lost: state.lost, entries: entries + gap)
            let isAll = batch.taken == state.pending.count
            defer { if isAll { state.waiters = [] } }
            return (batch, isAll ? state.waiters : [])
        }
    }

    private func release() {
        let waiters = state.withLock { state in
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}
