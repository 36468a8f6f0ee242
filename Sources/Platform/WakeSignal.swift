/// Wakes the one task that waits for it. Signals that come before it waits again are one. May be used from any thread.
package struct WakeSignal: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    package init() { (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

    package func signal() { continuation.yield() }

    /// Returns after a signal, or when the task is cancelled.
    package func wait() async {
        for await _ in stream { return }
    }
}
