package import Model
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

    /// Entries that are kept while the store is away.
    private static let capacity = 20_000
    private static let batch = 500

    let store: any AuditStore
    private let log: Log
    private let state = Mutex(State())
    private let bell: AsyncStream<Void>
    private let pull: AsyncStream<Void>.Continuation
    private let retention = Mutex<Double>(365)
    /// Writing takes entries off the front only when they are written: two at a time would write the same ones.
    private let turns = Turnstile()

    package init(store: any AuditStore, log: Log) {
        self.store = store
        self.log = log
        (bell, pull) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Days that entries are kept; 0 keeps them for ever.
    package var retentionDays: Double {
        get { retention.withLock { $0 } }
        set { retention.withLock { $0 = newValue } }
    }

    var figures: (pending: Int, written: Int, lost: Int, trouble: String?) {
        state.withLock { ($0.pending.count, $0.written, $0.lost, $0.trouble) }
    }

    /// Takes an entry; it is written soon.
    package func record(_ entry: AuditEntry) {
        state.withLock { state in
            if state.pending.count >= Self.capacity { state.lost += 1 } else { state.pending.append(entry) }
        }
        pull.yield()
    }

    /// Takes an entry and returns when it is written, or when the store was tried and is away; the entry is kept then.
    package func recordNow(_ entry: AuditEntry) async {
        await withCheckedContinuation { continuation in
            state.withLock { state in
                if state.pending.count >= Self.capacity { state.lost += 1 } else { state.pending.append(entry) }
                state.waiters.append(continuation)
            }
            pull.yield()
        }
    }

    /// Writes until it is cancelled; then what is left, once.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.write() }
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
        var head: AuditHead?
        for await _ in bell {
            while await flush(&head) == false, !Task.isCancelled { try? await Task.sleep(for: .milliseconds(500)) }
            if Task.isCancelled { return }
        }
    }

    package func flush() async -> Bool {
        var head: AuditHead?
        return await flush(&head)
    }

    /// True when nothing is left to write.
    private func flush(_ head: inout AuditHead?) async -> Bool { await turns.pass { await writeAll(&head) } }

    private func writeAll(_ head: inout AuditHead?) async -> Bool {
        while true {
            let (entries, lost, waiters) = state.withLock { state in
                let entries = Array(state.pending.prefix(Self.batch))
                let isAll = entries.count == state.pending.count
                defer { if isAll { state.waiters = [] } }
                return (entries, state.lost, isAll ? state.waiters : [])
            }
            guard !entries.isEmpty || lost > 0 else {
                for waiter in waiters { waiter.resume() }
                return true
            }
            let gap = lost > 0 ? [AuditEntry(.gap, "audit", details: "\(lost) entries were lost while the store was away")] : []
            do {
                try await append(entries + gap, &head)
            } catch {
                head = nil
                let isNew = state.withLock { state in
                    defer { state.trouble = "\(error)" }
                    return state.trouble == nil
                }
                if isNew { log.warning("the audit log can't be written; entries wait", ["error": "\(error)"]) }
                for waiter in waiters { waiter.resume() }
                release()
                return false
            }
            state.withLock { state in
                state.pending.removeFirst(entries.count)
                state.lost -= lost
                state.written += entries.count + gap.count
                state.trouble = nil
            }
            for waiter in waiters { waiter.resume() }
        }
    }

    private func append(_ entries: [AuditEntry], _ head: inout AuditHead?) async throws {
        var last: AuditHead
        if let head { last = head } else { last = try await store.head() }
        while true {
            let lines = try AuditChain.lines(entries, after: last)
            guard let other = try await store.append(lines, after: last) else {
                head = lines.last.map { AuditHead(seq: $0.seq, hash: $0.hash) } ?? last
                return
            }
            // Another controller was first: ours come after its.
            last = other
        }
    }

    private func release() {
        let waiters = state.withLock { state in
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Removes what is older than the retention, after it has written down where the rest begins.
    package func retire(now: Timestamp = SystemClock.now()) async {
        let days = retentionDays
        guard days > 0 else { return }
        let limit = now + -days * 86_400
        do {
            var last: AuditLine?
            search: while true {
                let lines = try await store.lines(after: last?.seq ?? 0, limit: 500)
                for line in lines {
                    guard let entry = line.entry, entry.at < limit else { break search }
                    last = line
                }
                if lines.count < 500 { break }
            }
            guard let last else { return }
            // The newest entry always stays, so that the chain has an end to be found at.
            guard try await store.head().seq > last.seq else { return }
            await recordNow(AuditEntry(.retention, "audit", details: AuditHead(seq: last.seq, hash: last.hash).text))
            guard figures.pending == 0 else { return }
            try await store.removeLines(upTo: last.seq)
        } catch {
            log.warning("old audit entries can't be removed", ["error": "\(error)"])
        }
    }

    /// Reads the whole log and checks it.
    package func verify(expecting heads: [AuditHead] = []) async throws -> AuditChain.Verifier {
        _ = await flush()
        var verifier = AuditChain.Verifier(expecting: heads)
        let end = try await store.head()
        var seq = 0
        while true {
            let lines = try await store.lines(after: seq, limit: 1000).filter { $0.seq <= end.seq }
            for line in lines { verifier.read(line) }
            guard let last = lines.last, lines.count == 1000 else { break }
            seq = last.seq
        }
        verifier.finish(stored: end)
        return verifier
    }
}

/// An audit log without a store behind it: tests, and a controller that has none.
package final class MemoryAuditStore: AuditStore {
    private let kept = Mutex<[AuditLine]>([])
    private let last = Mutex(AuditHead.genesis)
    package init() {}

    package func head() async throws -> AuditHead { last.withLock { $0 } }

    package func append(_ lines: [AuditLine], after head: AuditHead) async throws -> AuditHead? {
        let other = last.withLock { last -> AuditHead? in
            guard last == head else { return last }
            if let line = lines.last { last = AuditHead(seq: line.seq, hash: line.hash) }
            kept.withLock { $0 += lines }
            return nil
        }
        return other
    }

    package func lines(after seq: Int, limit: Int) async throws -> [AuditLine] {
        kept.withLock { kept in Array(kept.lazy.filter { $0.seq > seq }.prefix(limit)) }
    }

    package func lines(before seq: Int, limit: Int) async throws -> [AuditLine] {
        kept.withLock { kept in Array(kept.reversed().lazy.filter { $0.seq < seq }.prefix(limit)) }
    }

    package func removeLines(upTo seq: Int) async throws { kept.withLock { $0.removeAll { $0.seq <= seq } } }

    /// For tests: what somebody with access to the store could do.
    package func tamper(_ body: (inout [AuditLine]) -> Void) { kept.withLock { body(&$0) } }
}
