import Control
import Glibc
import Model
import Platform
import Synchronization
import TestSupport
import Testing

/// A loop that can't say itself that it stands still. In real time, since a thread of its own sees it.
@Suite(.timeLimit(.minutes(1))) struct LoopWatchdogTests {
    private final class Held: Sendable {
        private let isHeld = Mutex(false)
        func set(_ value: Bool) { isHeld.withLock { $0 = value } }
        /// Blocks as a C call does: nothing of the controller's runs meanwhile.
        func pass() { while isHeld.withLock({ $0 }) { usleep(1_000) } }
    }

    /// The machine's clocks, which can be held.
    private struct HeldTime: TimeSource {
        let held: Held
        private let time = SystemTime()

        init(held: Held) { self.held = held }

        func now() -> Timestamp {
            held.pass()
            return time.now()
        }
        var instant: ContinuousClock.Instant { time.instant }
        func sleep(until deadline: ContinuousClock.Instant) async throws { try await time.sleep(until: deadline) }
    }

    @Test func `a loop whose own thread is held up is told by somebody else, until it goes on`() async throws {
        let world = FakeWorld(servers: [server(1)])
        let held = Held()
        let running = Running(on: world, time: HeldTime(held: held), tune: { $0.standstillSeconds = 0.5 })
        try await running.controller.execute(.setPool(Pool(country: us, size: 1)))
        try await running.serves(1)
        #expect(running.controller.snapshot.problems.isEmpty)
        held.set(true)
        let revision = running.controller.revision
        let problems = Task.detached {
            try await eventually("it is told", within: 10) { running.controller.snapshot.problems[.loop] }
        }
        let told = try? await problems.value
        // What a service manager would be told.
        let hasPassed = running.controller.hasPassed(within: 0.4)
        held.set(false)
        #expect(told?.contains("makes no progress") == true && running.controller.revision > revision)
        #expect(hasPassed == false)
        try await eventually("it goes on") { running.controller.snapshot.problems.isEmpty }
        try await eventually("passes end") { running.controller.hasPassed(within: 0.4) }
        await running.stop()
    }
}
