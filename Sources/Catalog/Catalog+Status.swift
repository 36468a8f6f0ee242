package import Model
import Planning
import Platform
import Synchronization

/// What is told of the providers' lists, without waiting for anybody.
extension Catalog {
    /// Seconds without a list, or without its renewal, before somebody is called.
    private static let patience = 30.0

    /// Of each provider, as it is now.
    package nonisolated var statuses: [ListingStatus] {
        let now = SystemClock.now()
        let board = board.withLock { $0 }
        return providers.compactMap { board[$0] }.map { status in
            var status = status
            let period = status.isLocal ? max(Self.patience, 3 * settings.localSeconds) : settings.period(of: status.provider) * 1.2
            status.isStale = status.fetchedAt.map { now - $0 > period } ?? false
            if let since = status.lackingSince, status.problem == nil, now - since >= settings.shortPatience {
                status.problem = "\(status.provider) has not answered yet"
            }
            return status
        }
    }

    /// Why there is no list of any provider; nil where there is one, and at a start before anybody could answer.
    package nonisolated var lack: String? {
        let statuses = statuses
        let problems = statuses.compactMap(\.problem)
        guard !statuses.contains(where: { $0.fetchedAt != nil }), !problems.isEmpty else { return nil }
        return "no provider has given a list of servers: \(problems.joined(separator: "; "))"
    }

    func status(of name: ProviderName, _ old: ListingStatus?) -> ListingStatus {
        var status = ListingStatus(provider: name, isLocal: isLocal(name))
        status.problem = self[name].error.map { "\($0)" }
        status.suspicion = self[name].suspicion?.words
        guard let listing = self[name].listing else {
            status.lackingSince = old?.lackingSince ?? SystemClock.now()
            return status
        }
        status.servers = listing.servers.count
        (status.dropped, status.fetchedAt, status.shrinkage) = (listing.dropped, listing.fetchedAt, listing.shrinkage)
        return status
    }

    /// What a human should see to.
    package nonisolated func alerts(_ now: Timestamp = SystemClock.now()) -> [Alert] {
        let statuses = statuses
        let isEmpty = !statuses.contains { $0.fetchedAt != nil }
        return statuses.compactMap { Self.alert($0, isEmpty: isEmpty, now) } + statuses.compactMap { Self.alertOfSize($0, now) }
    }

    /// A list that there is not, or not anew.
    private static func alert(_ status: ListingStatus, isEmpty: Bool, _ now: Timestamp) -> Alert? {
        let (name, problem) = (status.provider, status.problem)
        guard let problem else { return nil }
        if let since = status.lackingSince {
            guard now - since >= patience else { return nil }
            return Alert(
                .list(name), isEmpty ? .critical : .warning,
                "\(name) has never given a list of servers, so no exit of it can start: \(problem)",
                remedy: status.isLocal
                    ? localRemedy
                    : "check providers.\(name).api_url and that this machine may reach it by name; GET /api/providers shows the last answer",
                since: since)
        }
        guard status.isStale, let fetchedAt = status.fetchedAt, status.suspicion == nil else { return nil }
        return Alert(
            .list(name), .warning, "the list of \(name) is from \(fetchedAt) and can't be renewed: \(problem)",
            remedy: status.isLocal ? localRemedy : "check that this machine reaches the API of \(name); the old list is used meanwhile",
            since: fetchedAt)
    }

    private static let localRemedy =
        "check that providers.wireguard.directory is there and has usable files (sallyport wireguard check); what was read last is used meanwhile"

    /// A list that has lost much, before it is believed and for a day after.
    private static func alertOfSize(_ status: ListingStatus, _ now: Timestamp) -> Alert? {
        let name = status.provider
        if let words = status.suspicion, status.fetchedAt != nil {
            return Alert(
                .size(name), .warning,
                "the new list of \(name) looks incomplete: \(words). The old list is used until the new one has come three times",
                remedy: "compare with \(name)'s own list of servers; if the servers are really gone, nothing needs to be done", since: now)
        }
        guard let shrinkage = status.shrinkage, now - shrinkage.at < Shrinkage.seconds else { return nil }
        let countries =
            shrinkage.countries.isEmpty ? "" : " and none in \(shrinkage.countries.map(\.rawValue).joined(separator: ", ")) any more"
        return Alert(
            .size(name), .warning,
            "the list of \(name) has \(status.servers) servers\(countries), where there were \(shrinkage.servers): it is used, "
                + "because it came three times",
            remedy: "compare with \(name)'s own list of servers; the alert ends when they are back, or after a day", since: shrinkage.at)
    }
}
