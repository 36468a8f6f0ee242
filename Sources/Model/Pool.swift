/// The exits of one country, as an operator wants them.
package struct Pool: Hashable, Codable, Sendable {
    /// The most exits that one pool can hold.
    package static let sizeLimit = 10
    /// Slots of its backend: twice the exits, so that every one can be replaced before it leaves.
    package static let slots = 20

    package var country: CountryCode
    /// Wanted exits, 1 to `sizeLimit`.
    package var size: Int
    /// Only servers of this provider; nil for any.
    package var provider: ProviderName?
    /// Only servers of this city, compared without case; nil for any.
    package var city: String?
    package var strategy: Strategy

    package init(country: CountryCode, size: Int, provider: ProviderName? = nil, city: String? = nil, strategy: Strategy = .balanced) {
        self.country = country
        self.size = size
        self.provider = provider
        self.city = city
        self.strategy = strategy
    }
}

/// One more exit, as an operator asks for it: what is not said stays as it is in the country's pool.
package struct ExitWish: Hashable, Codable, Sendable {
    package var country: CountryCode
    package var provider: ProviderName?
    package var city: String?
    package var strategy: Strategy?

    package init(country: CountryCode, provider: ProviderName? = nil, city: String? = nil, strategy: Strategy? = nil) {
        self.country = country
        self.provider = provider
        self.city = city
        self.strategy = strategy
    }

    /// The pool with one more exit and these settings; a new one where there is none.
    package func grown(_ pool: Pool?) -> Pool {
        Pool(
            country: country, size: (pool?.size ?? 0) + 1, provider: provider ?? pool?.provider, city: city ?? pool?.city,
            strategy: strategy ?? pool?.strategy ?? .balanced)
    }
}

/// Who may use the proxies. The password is known only as a salted digest.
package struct ProxyUser: Hashable, Codable, Sendable {
    /// 1 to 32 of `a-z 0-9 _ .`: no hyphen, which begins the parameters of a proxy user name.
    package var name: String
    /// Hexadecimal, 32 digits.
    package var salt: String
    /// Hexadecimal SHA-256 of `salt:password`.
    package var digest: String
    package var createdAt: Timestamp

    package init(name: String, salt: String, digest: String, createdAt: Timestamp) {
        self.name = name
        self.salt = salt
        self.digest = digest
        self.createdAt = createdAt
    }

    package static func isValidName(_ name: String) -> Bool {
        (1...32).contains(name.utf8.count)
            && name.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F || $0 == 0x2E }
    }

    enum CodingKeys: String, CodingKey {
        case name, salt, digest
        case createdAt = "created_at"
    }
}
