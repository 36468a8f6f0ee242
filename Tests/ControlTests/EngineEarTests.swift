@testable import Control
import Model
import Planning
import Testing

/// When a stream of the engine's events counts as one that hangs: by moments that the test chooses.
struct EngineEarTests {
    private let begin = ContinuousClock.now

    /// Seconds after the beginning.
    private func at(_ seconds: Double) -> ContinuousClock.Instant { begin + .seconds(seconds) }

    private func container(isRunning: Bool) -> ExitContainer {
        ExitContainer(
            name: "us-1-g1", exit: ExitID(country: CountryCode("us")!, number: 1), generation: 1,  // An ISO code.
            isRunning: isRunning, endpoint: nil, exitCode: nil, fence: 1)
    }

    /// A stream that is followed from 0 on, and lists at 1 and 3, between which a container ends.
    private func ear(heard: [Double]) -> EngineEar {
        var ear = EngineEar(now: begin)
        ear.begin(nil, now: at(0))
        for (asked, isRunning) in [(1.0, true), (3.0, false)] {
            for moment in heard where moment < asked && moment >= asked - 2 { ear.hear(now: at(moment)) }
            ear.asks(now: at(asked))
            ear.saw([container(isRunning: isRunning)], now: at(asked + 0.1))
        }
        for moment in heard where moment >= 3 { ear.hear(now: at(moment)) }
        return ear
    }

    @Test(arguments: [[2.0], [2.9], [3.05], [4.9]])
    func `one that tells of a change, before its list or within 2 s after it, is followed on`(
        heard: [Double]
    ) {
        var ear = ear(heard: heard)
        let answers = [5, 60].map { ear.isDeaf(now: at($0)) }
        #expect(answers == [false, false])
    }

    @Test(arguments: [[], [0.5]]) func `one that tells nothing of a change is deaf 2 s after the list has shown it, once`(heard: [Double]) {
        var ear = ear(heard: heard)
        let answers = [5, 5.2, 6].map { ear.isDeaf(now: at($0)) }
        #expect(answers == [false, true, false])
    }

    @Test func `a change from before the stream says nothing about it`() {
        var ear = EngineEar(now: begin)
        ear.asks(now: at(1))
        ear.saw([container(isRunning: true)], now: at(1.1))
        ear.begin(nil, now: at(2))
        ear.asks(now: at(3))
        ear.saw([container(isRunning: false)], now: at(3.1))
        let isDeaf = ear.isDeaf(now: at(60))
        #expect(!isDeaf)
    }
}
