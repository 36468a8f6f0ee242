import Model
import Synchronization

/// When each part was last asked, for readers on any thread.
final class AskedParts: Sendable {
    private let state = Mutex<[Controller.Part: Timestamp]>([:])

    var times: [Controller.Part: Timestamp] { state.withLock { $0 } }
    func note(_ part: Controller.Part, _ now: Timestamp) { state.withLock { $0[part] = now } }

    /// Who leads no more does not know any more how its parts are; the loop and the store go on.
    func forget() { state.withLock { $0 = $0.filter { $0.key == .loop || $0.key == .store } } }
}
