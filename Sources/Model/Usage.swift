/// What was used: by a user in a country, or by an exit, in some time.
package struct Usage: Hashable, Codable, Sendable {
    /// From the clients to the targets, with the heads of requests.
    package var bytesIn: Int
    /// From the targets to the clients.
    package var bytesOut: Int
    /// Requests and tunnels.
    package var connections: Int
    /// Those that an exit or a target failed.
    package var errors: Int

    package init(bytesIn: Int = 0, bytesOut: Int = 0, connections: Int = 0, errors: Int = 0) {
        self.bytesIn = bytesIn
        self.bytesOut = bytesOut
        self.connections = connections
        self.errors = errors
    }

    package var bytes: Int { bytesIn + bytesOut }
    package var isEmpty: Bool { self == Usage() }

    package static func + (left: Usage, right: Usage) -> Usage {
        Usage(
            bytesIn: left.bytesIn + right.bytesIn, bytesOut: left.bytesOut + right.bytesOut,
            connections: left.connections + right.connections, errors: left.errors + right.errors)
    }

    /// What came on top of an earlier reading of the same counters; all of it where they began anew.
    package func since(_ earlier: Usage) -> Usage {
        let hasRestarted =
            bytesIn < earlier.bytesIn || bytesOut < earlier.bytesOut || connections < earlier.connections || errors < earlier.errors
        return hasRestarted
            ? self
            : Usage(
                bytesIn: bytesIn - earlier.bytesIn, bytesOut: bytesOut - earlier.bytesOut, connections: connections - earlier.connections,
                errors: errors - earlier.errors)
    }

    enum CodingKeys: String, CodingKey {
        case bytesIn = "bytes_in"
        case bytesOut = "bytes_out"
        case connections, errors
    }
}

/// Whose usage it is.
package enum UsageSubject: Hashable, Sendable {
    case user(UserAccount, CountryCode)
    case exit(ExitID)
}

/// The counters as the gateway has them now, each since its own beginning.
package struct UsageReading: Sendable {
    /// By a name that stands for one run of one process and one counter in it. What nobody is known for any more still has
    /// its reading, so that the next one to be counted there begins from it.
    package var counters: [String: (subject: UsageSubject?, usage: Usage)]
    /// What was refused before anybody was known, by names like these: the reason, and how often.
    package var refusals: [String: (reason: String, count: Int)] = [:]
    /// By counter, what the gateway did so that a request did not fail.
    package var attempts: [String: (kind: GatewayAttempt, count: Int)] = [:]
    /// Requests and tunnels that each exit carries now; one that carries none is not in it.
    package var openByExit: [ExitID: Int] = [:]
    package init(counters: [String: (subject: UsageSubject?, usage: Usage)] = [:]) { self.counters = counters }
}

package struct UsagePeriod: Sendable {
    /// `2026-11-21` or `2026-11-21T13`, in UTC; empty for all time.
    package var from: String
    package var sum: Usage
    /// By country, in lower case; nil where it is not told.
    package var countries: [String: Usage]?
    package init(from: String, sum: Usage = Usage(), countries: [String: Usage]? = nil) {
        self.from = from
        self.sum = sum
        self.countries = countries
    }
}

package struct UsageReport: Sendable {
    package var total: UsagePeriod
    package var today: UsagePeriod
    package var month: UsagePeriod
    /// The newest first.
    package var days: [UsagePeriod]
    package var hours: [UsagePeriod]
    package init(total: UsagePeriod, today: UsagePeriod, month: UsagePeriod, days: [UsagePeriod], hours: [UsagePeriod]) {
        self.total = total
        self.today = today
        self.month = month
        self.days = days
        self.hours = hours
    }
}

/// What the gateway does so that a request does not fail. The raw values are names in its Lua code.
package enum GatewayAttempt: String, CaseIterable, Sendable {
    /// A tunnel was tried at another exit.
    case retries
    /// A request waited for an exit that was on its way.
    case held
}
