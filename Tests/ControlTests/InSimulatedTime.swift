import TestSupport
import Testing

/// Each test of a suite, or each case, runs in a `SimulatedTime` of its own.
struct InSimulatedTime: SuiteTrait, TestTrait, TestScoping {
    let isRecursive = true

    func scopeProvider(for test: Test, testCase: Test.Case?) -> InSimulatedTime? { testCase == nil ? nil : self }

    func provideScope(for test: Test, testCase: Test.Case?, performing body: @Sendable () async throws -> Void) async throws {
        try await SimulatedTime().run(body)
    }
}

extension Trait where Self == InSimulatedTime {
    static var inSimulatedTime: InSimulatedTime { InSimulatedTime() }
}
