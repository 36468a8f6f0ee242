import Platform
import Synchronization

/// One line for each refusal, at most ten in ten seconds; then how many were left out. Thread-safe.
final class RefusalLog: Sendable {
    private struct State {
        var begin = ContinuousClock.now
        var count = 0
        var leftOut = 0
    }

    private static let most = 10
    private static let seconds = 10.0

    private let log: Log
    private let state = Mutex(State())

    init(_ log: Log) { self.log = log }

    /// - Parameter what: "POST /v1.41/containers/create", a client's words.
    func note(_ refusal: Refusal, of what: String) {
        let (isDue, leftOut) = state.withLock { state in
            var leftOut = 0
            if ContinuousClock.now - state.begin > .seconds(Self.seconds) {
                leftOut = state.leftOut
                state = State()
            }
            state.count += 1
            if state.count > Self.most { state.leftOut += 1 }
            return (state.count <= Self.most, leftOut)
        }
        if leftOut > 0 { log.warning("refused more requests than are logged", ["count": String(leftOut)]) }
        guard isDue else { return }
        log.warning(
            "refused a request", ["request": shown(what), "status": String(refusal.status), "why": String(refusal.message.prefix(300))])
    }
}
