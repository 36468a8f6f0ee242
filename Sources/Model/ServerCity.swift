/// The city of a provider's server, as a key. A server without a city is alone in a city of its own.
package struct ServerCity: Hashable, Sendable {
    package let provider: ProviderName
    package let country: CountryCode
    package let name: String

    package init(of server: Server) {
        (provider, country, name) = (server.provider, server.country, server.city ?? server.hostname)
    }
}
