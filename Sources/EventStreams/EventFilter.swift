package import Model

/// Which events a reader is sent, and whether it sees the names of proxy users.
package struct EventFilter: Sendable {
    var country: CountryCode?
    var kind: EventKind?
    var showsNames = false

    /// - Parameters:
    ///   - country: nil for events of all countries.
    ///   - kind: nil for events of all kinds.
    package init(country: CountryCode?, kind: EventKind?, showsNames: Bool) {
        self.country = country
        self.kind = kind
        self.showsNames = showsNames
    }

    package func shown(_ event: Event) -> Event { showsNames ? event : event.withoutUserName }

    package func contains(_ event: Event) -> Bool {
        (country == nil || event.country == country) && (kind == nil || event.kind == kind)
    }
}
