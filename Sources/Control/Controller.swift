package import Model
import Planning
import Platform

/// The reconcile loop: observes the world, plans, saves and applies, and again. One actor owns the state; operations that take time run beside it
/// and bring their results back.
package actor Controller {
    let settings: ControllerSettings
    let ports: ControllerPorts
    let view: StateView
    let loopWatchdog: LoopWatchdog
    let checks = DependencyChecks()
    /// Begins a pass.
    nonisolated let wakeSignal = WakeSignal()
    /// What operators want, and the exits, as the store has them or is about to.
    var desired = Desired()
    var exits: [ExitID: Exit] = [:]
    var term: TermState
    /// Those of the settings, with the accounts of this moment.
    var rules: Planner.Rules
    /// Operations under way, one at most for each exit. One of an earlier term keeps its exit busy until it ends.
    var operations: [ExitID: Task<Void, Never>] = [:]
    let probes: ProbeScheduler
    var events = EventQueue()
    var eventStream: EventStreamWatchdog
    /// Operators' changes go through one by one: each must see what the one before has left.
    let changes = AsyncMutex()
    /// What is saved later must also arrive later.
    let saves = AsyncMutex()

    package init(ports: ControllerPorts, settings: ControllerSettings) {
        self.ports = ports
        self.settings = settings
        rules = settings.rules
        view = StateView(time: ports.time)
        loopWatchdog = LoopWatchdog(view: view, seconds: settings.standstillSeconds, time: ports.time)
        term = TermState(leader: nil, recoverySeconds: settings.recoverySeconds)
        probes = ProbeScheduler(settings: settings.probing, time: ports.time)
        eventStream = EventStreamWatchdog(now: ports.instant)
    }

    /// Begins a pass now.
    nonisolated package func wake() { wakeSignal.signal() }

    // MARK: - What can be read without waiting for the loop

    nonisolated package var snapshot: Snapshot { view.current }
    nonisolated package var revision: Int { view.revision }
    nonisolated package var publicView: StateView { view }
    /// When each dependency was last checked, whatever came of it; what was never checked in this term is not in it.
    nonisolated package var asked: [Dependency: Timestamp] { checks.times }
    /// True where a pass of the loop has ended in the last so many seconds, also one of a controller that follows.
    nonisolated package func hasPassed(within seconds: Double) -> Bool { loopWatchdog.hasPassed(within: seconds) }

    // MARK: - Tasks

    /// Begins a task beside the loop.
    @discardableResult
    func spawn(_ body: @escaping @Sendable (isolated Controller) async -> Void) -> Task<Void, Never> {
        Task(executorPreference: ports.executor) { await body(self) }
    }

    @discardableResult
    func spawn<Value: Sendable>(_ body: @escaping @Sendable (isolated Controller) async throws -> Value) -> Task<Value, any Error> {
        Task(executorPreference: ports.executor) { try await body(self) }
    }
}
