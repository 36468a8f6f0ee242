import CShims
import Dispatch
import Glibc
import Synchronization

/// Signals as values, instead of handlers in which almost nothing is allowed.
package enum Signals {
    /// Call first in `main`: a peer that hangs up must be an error to us, not our end.
    package static func ignorePipe() { signal(SIGPIPE, SIG_IGN) }

    private static let listeners = Mutex<[(numbers: [Int32], continuation: AsyncStream<Int32>.Continuation)]>([])

    /// Each arrival of one of these signals, from now until the process ends. They no longer end the process.
    ///
    /// A handler writes into a pipe, and a thread of its own reads it: a Dispatch source of signals on a machine that was busy was
    /// seen to lose one.
    package static func stream(_ numbers: [Int32]) -> AsyncStream<Int32> {
        let (stream, continuation) = AsyncStream.makeStream(of: Int32.self)
        listeners.withLock { $0.append((numbers, continuation)) }
        _ = reader
        for number in numbers { shim_signal_catch(number) }
        return stream
    }

    /// Made with the first stream.
    private static let reader: Void = {
        var ends: [Int32] = [-1, -1]
        // A process that can't have a pipe can't be told to end either.
        precondition(pipe(&ends) == 0, "no pipe: \(String(cString: strerror(errno)))")
        let (input, output) = (ends[0], ends[1])
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        // A handler never waits, not even where a thousand signals are unread.
        _ = fcntl(output, F_SETFL, O_NONBLOCK)
        shim_signals_to(output)
        DispatchQueue(label: "sallyport.signals").async {
            var number: UInt8 = 0
            while true {
                guard read(input, &number, 1) == 1 else { continue }
                for listener in listeners.withLock({ $0 }) where listener.numbers.contains(Int32(number)) {
                    listener.continuation.yield(Int32(number))
                }
            }
        }
    }()
}
