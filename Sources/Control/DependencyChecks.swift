import Model
import Synchronization

/// When each dependency was last checked, for readers on any thread.
final class DependencyChecks: Sendable {
    private let state = Mutex<[Dependency: Timestamp]>([:])

    var times: [Dependency: Timestamp] { state.withLock { $0 } }
    func note(_ dependency: Dependency, _ now: Timestamp) { state.withLock { $0[dependency] = now } }

    /// A controller that leads no more does not know any more how its dependencies are, except for the loop and the store.
    func endTerm() { state.withLock { $0 = $0.filter { $0.key == .loop || $0.key == .store } } }
}
