import Synchronization

/// A lock that may be held across an `await`. An actor alone is re-entrant: it lets others in at every `await`.
///
/// Callers get it one after another, in the order in which they came.
package final class AsyncMutex: Sendable {
    private struct State {
        var isLocked = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    package init() {}

    /// Runs a body while it holds the lock. The body must end. A cancellation does not shorten the wait.
    package func withLock<Value>(isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Value) async rethrows -> Value {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                if state.isLocked { state.waiting.append(continuation) }
                defer { state.isLocked = true }
                return !state.isLocked
            }
            if isFree { continuation.resume() }
        }
        defer { unlock() }
        return try await body()
    }

    private func unlock() {
        let next = state.withLock { state in
            state.isLocked = !state.waiting.isEmpty
            return state.waiting.isEmpty ? nil : state.waiting.removeFirst()
        }
        next?.resume()
    }
}
