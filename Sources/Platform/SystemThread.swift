import Dispatch
import Glibc

/// A thread of the system's, for what blocks for as long as it lives. Dispatch has 255 threads for all of its queues; once they wait,
/// nothing else runs.
package enum SystemThread {
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Runs it to its end. Where the system gives no thread, one of Dispatch's does.
    /// - Parameter name: of the queue in that case.
    package static func start(_ name: String, _ body: @escaping @Sendable () -> Void) {
        let context = Unmanaged.passRetained(Body(body))
        var thread: pthread_t = 0
        let result = pthread_create(
            &thread, nil,
            { context in
                // What was passed below.
                if let context { Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run() }
                return nil
            }, context.toOpaque())
        if result == 0 {
            pthread_detach(thread)
        } else {
            context.release()
            DispatchQueue(label: name).async(execute: body)
        }
    }
}
