/// A session of a proxy user, as the gateway remembers it.
package struct ProxySession: Hashable, Sendable {
    /// What the gateway keeps it under: `alice/a1/us,ca/newyork`.
    package var key: String
    package var name: String
    /// Those that were asked for; empty for any.
    package var countries: [CountryCode]
    /// The city's word; nil where none was asked for.
    package var city: String?
    /// Of its exit, as `GatewayOccupant.number`.
    package var exitNumber: UInt32
    package var endsAt: Timestamp

    /// Nil for a key that is none.
    package init?(key: String, exitNumber: UInt32, endsAt: Timestamp) {
        let words = key.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard words.count == 4 else { return nil }
        let codes = words[2].split(separator: ",").map { CountryCode(String($0)) }
        guard words[2] == "any" || (!codes.isEmpty && !codes.contains(nil)) else { return nil }
        (self.key, name, countries) = (key, words[1], codes.compactMap(\.self))
        city = words[3].isEmpty ? nil : words[3]
        (self.exitNumber, self.endsAt) = (exitNumber, endsAt)
    }

    /// Whether its next request may go to an exit.
    package func takes(_ exit: Exit, of user: ProxyUser) -> Bool {
        guard exit.state.takesTraffic, !exit.leaving, user.countries.isEmpty || user.countries.contains(exit.id.country) else {
            return false
        }
        guard countries.isEmpty || countries.contains(exit.id.country) else { return false }
        return city.map { $0 == GatewayOccupant.word(city: exit.server?.city ?? "") } ?? true
    }

    /// Whether it is at an exit.
    package func isAt(_ exit: Exit) -> Bool { GatewayOccupant(exit: exit.id, generation: exit.generation).number == exitNumber }
}
