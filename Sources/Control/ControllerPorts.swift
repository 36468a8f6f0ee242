package import Model
package import Platform

/// The adapters that a `Controller` works with.
package struct ControllerPorts: Sendable {
    package var engine: any ExitEngine
    package var gateway: any Gateway
    package var store: any StateStore
    package var catalog: any ServerCatalog
    package var keys: any TunnelKeys
    package var prober: any ExitProber
    /// Nil where servers are tried by exits alone.
    package var handshakes: (any ServerHandshakes)?
    package var leadership: Leadership
    /// Carries operators' changes to the controller that leads; nil where no other one can be.
    package var commands: (any CommandRelay)?
    package var log: Log
    package var time: any TimeSource
    /// Runs the controller's tasks; nil for Swift's shared pool.
    package var executor: (any TaskExecutor)?
    /// Alerts that others stand for, asked at each pass.
    package var reports: @Sendable () -> [Alert]

    package init(
        engine: any ExitEngine, gateway: any Gateway, store: any StateStore, catalog: any ServerCatalog, keys: any TunnelKeys,
        prober: any ExitProber, handshakes: (any ServerHandshakes)? = nil, leadership: Leadership = .alone,
        commands: (any CommandRelay)? = nil, log: Log, time: any TimeSource = SystemTime(),
        executor: (any TaskExecutor)? = nil, reports: @escaping @Sendable () -> [Alert] = { [] }
    ) {
        self.engine = engine
        self.gateway = gateway
        self.store = store
        self.catalog = catalog
        self.keys = keys
        self.prober = prober
        self.handshakes = handshakes
        self.leadership = leadership
        self.commands = commands
        self.log = log
        self.time = time
        self.executor = executor
        self.reports = reports
    }
}

extension ControllerPorts {
    func now() -> Timestamp { time.now() }
    var instant: ContinuousClock.Instant { time.instant }
    func sleep(seconds: Double) async throws { try await time.sleep(seconds: seconds) }

    /// What a task comes to; nil where it has come to nothing within so many seconds. The task goes on then.
    func result<Value, Failure>(of task: Task<Value, Failure>, within seconds: Double) async -> Result<Value, Failure>? {
        let (answers, answer) = AsyncStream<Result<Value, Failure>?>.makeStream(bufferingPolicy: .bufferingOldest(1))
        // Not a child task: a task that waits for another one's result can't be ended.
        Task(executorPreference: executor) { answer.yield(await task.result) }
        async let _: Void = {
            if (try? await time.sleep(seconds: seconds)) != nil { answer.yield(nil) }
        }()
        for await first in answers { return first }
        return nil
    }
}
