import Dispatch
import Synchronization

/// Sees from a thread of its own whether the loop goes on, and tells the view: a loop that stands still, or whose actor does, can't say
/// so itself.
final class LoopWatchdog: Sendable {
    static let words = "the control loop stands still, so nothing is healed; the proxies go on"

    private struct State {
        var lastPass = ContinuousClock.now
        /// Counts the runs: what was begun in an earlier one ends.
        var run = 0
    }

    private let view: StateView
    /// Seconds without a finished pass after which the loop counts as standing still.
    private let seconds: Double
    private let queue = DispatchQueue(label: "sallyport.loop-watch")
    private let state = Mutex(State())

    init(view: StateView, seconds: Double) {
        self.view = view
        self.seconds = seconds
    }

    /// The loop has finished a pass.
    func passed() {
        state.withLock { $0.lastPass = .now }
        view.set(standstill: nil)
    }

    func begin() {
        let run = state.withLock { state in
            state.lastPass = .now
            state.run += 1
            return state.run
        }
        check(run)
    }

    func end() {
        state.withLock { $0.run += 1 }
        view.set(standstill: nil)
    }

    private func check(_ run: Int) {
        queue.asyncAfter(deadline: .now() + min(1, seconds / 2)) { [weak self] in
            guard let self, state.withLock({ $0.run == run }) else { return }
            if ContinuousClock.now - state.withLock({ $0.lastPass }) > .seconds(seconds) { view.set(standstill: Self.words) }
            check(run)
        }
    }
}
