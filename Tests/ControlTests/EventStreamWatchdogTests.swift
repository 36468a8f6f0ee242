@testable import Control
import Model
import Planning
import Testing

/// When the engine's event stream counts as stalled: by moments that the test chooses.
struct EventStreamWatchdogTests {
    private let begin = ContinuousClock.now

    /// Seconds after the beginning.
    private func at(_ seconds: Double) -> ContinuousClock.Instant { begin + .seconds(seconds) }

    private func container(isRunning: Bool) -> ExitContainer {
        ExitContainer(
            name: "us-1-g1", exit: ExitID(country: CountryCode("us")!, number: 1), generation: 1,  // An ISO code.
            isRunning: isRunning, endpoint: nil, exitCode: nil, fence: 1)
    }

    /// A stream that is followed from 0 on, and lists at 1 and 3, between which a container ends.
    private func watchdog(events: [Double]) -> EventStreamWatchdog {
        var watchdog = EventStreamWatchdog(now: begin)
        watchdog.follow(nil, now: at(0))
        for (requested, isRunning) in [(1.0, true), (3.0, false)] {
            for moment in events where moment < requested && moment >= requested - 2 { watchdog.received(now: at(moment)) }
            watchdog.requestedList(now: at(requested))
            watchdog.received([container(isRunning: isRunning)], now: at(requested + 0.1))
        }
        for moment in events where moment >= 3 { watchdog.received(now: at(moment)) }
        return watchdog
    }

    @Test(arguments: [[2.0], [2.9], [3.05], [4.9]])
    func `a stream that reports a change, before its list or within 2 s after it, is followed on`(events: [Double]) {
        var watchdog = watchdog(events: events)
        let answers = [5, 60].map { watchdog.isStalled(now: at($0)) }
        #expect(answers == [false, false])
    }

    @Test(arguments: [[], [0.5]])
    func `a stream that does not report a change is stalled 2 s after the list has shown it, once`(events: [Double]) {
        var watchdog = watchdog(events: events)
        let answers = [5, 5.2, 6].map { watchdog.isStalled(now: at($0)) }
        #expect(answers == [false, true, false])
    }

    @Test func `a change from before the stream says nothing about it`() {
        var watchdog = EventStreamWatchdog(now: begin)
        watchdog.requestedList(now: at(1))
        watchdog.received([container(isRunning: true)], now: at(1.1))
        watchdog.follow(nil, now: at(2))
        watchdog.requestedList(now: at(3))
        watchdog.received([container(isRunning: false)], now: at(3.1))
        let isStalled = watchdog.isStalled(now: at(60))
        #expect(!isStalled)
    }
}
