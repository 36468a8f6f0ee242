/// Runs services: starts them in order, each when the one before is ready; stops them in reverse, each when the one after has ended.
package struct ServiceGroup: Sendable {
    private let services: [Service]
    private let log: Log

    package init(_ services: [Service], log: Log) {
        self.services = services
        self.log = log
    }

    /// Runs all services until `stop` returns or one of them fails, and then until all have ended or used up their seconds.
    /// `stop` is cancelled where a service fails before it returns.
    /// A service that has used them up is told in the log. It is no error: the process ends as it was asked to.
    /// - Throws: `ServiceError`, of the service that failed first.
    package func run(until stop: @escaping @Sendable () async -> Void) async throws {
        let (events, post) = AsyncStream.makeStream(of: ServiceRun.Event.self)
        let trigger = Task {
            await stop()
            post.yield(.stopRequested)
        }
        // In a task of its own: that of the caller may be cancelled, and services are stopped in order all the same.
        let run = Task { [services, log] in
            var run = ServiceRun(services, post: post, log: log)
            for await event in events {
                run.handle(event)
                if run.isOver { break }
            }
            return run.failure
        }
        let failure = await withTaskCancellationHandler {
            await run.value
        } onCancel: {
            post.yield(.stopRequested)
        }
        trigger.cancel()
        if let failure { throw failure }
    }
}

/// One run of a group. Tasks only post events; this decides on each, one after another.
private struct ServiceRun {
    enum Event: Sendable {
        case started(Int)
        case ended(Int, (any Error)?)
        case stopRequested
        /// The service has used up the seconds that it has to end.
        case overdue(Int)
    }

    private struct Member {
        enum State { case starting, serving, stopping, over }
        let lifecycle: ServiceLifecycle
        let task: Task<Void, Never>
        var state = State.starting
        var hasStarted = false
        var alarm: Task<Void, any Error>?
    }

    private let services: [Service]
    private let post: AsyncStream<Event>.Continuation
    private let log: Log
    /// Those that were begun, in their order.
    private var members: [Member] = []
    private var isStopping = false
    /// The first one.
    private(set) var failure: ServiceError?

    init(_ services: [Service], post: AsyncStream<Event>.Continuation, log: Log) {
        (self.services, self.post, self.log) = (services, post, log)
        beginNext()
    }

    var isOver: Bool { members.allSatisfy { $0.state == .over } && (isStopping || members.count == services.count) }

    mutating func handle(_ event: Event) {
        switch event {
        case .started(let index): noteStart(of: index)
        case .ended(let index, let error): noteEnd(of: index, error)
        case .stopRequested: stopAll()
        case .overdue(let index): abandon(index)
        }
    }

    // MARK: - Starting

    private mutating func beginNext() {
        let index = members.count
        guard !isStopping, index < services.count else { return }
        let (service, post) = (services[index], post)
        let lifecycle = ServiceLifecycle { post.yield(.started(index)) }
        let task = Task {
            do {
                try await service.run(lifecycle)
                post.yield(.ended(index, nil))
            } catch {
                post.yield(.ended(index, error))
            }
        }
        members.append(Member(lifecycle: lifecycle, task: task))
    }

    private mutating func noteStart(of index: Int) {
        members[index].hasStarted = true
        guard members[index].state == .starting else { return }
        members[index].state = .serving
        beginNext()
    }

    // MARK: - Stopping

    private mutating func stopAll() {
        guard !isStopping else { return }
        isStopping = true
        stopNext()
    }

    /// Asks the last one that still runs to end.
    private mutating func stopNext() {
        guard let index = members.lastIndex(where: { $0.state != .over }), members[index].state != .stopping else { return }
        let (post, seconds) = (post, services[index].stopSeconds)
        // One that is not ready yet has nothing to end in order.
        if members[index].state == .starting || seconds == 0 { members[index].task.cancel() }
        members[index].state = .stopping
        members[index].lifecycle.stop()
        if seconds == 0 {
            end(index)
            return stopNext()
        }
        members[index].alarm = Task {
            try await Task.sleep(for: .seconds(seconds))
            post.yield(.overdue(index))
        }
    }

    private mutating func noteEnd(of index: Int, _ error: (any Error)?) {
        let (service, state, hasStarted) = (services[index], members[index].state, members[index].hasStarted)
        guard state != .over else { return }
        end(index)
        let isExpected =
            state == .stopping ? error == nil || !hasStarted || error is CancellationError : error == nil && hasStarted && service.isFinite
        if !isExpected { fail(ServiceError(service: service.name, isAtStart: !hasStarted, cause: error)) }
        if isStopping { stopNext() }
    }

    private mutating func abandon(_ index: Int) {
        guard members[index].state == .stopping else { return }
        members[index].task.cancel()
        end(index)
        log.warning("\(services[index].name) has not stopped within \(services[index].stopSeconds) s; the process ends without it")
        stopNext()
    }

    private mutating func end(_ index: Int) {
        members[index].state = .over
        members[index].alarm?.cancel()
    }

    private mutating func fail(_ error: ServiceError) {
        if failure == nil { failure = error }
        if !error.isAtStart { log.error("\(error)") }
        stopAll()
    }
}
