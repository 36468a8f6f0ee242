package import Model

/// The alerts that are open, and since when what they follow from is as it is. Pure: time is an input.
///
/// An alert is opened when what it says has become true, and closed only when it was seen to be no longer true. Those of an earlier
/// controller stay open until somebody has looked at what they are about.
package struct AlertRegistry: Sendable {
    package enum TroubleChange: Equatable, Sendable { case began, changed }

    /// What a review has changed.
    package struct Changes: Equatable, Sendable {
        /// Alerts that were not open before.
        package var raised: [Alert]
        package var cleared: [AlertSubject]

        package init(raised: [Alert], cleared: [AlertSubject]) {
            self.raised = raised
            self.cleared = cleared
        }
    }

    /// Seconds after its start for which a controller keeps an earlier one's alert about a dependency that it need not ask.
    private static let uncheckedSeconds = 600.0
    /// The same for providers' lists, which are fetched anew at the start and missed only after a while.
    private static let uncheckedListSeconds = Alerts.patience + 10

    package private(set) var open: [AlertSubject: Alert] = [:]
    package var writes = WriteBehind<AlertSubject>()
    private var memory = Alerts.Memory()
    /// When an earlier controller's alerts were taken over, and the containers of which one of these says that they can't be removed.
    private var recalledAt: Timestamp?
    private var uncheckedContainers: Set<String> = []

    package init() {}

    package var troubles: [Dependency: Alerts.Trouble] { memory.troubles }

    /// Since when there is an alert about it; nil where there is none.
    package func since(_ subject: AlertSubject) -> Timestamp? { open[subject]?.since }

    // MARK: - What happened

    /// A dependency does not do what it is needed for.
    /// - Returns: nil where that is known already.
    package mutating func note(_ dependency: Dependency, _ message: String, remedy: String? = nil, _ now: Timestamp) -> TroubleChange? {
        let old = memory.troubles[dependency]
        // Where an earlier controller's alert is open it has been so all the time.
        let since = old?.since ?? open[.part(dependency)]?.since ?? now
        memory.troubles[dependency] = Alerts.Trouble(message: message, since: since, remedy: remedy)
        return old == nil ? .began : old?.message == message ? nil : .changed
    }

    /// A dependency is well.
    /// - Returns: false where it has been well before.
    package mutating func clear(_ dependency: Dependency) -> Bool { memory.troubles.removeValue(forKey: dependency) != nil }

    package mutating func note(stuck container: String, _ reason: String) {
        memory.stuckContainers[container] = reason
        uncheckedContainers.remove(container)
    }

    package mutating func clear(stuck container: String) {
        memory.stuckContainers[container] = nil
        uncheckedContainers.remove(container)
    }

    /// - Parameter present: all containers that there are. One that is gone, by whoever's hand, is in nobody's way.
    package mutating func clearStuck(allBut present: Set<String>) {
        memory.stuckContainers = memory.stuckContainers.filter { present.contains($0.key) }
        uncheckedContainers.formIntersection(present)
    }

    // MARK: - Review

    /// Opens what has become true and closes what is no more.
    /// - Parameter asked: the dependencies that this controller has asked; of others it does not know whether they are well.
    /// - Returns: nil where all alerts are as they were.
    package mutating func review(_ facts: Alerts.Facts, asked: Set<Dependency>, now: Timestamp) -> Changes? {
        noteUnserved(facts, now)
        let old = open
        let certain = Alerts.of(facts, memory, now: now)
        let subjects = Set(certain.map(\.subject))
        let wanted = certain + unchecked(asked, now).filter { !subjects.contains($0.subject) }
        open = wanted.reduce(into: [:]) { result, alert in
            var alert = alert
            alert.since = old[alert.subject]?.since ?? alert.since
            result[alert.subject] = alert
        }
        guard old != open else { return nil }
        writes.mark(Set(old.keys).union(open.keys).filter { old[$0] != open[$0] })
        return Changes(raised: wanted.filter { old[$0.subject] == nil }, cleared: old.keys.filter { open[$0] == nil }.sorted())
    }

    private mutating func noteUnserved(_ facts: Alerts.Facts, _ now: Timestamp) {
        let isOffline = memory.troubles[.host] != nil
        for (country, pool) in facts.desired.pools {
            let isServed =
                pool.isClosed || facts.exits.of(country).contains { $0.state.takesTraffic && ($0.health.verdict != .dead || isOffline) }
            memory.unserved[country] = isServed ? nil : memory.unserved[country] ?? now
        }
        memory.unserved = memory.unserved.filter { facts.desired.pools[$0.key] != nil }
    }

    /// Open alerts of an earlier controller about what nobody has looked at since.
    private func unchecked(_ asked: Set<Dependency>, _ now: Timestamp) -> [Alert] {
        guard let recalledAt else { return [] }
        let age = now - recalledAt
        return open.values.filter { alert in
            switch alert.subject {
            case .container(let name): uncheckedContainers.contains(name)
            case .list, .size: age < Self.uncheckedListSeconds
            case .part(let dependency): age < Self.uncheckedSeconds && !asked.contains(dependency)
            default: false
            }
        }.sorted { $0.subject < $1.subject }
    }

    // MARK: - Time and the store

    /// Takes over the alerts that were open when the last controller ended.
    package mutating func recall(_ stored: [Alert], now: Timestamp) {
        open = stored.reduce(into: [:]) { $0[$1.subject] = $1 }
        recalledAt = now
        (memory.unserved, memory.stuckContainers, uncheckedContainers) = ([:], [:], [])
        for alert in stored {
            switch alert.subject {
            case .pool(let country) where alert.severity == .critical: memory.unserved[country] = alert.since
            case .container(let name): uncheckedContainers.insert(name)
            default: continue
            }
        }
    }

    /// The clock was set by so many seconds.
    package mutating func shift(by seconds: Double) {
        for (subject, alert) in open { open[subject]?.since = alert.since + seconds }
        for (dependency, trouble) in memory.troubles { memory.troubles[dependency]?.since = trouble.since + seconds }
        memory.unserved = memory.unserved.mapValues { $0 + seconds }
        recalledAt = recalledAt.map { $0 + seconds }
        markAll()
    }

    /// Marks all of them, for a store that has lost them.
    package mutating func markAll() { writes.mark(open.keys) }

    /// What the store is to have of these: alerts that are open, and subjects of those that are not.
    package func values(of subjects: Set<AlertSubject>) -> (open: [Alert], cleared: [AlertSubject]) {
        (subjects.compactMap { open[$0] }, subjects.filter { open[$0] == nil })
    }
}
