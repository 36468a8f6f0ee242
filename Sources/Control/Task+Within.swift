extension Task {
    /// What the task comes to; nil where it has come to nothing within so many seconds. It goes on then.
    func result(within seconds: Double) async -> Result<Success, Failure>? {
        let (answers, answer) = AsyncStream<Result<Success, Failure>?>.makeStream(bufferingPolicy: .bufferingOldest(1))
        let waiter = Task<Void, Never>.detached { answer.yield(await self.result) }
        let alarm = Task<Void, Never>.detached {
            if (try? await Task<Never, Never>.sleep(for: .seconds(seconds))) != nil { answer.yield(nil) }
        }
        defer {
            alarm.cancel()
            waiter.cancel()
        }
        for await first in answers { return first }
        return nil
    }
}
