/// Wakes the one task that waits for it. Signals that come before it waits again count as one. May be sent from any thread.
package struct WakeSignal: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    package init() { (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

    package func signal() { continuation.yield() }

    /// Returns after a signal, or when the task is cancelled.
    package func wait() async {
        for await _ in stream { return }
    }

    /// Returns after a signal, at the deadline, or when the task is cancelled. Without a deadline only a signal counts.
    package func wait(until deadline: ContinuousClock.Instant?, by time: any TimeSource) async {
        guard let deadline else { return await wait() }
        // Ended and awaited where this returns. A cancelled alarm sends no signal, or every wait would end the next one.
        async let _: Void = alarm(at: deadline, by: time)
        await wait()
    }

    private func alarm(at deadline: ContinuousClock.Instant, by time: any TimeSource) async {
        if (try? await time.sleep(until: deadline)) != nil { signal() }
    }
}
