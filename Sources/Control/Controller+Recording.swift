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
                changeBreaker(Breaker.name(server: server.hostname)) { breaker in
                    breaker.fail(failure.reason.rawValue, now, Breaker.ofServers, salt: UInt64(truncatingIfNeeded: now.milliseconds))
                }
            }
            learnAboutCredential(of: server, failure.reason, now)
        }
        guard let server = new.server, old?.state != new.state else { return }
        switch new.state {
        case .starting:
            for name in [Breaker.name(server: server.hostname), Breaker.name(credential: server.provider)] where breakers[name] != nil {
                changeBreaker(name) { $0.begin(now) }
            }
        case .standby:
            handshakes.proved(server, new.country, now)
            noteKeyTaken(by: server.provider)
        default: return
        }
    }

    /// A server whose exit has served for a while is a good one again.
    func noteProven(_ exit: Exit) {
        let now = ports.now()
        guard let name = exit.server.map({ Breaker.name(server: $0.hostname) }), breakers[name].map({ $0.state(now) != .closed }) ?? false
        else { return }
        changeBreaker(name) { $0.rest(now) }
    }

    func changeBreaker(_ name: String, _ body: (inout Breaker) -> Void) {
        var breaker = breakers[name] ?? Breaker()
        body(&breaker)
        set(breaker, name)
    }

    func set(_ breaker: Breaker, _ name: String) {
        let now = ports.now()
        let old = breakers[name]?.state(now) ?? .closed
        // A closed one that remembers nothing is the same as none.
        let isIdle = breaker.isForgettable(now, Breaker.ofServers)
        guard breakers[name] != (isIdle ? nil : breaker) else { return }
        breakers[name] = isIdle ? nil : breaker
        unsavedBreakers.insert(name)
        let new = breaker.state(now)
        if new == .open, old != .open {
            let seconds = breaker.openUntil.map { Figures.decimal($0 - now, digits: 0) } ?? "?"
            let again = breaker.openings > 1 ? " (\(breaker.openings) times in a row)" : ""
            record(.breakerOpened, .warning, "\(name) is left alone for \(seconds) s: \(breaker.reason ?? "it failed")\(again)")
        } else if new == .closed, old != .closed {
            record(.breakerClosed, .info, "\(name) is good again")
        }
    }

    /// Forgets those that have been closed for long, and those that have been quiet for a day after their cool-down.
    func forgetOldBreakers() {
        let now = ports.now()
        for (name, breaker) in breakers {
            guard breaker.isForgettable(now, Breaker.ofServers) || breaker.openUntil.map({ now - $0 > 86_400 }) ?? false else { continue }
            breakers[name] = nil
            unsavedBreakers.insert(name)
        }
    }

    private func saveBreakers() async {
        guard !unsavedBreakers.isEmpty else { return }
        let names = unsavedBreakers
        unsavedBreakers = []
        do {
            try await ports.store.save(breakers: names.reduce(into: [:]) { $0.updateValue(breakers[$1], forKey: $1) })
        } catch {
            unsavedBreakers.formUnion(names)
            note(.store, error)
        }
    }

    // MARK: - Alerts

    /// Raises what has become true and clears what is no more.
    func reviewAlerts() {
        let now = ports.now()
        for pool in desired.pools.values {
            let isServed = exits.of(pool.country).contains {
                $0.state.takesTraffic && ($0.health.verdict != .dead || problems[.host] != nil)
            }
            if isServed { unserved[pool.country] = nil } else if unserved[pool.country] == nil { unserved[pool.country] = now }
        }
        for country in unserved.keys where desired.pools[country] == nil { unserved[country] = nil }
        var facts = Alerts.Facts(
            desired: desired, exits: exits, breakers: breakers,
            problems: problems.reduce(into: [:]) { $0[$1.key.rawValue] = ($1.value, problemsSince[$1.key] ?? now) },
            unserved: unserved, stuckContainers: stuckContainers, uncompared: uncompared(now))
        facts.reported = ports.reports()
        facts.remedies = remedies.reduce(into: [:]) { $0[$1.key.rawValue] = $1.value }
        let old = alerts
        let certain = Alerts.of(facts, now: now)
        let wanted = certain + unaskedAlerts.filter { alert in !certain.contains { $0.id == alert.id } }
        alerts = wanted.reduce(into: [:]) { result, alert in
            var alert = alert
            alert.since = old[alert.id]?.since ?? alert.since
            result[alert.id] = alert
        }
        let raised = wanted.filter { old[$0.id] == nil }
        let cleared = old.keys.filter { alerts[$0] == nil }.sorted()
        for alert in raised { record(.alertRaised, alert.severity, "alert \(alert.id): \(alert.message); \(alert.remedy)") }
        for id in cleared { record(.alertCleared, .info, "alert \(id) is over") }
        guard old != alerts else { return }
        unsavedAlerts.formUnion(Set(old.keys).union(alerts.keys).filter { old[$0] != alerts[$0] })
        publishView()
    }

    /// Alerts about parts that nobody has asked yet since this controller has begun to lead: nobody knows that they are over. But
    /// what need not be asked for that long is no trouble any more.
    private var unaskedAlerts: [Alert] {
        guard let loadedAt, ports.instant - loadedAt < .seconds(settings.unaskedSeconds) else { return [] }
        let asked = checks.times
        // Providers' lists are asked for anew, and missed only after a while.
        let lists =
            ports.instant - loadedAt < .seconds(Alerts.patience + 10)
            ? alerts.values.filter { $0.id.hasPrefix("list:") || $0.id.hasPrefix("size:") } : []
        return lists + Dependency.allCases.filter { asked[$0] == nil }.compactMap { alerts["part:\($0.rawValue)"] }
    }

    private func saveAlerts() async {
        guard !unsavedAlerts.isEmpty else { return }
        let ids = unsavedAlerts
        unsavedAlerts = []
        do {
            try await ports.store.save(alerts: ids.compactMap { alerts[$0] }, cleared: ids.filter { alerts[$0] == nil })
        } catch {
            unsavedAlerts.formUnion(ids)
            note(.store, error)
        }
    }

    /// Saves breakers and alerts beside the loop, which must not wait for a store that hangs.
    func saveMemories() {
        guard savingMemories == nil, !unsavedBreakers.isEmpty || !unsavedAlerts.isEmpty else { return }
        savingMemories = spawn { controller in
            await controller.saveBreakers()
            await controller.saveAlerts()
            controller.savingMemories = nil
        }
    }

    /// What stood when the last controller ended, and since when: nothing of that is over because another one has begun.
    func recall(_ stored: [Alert]) {
        alerts = stored.reduce(into: [:]) { $0[$1.id] = $1 }
        stuckContainers = Alerts.stuckContainers(in: stored)
        unserved = Alerts.unserved(in: stored)
        recalledComparisons = Alerts.comparisons(in: stored)
    }
}
