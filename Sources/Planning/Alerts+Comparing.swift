package import Model

extension Alerts {
    /// An exit that serves, or stands by, although nobody has been able to compare it for a while.
    package struct Uncompared: Hashable, Sendable {
        package var exit: ExitID
        package var what: AlertSubject.Comparison
        package var since: Timestamp
        /// Why the last deep probe could not.
        package var problem: String?

        package init(exit: ExitID, what: AlertSubject.Comparison, since: Timestamp, problem: String?) {
            self.exit = exit
            self.what = what
            self.since = since
            self.problem = problem
        }
    }

    /// One alert for all exits: it is the services that they share.
    static func alert(_ what: AlertSubject.Comparison, _ uncompared: [Uncompared]) -> Alert? {
        let exits = uncompared.filter { $0.what == what }.sorted { $0.exit < $1.exit }
        guard let since = exits.map(\.since).min() else { return nil }
        let names = exits.prefix(3).map(\.exit.description).joined(separator: ", ")
        let more = exits.count > 3 ? " and \(exits.count - 3) more" : ""
        let why = exits.lazy.compactMap(\.problem).first.map { ": \($0)" } ?? ""
        let other = what == .address ? "this machine's own address, so a leak may not be detected" : "their country"
        return Alert(
            .comparison(what), .warning, "not compared since \(since): exits \(names)\(more) with \(other)\(why)",
            remedy:
                "set verification.urls to services that answer here with an address and a country; requests go through each exit. "
                + "If they do, all exits share verification.requests_per_day: raise it, or run a service of your own (verification.own_urls)",
            since: since)
    }
}
