internal import CLinux

/// The exit's proxy: CONNECT, absolute-form HTTP/1.1 and SOCKS5 on one port, one loop a core, each on a thread of its own.
package enum Proxy {
    /// The whole program's: the controller's is the same.
    package static let version = "0.1.0"

    /// Listens, and then calls back; serves until the process ends.
    /// - Throws: `Failure` where it can't listen.
    package static func run(_ settings: ProxySettings, loops: Int, onListening: () -> Void) throws(Failure) {
        sallyport_ignore_broken_pipes()
        let shared = Shared(table: ConnectionTable(atMost: settings.connectionLimit))
        let first = try Server(settings, shared)
        for _ in 1..<max(1, loops) {
            Thread.start {
                // Listening went well a moment before, on the same address.
                guard let server = try? Server(settings, shared) else { exit(70) }
                server.loop.run()
            }
        }
        onListening()
        first.loop.run()
    }
}

/// A thread that is never waited for.
private enum Thread {
    private final class Work: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    static func start(_ body: @escaping @Sendable () -> Void) {
        var thread = pthread_t()
        pthread_create(
            &thread, nil,
            { work in
                if let work { Unmanaged<Work>.fromOpaque(work).takeRetainedValue().body() }
                return nil
            }, Unmanaged.passRetained(Work(body)).toOpaque())
        pthread_detach(thread)
    }
}
