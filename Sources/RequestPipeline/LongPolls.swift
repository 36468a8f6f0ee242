import Synchronization

/// Requests that wait long for an answer, so that the end of the process can answer them early. Thread-safe.
package final class LongPolls: Sendable {
    private struct State {
        var isOver = false
        var next = 0
        var running: [Int: @Sendable () -> Void] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    /// Runs a body, which must return early when it is cancelled.
    package func run<Value: Sendable>(_ body: @escaping @Sendable () async -> Value) async -> Value {
        let task = Task(operation: body)
        let number = state.withLock { state in
            state.next += 1
            if !state.isOver { state.running[state.next] = { task.cancel() } }
            return state.isOver ? nil : state.next
        }
        guard let number else {
            task.cancel()
            return await task.value
        }
        defer { state.withLock { _ = $0.running.removeValue(forKey: number) } }
        return await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
    }

    /// Cancels all that run, and all later ones at once.
    package func cancelAll() {
        let running = state.withLock { state in
            state.isOver = true
            return Array(state.running.values)
        }
        for cancel in running { cancel() }
    }
}
