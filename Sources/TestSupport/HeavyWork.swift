import Platform

private let turns = Turnstile()

/// Runs a test's long calculation on a thread of its own, one such test at a time: on Swift's few threads it would hold up
/// every other test, and those that wait for something would wait too long.
package func heavily<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await turns.pass { try await Blocking.run(body) }
}
