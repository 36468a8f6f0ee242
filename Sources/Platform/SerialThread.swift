import Dispatch
import Glibc
import Synchronization

/// One thread on which an actor runs, so that its blocking C calls never hold up the shared pool.
package final class SerialThread: SerialExecutor {
    private struct Inbox {
        var jobs: [UnownedJob] = []
        var isStopped = false
    }

    private let inbox = Mutex(Inbox())
    private let ready = DispatchSemaphore(value: 0)

    package init(name: String) {
        SystemThread.start(name) { [self] in work() }
    }

    /// Ends the thread once what was enqueued has run.
    package func stop() {
        inbox.withLock { $0.isStopped = true }
        ready.signal()
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let unowned = UnownedJob(job)
        inbox.withLock { $0.jobs.append(unowned) }
        ready.signal()
    }

    private func work() {
        while true {
            ready.wait()
            let (jobs, isStopped) = inbox.withLock { inbox in
                defer { inbox.jobs = [] }
                return (inbox.jobs, inbox.isStopped)
            }
            for job in jobs { job.runSynchronously(on: asUnownedSerialExecutor()) }
            if isStopped, jobs.isEmpty { return }
        }
    }
}
