import Dispatch
import Synchronization

/// Sees from a thread of its own whether the loop goes on, and tells the view: a loop that stands still, or whose actor does, can't say
/// so itself.
final class LoopWatch: Sendable {
    static let words = "the control loop stands still, so nothing is healed; the proxies go on"

    private struct State {
        var lastTurn = ContinuousClock.now
        /// Counts the runs: what was begun in an earlier one ends.
        var run = 0
    }

    private let view: StateView
    /// Seconds without a finished turn after which the loop counts as standing still.
    private let seconds: Double
    private let queue = DispatchQueue(label: "sallyport.loop-watch")
    private let state = Mutex(State())

    init(view: StateView, seconds: Double) {
        self.view = view
        self.seconds = seconds
    }

    /// The loop has finished a turn.
    func turned() {
        state.withLock { $0.lastTurn = .now }
        view.set(standstill: nil)
    }

    func begin() {
        let run = state.withLock { state in
            state.lastTurn = .now
            state.run += 1
            return state.run
        }
        look(run)
    }

    func end() {
        state.withLock { $0.run += 1 }
        view.set(standstill: nil)
    }

    private func look(_ run: Int) {
        queue.asyncAfter(deadline: .now() + min(1, seconds / 2)) { [weak self] in
            guard let self, state.withLock({ $0.run == run }) else { return }
            if ContinuousClock.now - state.withLock({ $0.lastTurn }) > .seconds(seconds) { view.set(standstill: Self.words) }
            look(run)
        }
    }
}
