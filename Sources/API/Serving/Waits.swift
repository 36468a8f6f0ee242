import Synchronization

/// What requests wait for at length: it is called off when the process is about to end.
final class Waits: Sendable {
    private struct State {
        var isOver = false
        var next = 0
        var running: [Int: @Sendable () -> Void] = [:]
    }

    private let state = Mutex(State())

    /// Waits for a body, which returns early when it is cancelled.
    func during<Value: Sendable>(_ body: @escaping @Sendable () async -> Value) async -> Value {
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

    func end() {
        let running = state.withLock { state in
            state.isOver = true
            return Array(state.running.values)
        }
        for cancel in running { cancel() }
    }
}
