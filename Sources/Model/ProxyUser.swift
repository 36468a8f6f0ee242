/// Who may use the proxies, where to, and how much. Passwords are known only as salted digests.
package struct ProxyUser: Hashable, Codable, Sendable {
    package struct Password: Hashable, Codable, Sendable {
        /// Hexadecimal, 32 digits.
        package var salt: String
        /// Hexadecimal SHA-256 of `salt:password`.
        package var digest: String
        /// When it stops being valid; nil for never.
        package var expiresAt: Timestamp?

        package init(salt: String, digest: String, expiresAt: Timestamp? = nil) {
            self.salt = salt
            self.digest = digest
            self.expiresAt = expiresAt
        }

        enum CodingKeys: String, CodingKey {
            case salt, digest
            case expiresAt = "expires_at"
        }
    }

    /// What the user calls `/api/me` with, as it is kept: never the token itself.
    package struct Token: Hashable, Codable, Sendable {
        /// Hexadecimal SHA-256 of the token.
        package var digest: String
        package var createdAt: Timestamp
        /// When it stops being valid; nil for never.
        package var expiresAt: Timestamp?

        package init(digest: String, createdAt: Timestamp, expiresAt: Timestamp? = nil) {
            self.digest = digest
            self.createdAt = createdAt
            self.expiresAt = expiresAt
        }

        enum CodingKeys: String, CodingKey {
            case digest
            case createdAt = "created_at"
            case expiresAt = "expires_at"
        }
    }

    /// What nil says is not limited.
    package struct Limits: Hashable, Codable, Sendable {
        /// Connections at once.
        package var connections: Int?
        /// New connections a second.
        package var connectionsPerSecond: Int?
        /// Bytes in both directions together, by days and months of UTC.
        package var bytesPerDay: Int?
        package var bytesPerMonth: Int?
        package var bytesTotal: Int?

        package var hasQuota: Bool { bytesPerDay != nil || bytesPerMonth != nil || bytesTotal != nil }

        /// The quota that is used up; nil for none.
        package func exceeded(by used: (day: Usage, month: Usage, total: Usage)) -> Quota? {
            if let bytesTotal, used.total.bytes >= bytesTotal { return .total }
            if let bytesPerMonth, used.month.bytes >= bytesPerMonth { return .month }
            if let bytesPerDay, used.day.bytes >= bytesPerDay { return .day }
            return nil
        }

        /// Each quota that there is, with what is used of it.
        package func quotas(_ used: (day: Usage, month: Usage, total: Usage)) -> [QuotaUse] {
            [
                bytesPerDay.map { QuotaUse(quota: .day, limit: $0, used: used.day.bytes) },
                bytesPerMonth.map { QuotaUse(quota: .month, limit: $0, used: used.month.bytes) },
                bytesTotal.map { QuotaUse(quota: .total, limit: $0, used: used.total.bytes) },
            ].compactMap(\.self)
        }

        package init(
            connections: Int? = nil, connectionsPerSecond: Int? = nil, bytesPerDay: Int? = nil, bytesPerMonth: Int? = nil,
            bytesTotal: Int? = nil
        ) {
            self.connections = connections
            self.connectionsPerSecond = connectionsPerSecond
            self.bytesPerDay = bytesPerDay
            self.bytesPerMonth = bytesPerMonth
            self.bytesTotal = bytesTotal
        }

        enum CodingKeys: String, CodingKey {
            case connections
            case connectionsPerSecond = "connections_per_second"
            case bytesPerDay = "bytes_per_day"
            case bytesPerMonth = "bytes_per_month"
            case bytesTotal = "bytes_total"
        }
    }

    /// What the list of addresses is for.
    package enum AddressRule: String, Codable, Sendable, CaseIterable {
        /// The right password from another address is refused.
        case withPassword = "with_password"
        /// Whoever comes from these addresses needs no password.
        case insteadOfPassword = "instead_of_password"
    }

    /// 1 to 32 of `a-z 0-9 _ .`: no hyphen, which begins the parameters of a proxy user name.
    package var name: String
    /// The valid ones; during a rotation the new and the old.
    package var passwords: [Password]
    package var createdAt: Timestamp
    /// When the user may do nothing any more; nil for never.
    package var expiresAt: Timestamp?
    package var isDisabled = false
    /// The only countries that the user may use; empty for all.
    package var countries: [CountryCode] = []
    /// Countries that take over, in this order, while the wanted one has no exit; empty for the pool's own chain.
    package var fallback: [CountryCode] = []
    /// IPv4 or IPv6 networks or addresses, as text; empty for any.
    package var addresses: [String] = []
    package var addressRule = AddressRule.withPassword
    package var limits = Limits()
    /// Nil where the user has none.
    package var token: Token?

    package init(name: String, passwords: [Password], createdAt: Timestamp) {
        self.name = name
        self.passwords = passwords
        self.createdAt = createdAt
    }

    package init(name: String, salt: String, digest: String, createdAt: Timestamp) {
        self.init(name: name, passwords: [Password(salt: salt, digest: digest)], createdAt: createdAt)
    }

    /// What this user's usage is counted under.
    package var account: UserAccount { UserAccount(name: name, createdAt: createdAt) }

    /// True where the user may have connections at this moment, as far as it doesn't depend on where they come from.
    package func isAdmitted(now: Timestamp) -> Bool { !isDisabled && (expiresAt.map { $0 > now } ?? true) }

    package static func isValidName(_ name: String) -> Bool {
        (1...32).contains(name.utf8.count)
            && name.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F || $0 == 0x2E }
    }

    // MARK: - As it is stored

    enum CodingKeys: String, CodingKey {
        case name, passwords, salt, digest, countries, fallback, addresses, limits, token
        case createdAt = "created_at"
        case expiresAt = "expires_at"
        case isDisabled = "disabled"
        case addressRule = "address_rule"
    }

    /// Reads the first version's users too, who had one password and nothing else.
    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        name = try fields.decode(String.self, forKey: .name)
        createdAt = try fields.decode(Timestamp.self, forKey: .createdAt)
        if let salt = try fields.decodeIfPresent(String.self, forKey: .salt) {
            passwords = [Password(salt: salt, digest: try fields.decode(String.self, forKey: .digest))]
        } else {
            passwords = try fields.decode([Password].self, forKey: .passwords)
        }
        expiresAt = try fields.decodeIfPresent(Timestamp.self, forKey: .expiresAt)
        isDisabled = try fields.decodeIfPresent(Bool.self, forKey: .isDisabled) ?? false
        countries = try fields.decodeIfPresent([CountryCode].self, forKey: .countries) ?? []
        fallback = try fields.decodeIfPresent([CountryCode].self, forKey: .fallback) ?? []
        addresses = try fields.decodeIfPresent([String].self, forKey: .addresses) ?? []
        addressRule = try fields.decodeIfPresent(AddressRule.self, forKey: .addressRule) ?? .withPassword
        limits = try fields.decodeIfPresent(Limits.self, forKey: .limits) ?? Limits()
        token = try fields.decodeIfPresent(Token.self, forKey: .token)
    }

    package func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(name, forKey: .name)
        try fields.encode(passwords, forKey: .passwords)
        try fields.encode(createdAt, forKey: .createdAt)
        try fields.encodeIfPresent(expiresAt, forKey: .expiresAt)
        if isDisabled { try fields.encode(true, forKey: .isDisabled) }
        if !countries.isEmpty { try fields.encode(countries, forKey: .countries) }
        if !fallback.isEmpty { try fields.encode(fallback, forKey: .fallback) }
        if !addresses.isEmpty {
            try fields.encode(addresses, forKey: .addresses)
            try fields.encode(addressRule, forKey: .addressRule)
        }
        if limits != Limits() { try fields.encode(limits, forKey: .limits) }
        try fields.encodeIfPresent(token, forKey: .token)
    }
}
