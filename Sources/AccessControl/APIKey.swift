package import Model
import Platform

/// An API key as it is kept: never the key itself.
package struct APIKey: Sendable, Hashable, Codable {
    /// Its name for the API; it stays when the key is renamed.
    package var id: String
    package var name: String
    package var role: Role
    /// Hexadecimal SHA-256 of the key.
    package var digest: String
    package var createdAt: Timestamp
    package var expiresAt: Timestamp?
    /// True for keys of the configuration, which the API can't change.
    package var isConfigured: Bool
    /// The proxy user whose token it stands for, while a request is served; nil for a key. A token has no role.
    package private(set) var user: String?

    private enum CodingKeys: String, CodingKey { case id, name, role, digest, createdAt, expiresAt, isConfigured }

    package init(
        id: String, name: String, role: Role, digest: String, createdAt: Timestamp, expiresAt: Timestamp? = nil, isConfigured: Bool = false
    ) {
        self.id = id
        self.name = name
        self.role = role
        self.digest = digest
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.isConfigured = isConfigured
    }

    /// A user's token in a key's place. The id is for the log, which does not name users.
    package init(tokenOf user: ProxyUser, digest: String) {
        self.init(
            id: "token-\(digest.prefix(12))", name: "user \(user.name)", role: .viewer, digest: digest, createdAt: user.createdAt)
        self.user = user.name
    }

    /// The id of the key that the first start makes.
    package static let adminID = "config.admin"

    /// A key of the configuration.
    package init(name: String, role: Role, digest: String) {
        self.init(id: "config.\(name)", name: name, role: role, digest: digest, createdAt: SystemClock.now(), isConfigured: true)
    }
}

/// Keeps the keys that were made through the API.
package protocol KeyStore: Sendable {
    func keys() async throws -> (keys: [APIKey], used: [String: Timestamp])
    func save(_ key: APIKey) async throws
    func removeKey(_ id: String) async throws
    func noteUse(_ used: [String: Timestamp]) async throws
}
