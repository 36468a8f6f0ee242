import Model
import Synchronization

/// When each part was last asked, for readers on any thread.
final class DependencyChecks: Sendable {
    private let state = Mutex<[Dependency: Timestamp]>([:])

    var times: [Dependency: Timestamp] { state.withLock { $0 } }
    func note(_ part: Dependency, _ now: Timestamp) { state.withLock { $0[part] = now } }

    /// Who leads no more does not know any more how its parts are; the loop and the store go on.
    func forget() { state.withLock { $0 = $0.filter { $0.key == .loop || $0.key == .store } } }
}
