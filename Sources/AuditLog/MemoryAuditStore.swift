import Synchronization

/// An audit log without a store behind it: tests, and a controller that has none.
package final class MemoryAuditStore: AuditStore {
    private struct State {
        var lines: [AuditLine] = []
        var end = AuditEnd()
    }

    private let state = Mutex(State())
    package init() {}

    package func end() async throws -> AuditEnd {
        state.withLock { state in
            var end = state.end
            (end.first, end.last, end.count) = (state.lines.first?.seq ?? 0, state.lines.last?.seq ?? 0, state.lines.count)
            return end
        }
    }

    package func append(_ lines: [AuditLine], expecting head: String?) async throws -> AuditAppending {
        state.withLock { state in
            guard let first = lines.first, let last = lines.last else { return .added }
            if state.lines.last(where: { $0.seq == first.seq })?.hash == first.hash { return .present }
            guard state.end.head == head else { return .moved }
            state.lines += lines
            (state.end.head, state.end.highest) = (last.head.text, last.seq)
            return .added
        }
    }

    package func lines(after seq: Int, limit: Int) async throws -> [AuditLine] {
        state.withLock { state in Array(state.lines.lazy.filter { $0.seq > seq }.prefix(limit)) }
    }

    package func lines(before seq: Int, limit: Int) async throws -> [AuditLine] {
        state.withLock { state in Array(state.lines.reversed().lazy.filter { $0.seq < seq }.prefix(limit)) }
    }

    package func removeLines(upTo seq: Int) async throws { state.withLock { $0.lines.removeAll { $0.seq <= seq } } }

    package func setAside() async throws { state.withLock { $0.lines = [] } }

    /// For tests: what somebody with access to the store could do.
    package func tamper(_ body: (inout [AuditLine]) -> Void) { state.withLock { body(&$0.lines) } }
}
