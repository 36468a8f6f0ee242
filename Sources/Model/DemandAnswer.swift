/// What becomes of a request for a country that has no exit.
package enum DemandAnswer: Hashable, Sendable {
    /// An exit is on its way.
    case coming
    case refused(Refusal)

    /// Why, as the gateway tells the user.
    package enum Refusal: String, Sendable, CaseIterable {
        /// The user has opened too many countries in the last minute.
        case openingLimit = "opening_limit"
        case countryNotAllowed = "country_not_allowed"
        /// No provider has a server there.
        case noServer = "no_server"
        /// All tunnels of the accounts are in use.
        case noTunnel = "no_tunnel"
        /// The country is not on demand, or what it needs does not answer.
        case noExit = "no_exit"
    }

    package var line: String {
        switch self {
        case .coming: "coming"
        case .refused(let refusal): "refused \(refusal.rawValue)"
        }
    }
}
