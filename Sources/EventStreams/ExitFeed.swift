package import Model

/// Publishes changes of exits, looked for ten times a second.
package struct ExitFeed: Sendable {
    private let hub: StreamHub
    private let state: @Sendable () -> (revision: Int, exits: [ExitID: Exit])
    private let json: @Sendable (Exit) -> String

    /// - Parameters:
    ///   - state: the exits of now; equal revisions are equal exits.
    ///   - json: an exit as readers get it, on one line.
    package init(
        _ hub: StreamHub, state: @escaping @Sendable () -> (revision: Int, exits: [ExitID: Exit]),
        json: @escaping @Sendable (Exit) -> String
    ) {
        self.hub = hub
        self.state = state
        self.json = json
    }

    /// Runs until it is cancelled.
    func run() async {
        var changes = ExitChanges()
        var (revision, comparedAt) = (-1, ContinuousClock.now - .seconds(1))
        var lastReader: ContinuousClock.Instant?
        while !Task.isCancelled {
            let now = ContinuousClock.now
            if hub.readers > 0 { lastReader = now }
            // After a minute without a reader nothing is written for those who might come back, and compared only so often that who
            // comes next doesn't get all exits.
            let isRead = lastReader.map { now - $0 <= .seconds(60) } ?? false
            if isRead || now - comparedAt >= .seconds(1) {
                publish(&changes, since: &revision, now, isRead: isRead)
                comparedAt = now
            }
            try? await Task.sleep(for: .milliseconds(100))
        }
    }

    private func publish(_ changes: inout ExitChanges, since revision: inout Int, _ now: ContinuousClock.Instant, isRead: Bool) {
        let (present, exits) = state()
        guard present != revision || changes.isBehind(exits) else { return }
        revision = present
        let (changed, gone) = changes.changes(to: exits, now: now)
        guard isRead else {
            if !changed.isEmpty || !gone.isEmpty { hub.skip() }
            return
        }
        for exit in changed {
            hub.publish("exit", json(exit))
        }
        for id in gone { hub.publish("gone", "{\"id\":\"\(id)\"}") }
    }
}
