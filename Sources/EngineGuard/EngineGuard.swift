import Dispatch
package import Platform
import Synchronization

/// A broker between the controller and the Docker Engine. It listens on a Unix socket, reads one request of each connection, and where
/// that is one that exits need, makes another of its own for the engine. No byte of a client's request reaches the engine.
///
/// Each connection has a thread of its own, which blocks. The guard lives until `stop`.
package final class EngineGuard: Sendable {
    /// What one connection holds open.
    struct Open {
        var client: Channel
        var engine: Channel?
        /// It goes on for as long as both sides want, and is ended at once by `stop`.
        var isStream = false
    }

    private struct State {
        var isStopping = false
        var next = 0
        var open: [Int: Open] = [:]
    }

    let settings: Settings
    let rules: Rules
    let archive: ImageArchive?
    let tickets = Tickets()
    let refusals: RefusalLog
    let log: Log
    /// Held while the exits' network is made.
    let making = Mutex(())
    private let listener: ListeningSocket
    private let slots: DispatchSemaphore
    private let state = Mutex(State())

    /// Listens from now on.
    /// - Throws: `GuardError` where the socket can't be made, or the archive is missing.
    package init(_ settings: Settings, log: Log) throws {
        self.settings = settings
        archive = try settings.imageArchive.map { try ImageArchive(path: $0, repository: settings.repository) }
        rules = Rules(settings: settings, tag: archive?.tag)
        refusals = RefusalLog(log)
        self.log = log
        slots = DispatchSemaphore(value: settings.connections)
        listener = try ListeningSocket(settings.listen, group: settings.group)
        SystemThread.start("sallyport.guard") { [self] in accept() }
    }

    /// Takes no more connections, ends streams at once, and gives the other requests a moment.
    /// - Parameter seconds: after which those are ended too.
    package func stop(grace seconds: Double = 3) async {
        let streams = state.withLock { state in
            state.isStopping = true
            return state.open.values.filter(\.isStream)
        }
        listener.stop()
        // The thread may wait for a place.
        slots.signal()
        for stream in streams { Self.disconnect(stream) }
        await untilEmpty(seconds)
        for open in state.withLock({ $0.open.values.map { $0 } }) { Self.disconnect(open) }
        await untilEmpty(2)
    }

    private func untilEmpty(_ seconds: Double) async {
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end, state.withLock({ !$0.open.isEmpty }) { try? await Task.sleep(for: .milliseconds(10)) }
    }

    private static func disconnect(_ open: Open) {
        open.client.disconnect()
        open.engine?.disconnect()
    }

    // MARK: - The threads

    private func accept() {
        while true {
            slots.wait()
            guard let client = listener.accept(), let number = begin(client) else { return }
            SystemThread.start("sallyport.guard.connection") { [self] in
                Session(client: client, number: number, guardian: self).run()
                state.withLock { _ = $0.open.removeValue(forKey: number) }
                slots.signal()
            }
        }
    }

    private func begin(_ client: Channel) -> Int? {
        state.withLock { state in
            guard !state.isStopping else { return nil }
            state.next += 1
            state.open[state.next] = Open(client: client)
            return state.next
        }
    }

    /// A connection to the engine, which ends with that of the client.
    /// - Throws: `Refusal` where no engine answers.
    func engine(for number: Int, isStream: Bool = false) throws -> Channel {
        guard let engine = try? Channel.connected(to: settings.engine) else {
            throw Refusal(status: 502, message: "no Docker Engine answers on \(settings.engine)")
        }
        return try state.withLock { state in
            guard !(state.isStopping && isStream) else { throw Refusal(status: 503, message: "the guard is stopping") }
            state.open[number]?.engine = engine
            state.open[number]?.isStream = isStream
            return engine
        }
    }
}
