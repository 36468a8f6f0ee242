extension AsyncThrowingStream where Failure == any Error, Element: Sendable {
    /// A stream that a task fills. It ends when `fill` returns or throws; the task is cancelled when nobody reads any more.
    static func filled(
        _ policy: Continuation.BufferingPolicy = .unbounded, by fill: @escaping @Sendable (Continuation) async throws -> Void
    ) -> AsyncThrowingStream {
        AsyncThrowingStream(bufferingPolicy: policy) { continuation in
            let task = Task {
                do {
                    try await fill(continuation)
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }
}
