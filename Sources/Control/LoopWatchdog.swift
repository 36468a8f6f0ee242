import Platform
import Synchronization

/// Sees from a thread of its own whether the loop goes on, and tells the view: a loop that stands still, or whose actor does, can't say
/// so itself.
final class LoopWatchdog: Sendable {
    static let words = "the control loop makes no progress, so failed exits are not replaced; the proxies keep working"

    private let view: StateView
    /// Seconds without a finished pass after which the loop counts as standing still.
    private let seconds: Double
    private let time: any TimeSource
    private let lastPass: Mutex<ContinuousClock.Instant>
    private let ticker: Mutex<Ticker?> = Mutex(nil)

    init(view: StateView, seconds: Double, time: any TimeSource) {
        self.view = view
        self.seconds = seconds
        self.time = time
        lastPass = Mutex(time.instant)
    }

    /// True where no pass has ended for so long.
    var isStandstill: Bool { !hasPassed(within: seconds) }

    /// True where a pass has ended in the last so many seconds.
    func hasPassed(within seconds: Double) -> Bool {
        // Read first: a pass that ends between the two makes the age smaller.
        let now = time.instant
        return now - lastPass.withLock { $0 } <= .seconds(seconds)
    }

    /// A pass has ended.
    func passed() {
        lastPass.withLock { $0 = time.instant }
        view.set(standstill: nil)
    }

    func start() {
        lastPass.withLock { $0 = time.instant }
        let ticker = Ticker(label: "sallyport.loop-watchdog", seconds: min(1, seconds / 2)) { [weak self] in
            if let self, isStandstill { view.set(standstill: Self.words) }
        }
        self.ticker.withLock { $0 = ticker }
        ticker.start()
    }

    func stop() {
        ticker.withLock { ticker in
            ticker?.stop()
            ticker = nil
        }
        view.set(standstill: nil)
    }
}
