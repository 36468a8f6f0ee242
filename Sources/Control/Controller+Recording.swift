package import Model
import Planning
import Platform

/// Events, breakers and alerts: what the loop remembers of what happened, and tells.
extension Controller {
    // MARK: - Events

    /// Tells of something that happened: to the log at once, to the store as soon as it answers.
    func record(
        _ kind: EventKind, _ severity: Severity = .info, _ message: String, exit: Exit? = nil, country: CountryCode? = nil,
        reason: ExitReason? = nil, cause: String? = nil, by: String? = nil, log fields: KeyValuePairs<String, String> = [:]
    ) {
        Metrics.events.add(1, kind.rawValue)
        switch severity {
        case .info: ports.log.info(message, fields)
        case .warning: ports.log.warning(message, fields)
        case .critical: ports.log.error(message, fields)
        }
        unsentEvents.append(
            Event(
                at: ports.now(), kind, severity, message, country: country, exit: exit?.id, server: exit?.server?.hostname, reason: reason,
                cause: cause, by: by))
        // Without a store the oldest go first: a controller must not grow for as long as it is away.
        if unsentEvents.count > 2_000 { unsentEvents.removeFirst(unsentEvents.count - 2_000) }
        eventsDue.signal()
    }

    /// Records what happened outside of the loop.
    package func tell(_ kind: EventKind, _ message: String, severity: Severity = .info, cause: String? = nil, by: String? = nil) {
        record(kind, severity, message, cause: cause, by: by)
    }

    /// Stores events as they come, in their order; while the store is away they wait.
    func keepEvents() async {
        while !Task.isCancelled {
            await eventsDue.wait()
            while !unsentEvents.isEmpty, !Task.isCancelled {
                let batch = Array(unsentEvents.prefix(200))
                do {
                    try await ports.store.append(batch)
                    // Some may have been dropped meanwhile, at the front.
                    if let last = batch.last, let index = unsentEvents.lastIndex(of: last) { unsentEvents.removeFirst(index + 1) }
                } catch {
                    note(.store, error)
                    try? await ports.sleep(seconds: 1)
                }
            }
        }
    }

    // MARK: - Breakers

    /// What a change of an exit says about its server and its provider's key.
    func learn(from old: Exit?, to new: Exit) {
        let now = ports.now()
        if let failure = new.lastFailure, failure != old?.lastFailure, let server = failure.server {
            // A leak is the container's fault, or this machine's: another server is only a precaution.
            if failure.isServersFault, failure.reason != .leak {
                record(breakers.fail(.server(server.hostname), failure.reason, now), of: .server(server.hostname))
            }
            learnAboutCredential(of: server, failure.reason, now)
        }
        guard let server = new.server, old?.state != new.state else { return }
        switch new.state {
        case .starting:
            breakers.begin(.server(server.hostname), now)
            breakers.begin(.credential(server.provider), now)
        case .standby:
            handshakes.proved(server, new.country, now)
            noteKeyTaken(by: server.provider)
        default: return
        }
    }

    /// A server whose exit has served for a while is a good one again.
    func noteProven(_ exit: Exit) {
        guard let key = exit.server.map({ BreakerKey.server($0.hostname) }) else { return }
        record(breakers.rest(key, ports.now()), of: key)
    }

    /// Records that a breaker has opened or closed.
    func record(_ transition: BreakerRegistry.Transition?, of key: BreakerKey) {
        switch transition {
        case .opened(let breaker):
            let seconds = breaker.openUntil.map { Figures.decimal($0 - ports.now(), digits: 0) } ?? "?"
            let again = breaker.openings > 1 ? " (\(breaker.openings) times in a row)" : ""
            record(.breakerOpened, .warning, "\(key) is left alone for \(seconds) s: \(breaker.reason ?? "it failed")\(again)")
        case .closed: record(.breakerClosed, .info, "\(key) is good again")
        case nil: return
        }
    }

    private func saveBreakers() async {
        let keys = breakers.writes.begin()
        let isWritten = await write(keys) { try await ports.store.save(breakers: breakers.values(of: $0)) }
        breakers.writes.end(keys, isWritten: isWritten)
    }

    // MARK: - Alerts

    /// Raises what has become true and clears what is no more.
    func reviewAlerts() {
        let now = ports.now()
        var facts = Alerts.Facts(desired: desired, exits: exits, breakers: breakers.all, uncompared: uncompared(now))
        facts.reported = ports.reports()
        guard let changes = alerts.review(facts, asked: Set(checks.times.keys), now: now) else { return }
        for alert in changes.raised {
            record(.alertRaised, alert.severity, "alert \(alert.subject): \(alert.message); \(alert.remedy)")
        }
        for subject in changes.cleared { record(.alertCleared, .info, "alert \(subject) is over") }
        publishView()
    }

    private func saveAlerts() async {
        let subjects = alerts.writes.begin()
        let isWritten = await write(subjects) { subjects in
            let (open, cleared) = alerts.values(of: subjects)
            try await ports.store.save(alerts: open, cleared: cleared)
        }
        alerts.writes.end(subjects, isWritten: isWritten)
    }

    /// Saves breakers and alerts beside the loop, which must not wait for a store that hangs.
    func saveMemories() {
        guard savingMemories == nil, !breakers.writes.isEmpty || !alerts.writes.isEmpty else { return }
        savingMemories = spawn { controller in
            await controller.saveBreakers()
            await controller.saveAlerts()
            controller.savingMemories = nil
        }
    }
}
