/// One more exit, as an operator asks for it: what is not said stays as it is in the country's pool.
package struct ExitRequest: Hashable, Codable, Sendable {
    package var country: CountryCode
    package var provider: ProviderName?
    package var city: String?
    /// Nil from a controller of an older version.
    package var limits: ServerLimits?
    package var strategy: Strategy?

    package init(
        country: CountryCode, provider: ProviderName? = nil, city: String? = nil, limits: ServerLimits = ServerLimits(),
        strategy: Strategy? = nil
    ) {
        self.country = country
        self.provider = provider
        self.city = city
        self.limits = limits
        self.strategy = strategy
    }

    /// The pool with one more exit and these settings, not on demand; a new one where there is none.
    package func grown(_ pool: Pool?) -> Pool {
        var grown = pool ?? Pool(country: country, size: 0)
        // What an operator asks for stays: the pool is not on demand any more. One that is closed has none yet.
        grown.size = grown.sizeNow + 1
        grown.onDemand = nil
        if let provider { grown.provider = provider }
        if let city { grown.city = city }
        if let limits { grown.limits = grown.limits.changed(by: limits) }
        if let strategy { grown.strategy = strategy }
        return grown
    }
}
