package import Model

/// The secrets that exits ask for, all derived from the root key: an exit answers only to who knows one of its own.
///
/// An exit has two or three: its own, which belongs to one generation and tells it from every other container; its pool's; and its
/// city's, where its server has one. The gateway may send a request to any exit of a pool, or of a city, by the latter two.
package struct ExitCredentials: Sendable {
    /// The user name of all of them, in Basic authentication (RFC 7617).
    package static let user = "exit"

    private let root: RootKey

    package init(root: RootKey) { self.root = root }

    /// Of one container: 64 lower-case hexadecimal digits, like the others.
    package func own(_ exit: ExitID, generation: Int) -> Secret { root.derived(for: "exits/\(exit)/\(generation)") }

    package func pool(_ country: CountryCode) -> Secret { root.derived(for: "exits/pool/\(country.lowercased)") }

    /// - Parameter city: as `GatewayOccupant.word(city:)` writes it.
    package func city(_ city: String, of country: CountryCode) -> Secret {
        root.derived(for: "exits/city/\(country.lowercased)/\(city)")
    }

    /// What to show to an exit's proxy; nil for one that asks for nothing and would hand it on to the target.
    package func password(for proxy: ExitProxy) -> Secret? {
        proxy.knowsCredential ? own(proxy.exit, generation: proxy.generation) : nil
    }

    /// As Basic authentication has them behind the word `Basic`.
    package static func basic(_ password: Secret) -> String { Base64.encode(Array("\(user):\(password.revealed)".utf8)) }
}
