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
    /// A pool on demand: a request has opened it; nobody uses it any more; another country needs its tunnel.
    case poolOpened = "pool.opened"
    case poolClosed = "pool.closed"
    case poolEvicted = "pool.evicted"
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
    /// A damaged file of the private store was mended.
    case storeMended = "store.mended"
    case hookDisabled = "webhook.disabled"
    /// A receiver has refused one event so often that the next one is sent.
    case hookGaveUp = "webhook.gave_up"
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
    package var cause: EventCause?
    /// Who asked for it, where somebody did and is known: the name of an API key.
    package var by: String?
    /// Its own from the first moment on, before the store gives it an id: the same event told twice is known by it.
    package var uid: String?

    package init(
        at: Timestamp, _ kind: EventKind, _ severity: Severity = .info, _ message: String, country: CountryCode? = nil,
        exit: ExitID? = nil, server: String? = nil, reason: ExitReason? = nil, cause: EventCause? = nil, by: String? = nil
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
        self.by = by
        uid = String(UInt64.random(in: .min ... .max), radix: 36)
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
    package static func isValidID(_ text: String) -> Bool { EventPlace(text) != nil }
}

/// A place in the log of events; one that is later compares as greater.
package struct EventPlace: Comparable, Hashable, Sendable, CustomStringConvertible {
    package var milliseconds: UInt64
    package var number: UInt64

    package static let start = EventPlace(milliseconds: 0, number: 0)

    package init(milliseconds: UInt64, number: UInt64) {
        self.milliseconds = milliseconds
        self.number = number
    }

    /// Nil for what is no event's id.
    package init?(_ id: String) {
        let parts = id.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ (1...19).contains($0.utf8.count) && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
            let milliseconds = UInt64(parts[0]), let number = UInt64(parts[1])
        else { return nil }
        (self.milliseconds, self.number) = (milliseconds, number)
    }

    package static func < (left: EventPlace, right: EventPlace) -> Bool {
        (left.milliseconds, left.number) < (right.milliseconds, right.number)
    }

    package var description: String { "\(milliseconds)-\(number)" }

    /// The last place that comes before it: there is nothing between the two. Numbers of 19 digits are as many as are read.
    package var predecessor: EventPlace {
        if number > 0 { return EventPlace(milliseconds: milliseconds, number: number - 1) }
        guard milliseconds > 0 else { return .start }
        return EventPlace(milliseconds: milliseconds - 1, number: 9_999_999_999_999_999_999)
    }
}

/// A piece of the log of events.
package struct EventPage: Sendable {
    /// Why events between the place that was asked for and this piece are missing.
    package enum Gap: String, Sendable {
        /// They are no longer kept.
        case tooOld = "too_old"
        /// The place is none of this log: it is later than the log's end.
        case unknown
    }

    /// In their order; entries that can't be read are left out.
    package var events: [StoredEvent]
    /// Where the piece ends; nil where nothing came after the place that was asked for.
    package var end: EventPlace?
    package var gap: Gap?

    package init(events: [StoredEvent], end: EventPlace?, gap: Gap? = nil) {
        self.events = events
        self.end = end
        self.gap = gap
    }
}
