import Glibc
import Platform
import Synchronization

/// Tells a thread that blocks on a socket of ours when to end: when its task is cancelled, or when the socket's file is another one.
final class SocketWatch: Sendable {
    private let path: String
    private let flag = Mutex(false)

    private init(_ path: String) { self.path = path }

    /// Asked several times a second by the thread.
    var isCancelled: Bool { flag.withLock { $0 } }

    /// The number of the socket's file; nil where there is none.
    var node: ino_t? {
        var found = stat()
        return lstat(path, &found) == 0 ? found.st_ino : nil
    }

    /// Runs until the task is cancelled. A body that returns or fails is run again, after a pause where it has failed.
    /// - Parameters:
    ///   - body: blocks on a thread of its own, and returns soon once the watch is cancelled.
    ///   - failed: told of each error.
    static func run(
        _ path: String, _ body: @escaping @Sendable (SocketWatch) throws -> Void, failed: (any Error) -> Void
    ) async {
        let watch = SocketWatch(path)
        while !Task.isCancelled {
            do {
                try await withTaskCancellationHandler {
                    try await Blocking.run { try body(watch) }
                } onCancel: {
                    watch.flag.withLock { $0 = true }
                }
            } catch {
                failed(error)
                try? await Task.sleep(for: .seconds(5))
            }
        }
    }
}
