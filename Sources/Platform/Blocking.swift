import Dispatch

/// Where calls that block are made.
package enum Blocking {
    /// Runs a body on a thread of its own. A serial queue gets one, while the threads of concurrent queues are few and the same
    /// ones on which Swift's tasks run: two blocked ones would stop everything on a machine with two cores.
    package static func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue(label: "sallyport.blocking").async { continuation.resume(with: Result { try body() }) }
        }
    }
}
