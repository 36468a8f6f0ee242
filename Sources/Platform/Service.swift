import Synchronization

/// A part of a process that runs from its start to its end.
package struct Service: Sendable {
    package let name: String
    /// Seconds that it has to end once it is asked to. After them it is cancelled, and the group goes on without it. One with 0 is
    /// cancelled at once and not waited for: it leaves nothing half done.
    package let stopSeconds: Double
    /// True where its return is no error: it has one thing to do.
    package let isFinite: Bool
    let run: @Sendable (ServiceLifecycle) async throws -> Void

    /// - Parameter run: calls `started()` when the next service may start, serves until `stopRequested()` returns, ends what it has
    ///   begun, and returns. A return before that is an error, and so is anything that it throws.
    package init(
        _ name: String, stopSeconds: Double = 10, isFinite: Bool = false, run: @escaping @Sendable (ServiceLifecycle) async throws -> Void
    ) {
        (self.name, self.stopSeconds, self.isFinite, self.run) = (name, stopSeconds, isFinite, run)
    }

    /// A loop that is ready at once and ends when its task is cancelled.
    package static func loop(_ name: String, stopSeconds: Double = 10, _ body: @escaping @Sendable () async -> Void) -> Service {
        Service(name, stopSeconds: stopSeconds) { lifecycle in
            lifecycle.started()
            await lifecycle.whileServing(body)
        }
    }

    /// What is done once, beside everything else. It is cancelled where it is not over when the group stops.
    package static func once(_ name: String, stopSeconds: Double = 10, _ body: @escaping @Sendable () async -> Void) -> Service {
        Service(name, stopSeconds: stopSeconds, isFinite: true) { lifecycle in
            lifecycle.started()
            await lifecycle.whileServing(body)
        }
    }
}

/// What a service and its group tell each other.
package final class ServiceLifecycle: Sendable {
    private let onStart: @Sendable () -> Void
    private let stops: AsyncStream<Void>
    private let stopping: AsyncStream<Void>.Continuation

    init(onStart: @escaping @Sendable () -> Void) {
        self.onStart = onStart
        (stops, stopping) = AsyncStream.makeStream()
    }

    /// Says that the service is ready: the next one may start.
    package func started() { onStart() }

    /// Returns when the service is asked to end, or its task is cancelled. Only one caller may wait at a time.
    package func stopRequested() async { for await _ in stops {} }

    /// Runs a loop until the service is asked to end; the loop is cancelled then. The caller's own task is not cancelled: it can still
    /// end in order what the loop has begun.
    package func whileServing(_ body: @escaping @Sendable () async -> Void) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await body() }
            group.addTask { await self.stopRequested() }
            await group.next()
            group.cancelAll()
        }
    }

    func stop() { stopping.finish() }
}

/// A service that failed, by its name.
package struct ServiceError: Error, CustomStringConvertible {
    package let service: String
    /// True where it failed before it was ready.
    package let isAtStart: Bool
    /// What it threw; nil where it returned although nobody had asked it to end.
    package let cause: (any Error)?

    package var description: String {
        let reason = cause.map { ": \($0)" } ?? ""
        return "\(service) \(isAtStart ? "did not start" : "ended unexpectedly")\(reason)"
    }
}
