/// What can happen, as a word for machines.
package enum EventKind: String, Codable, Sendable, CaseIterable {
    case exitWanted = "exit.wanted"
    case exitStarting = "exit.starting"
    case exitVerifying = "exit.verifying"
    case exitServing = "exit.serving"
    case exitStandby = "exit.standby"
    case exitDegraded = "exit.degraded"
    case exitRecovered = "exit.recovered"
    case exitLost = "exit.lost"
    case exitFailed = "exit.failed"
    case exitLeaving = "exit.leaving"
    case exitDraining = "exit.draining"
    case exitStopped = "exit.stopped"
    case exitGone = "exit.gone"
    /// A pool's traffic moved to another exit because one died, or because that was planned.
    case failover = "pool.failover"
    case rotation = "pool.rotation"
    case poolChanged = "pool.changed"
    case poolRemoved = "pool.removed"
    case userAdded = "user.added"
    case userChanged = "user.changed"
    case userRemoved = "user.removed"
    case partTroubled = "part.troubled"
    case partRecovered = "part.recovered"
    case breakerOpened = "breaker.opened"
    case breakerClosed = "breaker.closed"
    case alertRaised = "alert.raised"
    case alertCleared = "alert.cleared"
    case leaderChanged = "leader.changed"
    case hookDisabled = "webhook.disabled"
    case reloaded = "configuration.reloaded"
}

package enum Severity: String, Codable, Sendable, CaseIterable, Comparable {
    case info, warning, critical

    package static func < (left: Severity, right: Severity) -> Bool { left.rank < right.rank }
    private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

/// Something that happened, told once: in the log, in the store, to whoever listens.
package struct Event: Hashable, Codable, Sendable {
    package var at: Timestamp
    package var kind: EventKind
    package var severity: Severity
    /// A sentence for people; never a secret.
    package var message: String
    package var country: CountryCode?
    package var exit: ExitID?
    /// The host name of the server that it is about.
    package var server: String?
    package var reason: ExitReason?
    /// What set it off, in words: `probe`, `engine`, `operator`, `schedule`, `planner`.
    package var cause: String?

    package init(
        at: Timestamp, _ kind: EventKind, _ severity: Severity = .info, _ message: String, country: CountryCode? = nil,
        exit: ExitID? = nil, server: String? = nil, reason: ExitReason? = nil, cause: String? = nil
    ) {
        self.at = at
        self.kind = kind
        self.severity = severity
        self.message = message
        self.country = country ?? exit?.country
        self.exit = exit
        self.server = server
        self.reason = reason
        self.cause = cause
    }
}

/// An event as the store keeps it.
package struct StoredEvent: Hashable, Sendable {
    /// Milliseconds and a number, "1700000000000-0": ids grow, in the order in which events were stored.
    package var id: String
    package var event: Event

    package init(id: String, event: Event) {
        self.id = id
        self.event = event
    }

    /// True for what can be an id: two decimal numbers with a hyphen between them.
    package static func isValidID(_ text: String) -> Bool {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        return parts.count == 2 && parts.allSatisfy { UInt64($0) != nil && $0.utf8.count <= 19 }
    }
}

/// Something that a human should see to, for as long as it is true.
package struct Alert: Hashable, Codable, Sendable {
    /// What it is about, so that the same trouble is one alert: `host`, `credential:nordvpn`, `pool:us`.
    package var id: String
    package var severity: Severity
    package var message: String
    /// What a human should do.
    package var remedy: String
    package var since: Timestamp

    package init(id: String, severity: Severity, message: String, remedy: String, since: Timestamp) {
        self.id = id
        self.severity = severity
        self.message = message
        self.remedy = remedy
        self.since = since
    }
}
