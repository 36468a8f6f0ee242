import Model
import Planning

/// What the catalog knows of one provider: its list, and how the fetches of it went.
struct KnownProvider {
    /// The last good list.
    var listing: Listing?
    /// Whether its stored list was looked for.
    var isRecalled = false
    /// The fetch under way, and when the last one began.
    var fetch: Task<Void, Never>?
    var fetchBegunAt: ContinuousClock.Instant?
    /// The last fetch's error, how many failed in a row, and when the next one may begin.
    private(set) var error: (any Error)?
    private(set) var failures = 0
    var retryAt: Timestamp?
    /// How often in a row its list looked cut short, and why.
    var suspicion: (count: Int, words: String)?
    /// By how much of the period its next fetch comes early or late, so that controllers don't fetch in step.
    private(set) var jitter = 1.0

    mutating func take(_ listing: Listing) {
        self.listing = listing
        jitter = Double.random(in: 0.9...1.1)
    }

    /// A fetch went well, here or in another controller.
    mutating func succeeded() { (error, failures, retryAt) = (nil, 0, nil) }

    mutating func failed(_ error: any Error) {
        self.error = error
        failures += 1
    }

    /// Not asked, because it has refused others.
    mutating func refused(_ error: any Error) { self.error = error }
}

/// A provider's list of servers.
struct Listing {
    var servers: [Server]
    var byCountry: [CountryCode: [Server]]
    var dropped: [String: Int]
    var fetchedAt: Timestamp
    var stamp: ListStamp?
    var shrinkage: Shrinkage?

    init(_ stored: StoredListing) {
        servers = stored.servers
        byCountry = Dictionary(grouping: stored.servers, by: \.country)
        dropped = stored.dropped ?? [:]
        fetchedAt = stored.fetchedAt
        stamp = stored.stamp
        shrinkage = stored.shrinkage
    }

    var stored: StoredListing {
        StoredListing(servers: servers, fetchedAt: fetchedAt, dropped: dropped, stamp: stamp, shrinkage: shrinkage)
    }
}
