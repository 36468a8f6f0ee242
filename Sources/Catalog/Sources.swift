package import Model
package import Planning

package enum ListAnswer: Sendable {
    /// The servers that can be used, and how many rows could not, by reason.
    case list(servers: [Server], dropped: [String: Int], stamp: ListStamp)
    /// The list that the stamp is of is still the newest.
    case unchanged
}

/// One provider's list, as the catalog asks for it.
package protocol ServerSource: Sendable {
    var provider: ProviderName { get }
    /// True where the list is made on this machine, of what the operator has there: it is nobody else's, costs nobody a call, and what it no
    /// longer has was taken away.
    var isLocal: Bool { get }
    func list(newerThan stamp: ListStamp?) async throws -> ListAnswer
}

extension ServerSource {
    package var isLocal: Bool { false }
}

/// An error of a source that says more about when to ask again.
package protocol SourceFailure: Error {
    /// The provider has had enough of us: a status 429, a page that blocks.
    var isRefusal: Bool { get }
    /// Seconds that it asks us to wait.
    var retryAfter: Double? { get }
    /// It answered, but with nothing that can be used: waiting does not help.
    var isUnreadable: Bool { get }
}

extension SourceFailure {
    package var isUnreadable: Bool { false }
}

/// A provider's list as it was fetched.
package struct StoredListing: Codable, Sendable, Equatable {
    package var servers: [Server]
    package var fetchedAt: Timestamp
    package var dropped: [String: Int]?
    package var stamp: ListStamp?
    /// What it lacks, where it was believed although it looked cut short.
    package var shrinkage: Shrinkage?

    package init(
        servers: [Server], fetchedAt: Timestamp, dropped: [String: Int]? = nil, stamp: ListStamp? = nil, shrinkage: Shrinkage? = nil
    ) {
        self.servers = servers
        self.fetchedAt = fetchedAt
        self.dropped = dropped
        self.stamp = stamp
        self.shrinkage = shrinkage
    }
}

/// A list that has lost much, and was believed.
package struct Shrinkage: Codable, Sendable, Equatable {
    /// How many servers there were before, and the countries that have gone.
    package var servers: Int
    package var countries: [CountryCode]
    package var at: Timestamp

    /// Seconds for which it is told.
    package static let seconds = 86_400.0

    package init(servers: Int, countries: [CountryCode], at: Timestamp) {
        self.servers = servers
        self.countries = countries
        self.at = at
    }

    /// True where the list has back what it had lost, or has been without it for a day.
    func isOver(_ list: [Server], _ now: Timestamp) -> Bool {
        if now - at >= Self.seconds { return true }
        guard Double(list.count) >= Double(servers) * (1 - ListComparison.tolerableLoss) else { return false }
        return Set(countries).isSubset(of: list.map(\.country))
    }
}

/// Keeps the last good lists, so that a start works while a provider's API is away, and one fetch serves all controllers.
package protocol ListingStore: Sendable {
    func listing(of provider: ProviderName) async throws -> StoredListing?
    func save(_ listing: StoredListing, of provider: ProviderName) async throws
    /// When the stored list was fetched, without reading all of it.
    func fetchTime(of provider: ProviderName) async throws -> Timestamp?
    /// Takes the right to fetch for that many seconds; nil where somebody else has it.
    func beginFetch(of provider: ProviderName, seconds: Int) async throws -> String?
    /// Gives the right back, if it is still ours.
    func endFetch(of provider: ProviderName, right: String) async throws
    /// What is remembered of a provider that has refused us; nil for nothing.
    func breaker(of provider: ProviderName) async throws -> Breaker?
    func save(_ breaker: Breaker?, of provider: ProviderName) async throws
}

/// No list of servers could be had, or none that says anything.
package struct CatalogError: Error, CustomStringConvertible {
    package var message: String
    /// A provider answered, but with nothing that can be used.
    package var isUnreadable: Bool
    package var description: String { "catalog: \(message)" }

    init(message: String, isUnreadable: Bool = false) {
        self.message = message
        self.isUnreadable = isUnreadable
    }
}

/// What one provider's part of the catalog is like.
package struct ListingStatus: Sendable, Equatable {
    package var provider: ProviderName
    /// The list is made on this machine.
    package var isLocal = false
    package var servers = 0
    package var dropped: [String: Int] = [:]
    package var fetchedAt: Timestamp?
    /// The list is older than it should be, for the provider could not be asked.
    package var isStale = false
    /// Why the last fetch failed; where none has ended, that the provider has not answered yet.
    package var problem: String?
    /// Since when there has been no list; nil where there is one.
    package var lackingSince: Timestamp?
    /// Why a newer list is held back.
    package var suspicion: String?
    package var shrinkage: Shrinkage?
}

/// The catalog at one moment.
package struct CatalogSnapshot: Sendable {
    /// Equal revisions are equal snapshots.
    package var revision: Int
    /// Of all providers, least loaded first, with what was measured.
    package var servers: [Server]
    package var listings: [ListingStatus]
}

extension ServerFilter {
    package init(_ pool: Pool) {
        self.init(
            provider: pool.provider, country: pool.country, city: pool.city, tags: Set(pool.limits.tags ?? []),
            hostnames: Set(pool.limits.hostnames ?? []), excludedHostnames: Set(pool.limits.exclude ?? []))
    }
}
