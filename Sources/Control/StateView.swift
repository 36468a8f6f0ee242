package import Model
package import Planning
package import Platform
import Synchronization

/// What the controller knows at one moment, as a value.
package struct Snapshot: Sendable {
    /// Grows with every change; equal revisions are equal snapshots.
    package var revision = 0
    /// False until the engine's containers were seen once: till then the exits are as the last controller left them.
    package var hasObserved: Bool
    package var desired: Desired
    package var exits: [ExitID: Exit]
    package var problems: [Dependency: String]
    package var breakers: [BreakerKey: Breaker]
    package var alerts: [Alert]
    /// The controller that leads, where it is another one.
    package var leader: String?
    /// Open pools on demand that carry nothing.
    package var idle: [CountryCode: PoolIdleness] = [:]
    /// The accounts, and what each has in use.
    package var accounts: [AccountUse] = []

    package init(
        hasObserved: Bool = false, desired: Desired = .init(), exits: [ExitID: Exit] = [:], problems: [Dependency: String] = [:],
        breakers: [BreakerKey: Breaker] = [:], alerts: [Alert] = [], leader: String? = nil
    ) {
        self.breakers = breakers
        self.alerts = alerts
        self.hasObserved = hasObserved
        self.desired = desired
        self.exits = exits
        self.problems = problems
        self.leader = leader
    }
}

/// The latest snapshot, for readers on any thread, and a way to wait for the next.
package final class StateView: Sendable {
    private struct State {
        var snapshot = Snapshot()
        /// What is wrong with the loop, as somebody else than the loop sees it.
        var standstill: String?
        var waiters: [Int: WakeSignal] = [:]
        var nextWaiter = 0
    }

    private let state = Mutex(State())
    private let time: any TimeSource

    package init(time: any TimeSource) { self.time = time }

    package var current: Snapshot { state.withLock { $0.snapshot } }

    package var revision: Int { state.withLock { $0.snapshot.revision } }

    func set(_ snapshot: Snapshot) { change { $0 = snapshot } }

    /// One exit is another one now.
    func show(_ exit: Exit) { change { $0.exits[exit.id] = exit } }

    /// Says that the loop stands still, or that it goes on, whatever the loop itself shows.
    func set(standstill: String?) {
        guard state.withLock({ $0.standstill != standstill }) else { return }
        state.withLock { $0.standstill = standstill }
        change { $0.problems[.loop] = standstill }
    }

    private func change(_ body: (inout sending Snapshot) -> Void) {
        let waiters = state.withLock { state in
            let revision = state.snapshot.revision + 1
            body(&state.snapshot)
            if let standstill = state.standstill { state.snapshot.problems[.loop] = standstill }
            state.snapshot.revision = revision
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.signal() }
    }

    /// Waits until the snapshot is as wanted, for at most `seconds`; returns the last one seen either way.
    package func wait(seconds: Double, until isWanted: @Sendable (Snapshot) -> Bool) async -> Snapshot {
        let changed = WakeSignal()
        let number = state.withLock { state in
            state.nextWaiter += 1
            state.waiters[state.nextWaiter] = changed
            return state.nextWaiter
        }
        defer { state.withLock { $0.waiters[number] = nil } }
        let deadline = time.instant + .seconds(seconds)
        while !isWanted(current), time.instant < deadline, !Task.isCancelled { await changed.wait(until: deadline, by: time) }
        return current
    }
}
