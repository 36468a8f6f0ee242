/// The conditions that a server must meet; what is nil or empty is no condition.
package struct ServerFilter: Hashable, Sendable {
    package var provider: ProviderName?
    package var country: CountryCode?
    /// As `CityName.folded` writes it.
    package var city: String?
    /// The server must have all of these.
    package var tags: Set<String>
    /// The server must be one of these.
    package var hostnames: Set<String>
    package var excludedHostnames: Set<String>
    /// Percent; a server whose load is not known does not meet it.
    package var maximalLoad: Int?

    package init(
        provider: ProviderName? = nil, country: CountryCode? = nil, city: String? = nil, tags: Set<String> = [],
        hostnames: Set<String> = [], excludedHostnames: Set<String> = [], maximalLoad: Int? = nil
    ) {
        self.provider = provider
        self.country = country
        self.city = city.map(CityName.folded)
        self.tags = tags
        self.hostnames = hostnames
        self.excludedHostnames = excludedHostnames
        self.maximalLoad = maximalLoad
    }

    package func contains(_ server: Server) -> Bool {
        (provider == nil || server.provider == provider) && (country == nil || server.country == country)
            && (city == nil || server.city.map(CityName.folded) == city) && tags.isSubset(of: server.tags)
            && (hostnames.isEmpty || hostnames.contains(server.hostname)) && !excludedHostnames.contains(server.hostname)
            && (maximalLoad.map { limit in server.load.map { $0 <= limit } ?? false } ?? true)
    }
}
