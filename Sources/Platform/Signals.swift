import Dispatch
import Glibc

/// Signals as values, instead of handlers in which almost nothing is allowed.
package enum Signals {
    /// Call first in `main`: a peer that hangs up must be an error to us, not our end.
    package static func ignorePipe() { signal(SIGPIPE, SIG_IGN) }

    /// Each arrival of one of these signals. They no longer end the process.
    package static func stream(_ numbers: [Int32]) -> AsyncStream<Int32> {
        // Ignoring must come before the source is registered: after it, the signal would be lost.
        for number in numbers { signal(number, SIG_IGN) }
        return AsyncStream { continuation in
            // Cancelling a source is safe from any thread (dispatch_source_cancel).
            nonisolated(unsafe) let sources = numbers.map { number in
                let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
                source.setEventHandler { continuation.yield(number) }
                source.resume()
                return source
            }
            continuation.onTermination = { _ in sources.forEach { $0.cancel() } }
        }
    }
}
