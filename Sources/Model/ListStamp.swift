/// What a provider's answer said about the age of its list, to ask for a newer one only (RFC 9110, section 13).
package struct ListStamp: Codable, Sendable, Equatable {
    package var entityTag: String?
    package var lastModified: String?
    package init(entityTag: String? = nil, lastModified: String? = nil) {
        self.entityTag = entityTag
        self.lastModified = lastModified
    }
}
