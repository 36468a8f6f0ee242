import HTTPServing
package import Model
import OpenAPI

/// One way in for proxy users.
package struct ProxyEntry: Sendable {
    /// What picks the country: the port, the user's name, or the name that a TLS client asks for.
    package enum Choice: String, Sendable, CaseIterable { case port, user, name }

    package var address: String
    /// `http`, `socks5`; `https` where TLS comes first; `proxy` for one in front that speaks the PROXY protocol.
    package var protocols: [String]
    package var choice: Choice
    /// Nil where the choice is the user's.
    package var country: CountryCode?
    /// Host names that lead there.
    package var names: [String]
    /// False where it stays closed: another program has the port, or there is no certificate.
    package var isOpen: Bool

    package init(
        address: String, protocols: [String], choice: Choice, country: CountryCode? = nil, names: [String] = [], isOpen: Bool
    ) {
        self.address = address
        self.protocols = protocols
        self.choice = choice
        self.country = country
        self.names = names
        self.isOpen = isOpen
    }
}

/// `/admin/routes`: which entry leads to which exits.
struct EntryRoutes: RouteGroup {
    let operations: any Operations
    /// Where proxy users can connect, in a state.
    let entries: (@Sendable (OperatorState) -> [ProxyEntry])?

    var routes: [APIRoute] {
        [
            Route(
                "GET", "/admin/routes", .admin, "The proxies' entries, and the exits behind each",
                answers: [.json(200, "the entries", .routes)], limit: .strict, .ready(showEntries))
        ]
    }

    func showEntries(_ request: ServerRequest) throws -> ServerResponse {
        let state = operations.state
        let views = (entries?(state) ?? []).map { entry in
            let exits = entry.country.map { country in
                state.exits.serving(in: country).map(\.id).sorted()
            }
            return Fields([
                "address": entry.address, "protocols": entry.protocols, "by": entry.choice.rawValue, "country": entry.country,
                "names": entry.names, "open": entry.isOpen, "exits": exits,
                "fallback": entry.country.map { state.pools[$0]?.fallback ?? [] },
            ])
        }
        return .json(["routes": views])
    }
}

extension Schema {
    static let routes = named(
        "Routes",
        .always(
            "routes",
            .objects(
                .always("address", .text("127.0.0.1:20538")), .always("protocols", .list(.choice(["http", "socks5", "https", "proxy"]))),
                .always("by", .choice(ProxyEntry.Choice.self), "what chooses the country"),
                .maybe("country", .text("US"), "absent if the user's name chooses it, or any country is used"),
                .always("names", .list(.text("proxy-us.example.com")), "host names that lead there"),
                .always("open", .flag, "false if another program holds the port, or there is no certificate"),
                .maybe("exits", .list(.text("us-1")), "exits of the country that take traffic"),
                .maybe("fallback", .list(.text("CA")), "countries that are used instead while there are none"),
                showing: ["open": .bool(true), "names": .array([]), "protocols": .array([.string("http"), .string("socks5")])])))
}
