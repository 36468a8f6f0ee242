import Dispatch
package import Model
package import Platform
import Synchronization

/// Time that passes only while nobody has anything to do: one thread runs all tasks of a test, and when none is left to run, the clocks move
/// on to the next moment that a task sleeps until. So a test of many seconds takes milliseconds, and only random numbers change the order of things
/// between two runs. What runs elsewhere (`Task {}` without this executor, threads) is not waited for.
package final class SimulatedTime: TaskExecutor, TimeSource {
    private typealias Sleeper = UnsafeContinuation<Bool, Never>

    private struct State {
        var jobs: [UnownedJob] = []
        var instant: ContinuousClock.Instant
        /// What the wall clock shows at the start, by whoever has set it last.
        var wallAtStart = SystemClock.now()
        /// By the number that each call of `sleep` has; nil for one that was cancelled before it began.
        var sleepers: [Int: (deadline: ContinuousClock.Instant, sleeper: Sleeper)?] = [:]
        var lastSleeper = 0
        var isStopped = false
    }

    private let start = ContinuousClock.now
    private let state: Mutex<State>
    private let ready = DispatchSemaphore(value: 0)

    /// The one of the running test; `SystemTime` outside of `run`.
    @TaskLocal package static var current: any TimeSource = SystemTime()

    package init() { state = Mutex(State(instant: start)) }

    /// Runs a body in this time, then ends it: tasks that are left over don't go on.
    package func run(_ body: @Sendable () async throws -> Void) async throws {
        SystemThread.start("simulated-time") { [self] in work() }
        defer {
            state.withLock { $0.isStopped = true }
            ready.signal()
        }
        try await withTaskExecutorPreference(self) {
            try await Self.$current.withValue(self) { try await body() }
        }
    }

    /// Somebody sets the wall clock.
    package func setWall(by seconds: Double) { state.withLock { $0.wallAtStart = $0.wallAtStart + seconds } }

    // MARK: - TimeSource

    package func now() -> Timestamp { state.withLock { $0.wallAtStart + ($0.instant - start) / .seconds(1) } }
    package var instant: ContinuousClock.Instant { state.withLock { $0.instant } }

    package func sleep(until deadline: ContinuousClock.Instant) async throws {
        let number = state.withLock { state in
            state.lastSleeper += 1
            return state.lastSleeper
        }
        let isOver = await withTaskCancellationHandler {
            await withUnsafeContinuation { (sleeper: Sleeper) in
                let isCancelled = state.withLock { state in
                    if state.sleepers.removeValue(forKey: number) != nil { return true }
                    state.sleepers[number] = .some((deadline, sleeper))
                    return false
                }
                if isCancelled { sleeper.resume(returning: false) } else { ready.signal() }
            }
        } onCancel: {
            let sleeper = state.withLock { state in
                guard let entry = state.sleepers.removeValue(forKey: number), let entry else {
                    state.sleepers[number] = .some(nil)
                    return Sleeper?.none
                }
                return entry.sleeper
            }
            sleeper?.resume(returning: false)
        }
        state.withLock { $0.sleepers[number] = nil }
        if !isOver { throw CancellationError() }
    }

    // MARK: - TaskExecutor

    package func enqueue(_ job: consuming ExecutorJob) {
        let unowned = UnownedJob(job)
        state.withLock { $0.jobs.append(unowned) }
        ready.signal()
    }

    private func work() {
        while !state.withLock({ $0.isStopped }) {
            let jobs = state.withLock { state in
                defer { state.jobs = [] }
                return state.jobs
            }
            for job in jobs { job.runSynchronously(on: asUnownedTaskExecutor()) }
            if jobs.isEmpty { moveOn() }
        }
    }

    /// Ends the sleep that is over first; where nobody sleeps, waits for somebody from outside.
    private func moveOn() {
        let sleeper = state.withLock { state -> Sleeper? in
            let sleeping = state.sleepers.compactMap { number, entry in entry.map { ($0.deadline, number, $0.sleeper) } }
            guard state.jobs.isEmpty, let (deadline, number, sleeper) = sleeping.min(by: { ($0.0, $0.1) < ($1.0, $1.1) }) else {
                return nil
            }
            state.sleepers[number] = nil
            state.instant = max(state.instant, deadline)
            return sleeper
        }
        if let sleeper { sleeper.resume(returning: true) } else { ready.wait() }
    }
}
