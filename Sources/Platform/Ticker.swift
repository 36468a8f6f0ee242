import Dispatch
import Synchronization

/// Calls a body again and again from a queue of its own, also while Swift's tasks or an actor are held up.
package final class Ticker: Sendable {
    private let queue: DispatchQueue
    private let seconds: Double
    private let body: @Sendable () -> Void
    /// Counts the runs: a call that belongs to an earlier one ends it.
    private let run = Mutex(0)

    /// - Parameter seconds: between two calls.
    package init(label: String, seconds: Double, _ body: @escaping @Sendable () -> Void) {
        queue = DispatchQueue(label: label)
        self.seconds = seconds
        self.body = body
    }

    package func start() {
        schedule(
            run.withLock { run in
                run += 1
                return run
            })
    }

    /// A call that is under way may still end after it.
    package func stop() { run.withLock { $0 += 1 } }

    private func schedule(_ number: Int) {
        queue.asyncAfter(deadline: .now() + seconds) { [weak self] in
            guard let self, run.withLock({ $0 == number }) else { return }
            body()
            schedule(number)
        }
    }
}
