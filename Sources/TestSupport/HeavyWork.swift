import Platform

private let mutex = AsyncMutex()

/// Runs a test's long calculation on a thread of its own, one such test at a time: on Swift's few threads it would hold up
/// every other test, and those that wait for something would wait too long.
package func heavily<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await mutex.withLock { try await Blocking.run(body) }
}
