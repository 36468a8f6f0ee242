import Control
import Model
import Planning
import TestSupport
import Testing

/// How many containers a pool may begin: decision 0143.
@Suite(.timeLimit(.minutes(1)), .inSimulatedTime) struct BudgetTests {
    @Test func `an operator who opens and closes a country again and again waits for no budget`() async throws {
        try await withController { world, running in
            for _ in 1...8 {
                try await running.controller.execute(.addExit(ExitRequest(country: us)))
                try await running.serves(1)
                try await running.controller.execute(.removePool(us))
                try await eventually("it is gone") { running.exits.isEmpty }
            }
            #expect(world.launches.count == 8)
        }
    }
}
