import HTTPServing
import Platform

/// What a caller may do; each includes the ones before.
package enum Role: String, Sendable, CaseIterable, Comparable {
    case viewer, `operator`, admin
    package static func < (left: Role, right: Role) -> Bool {
        (allCases.firstIndex(of: left) ?? 0) < (allCases.firstIndex(of: right) ?? 0)
    }
}

/// Who may call a route.
package enum Access: Sendable, Equatable {
    case open
    case role(Role)
}

/// An API key as it is kept: never the key itself.
package struct APIKey: Sendable {
    package var name: String
    package var role: Role
    /// Hexadecimal SHA-256 of the key.
    package var digest: String

    package init(name: String, role: Role, digest: String) {
        self.name = name
        self.role = role
        self.digest = digest
    }
}

/// Knows the API keys and finds the one that a request carries.
package struct KeyRing: Sendable {
    private let keys: [APIKey]
    package init(_ keys: [APIKey]) { self.keys = keys }

    /// The key in `X-API-Key` or `Authorization: Bearer`; every known one is compared, in constant time.
    func key(of request: ServerRequest) -> APIKey? {
        var offered = request.headers["x-api-key"]
        if offered == nil, let header = request.headers["authorization"], header.lowercased().hasPrefix("bearer ") {
            offered = String(header.dropFirst("bearer ".count))
        }
        guard let offered, (32...256).contains(offered.utf8.count) else { return nil }
        let digest = Digest.sha256(offered)
        var found: APIKey?
        for key in keys where Digest.equal(key.digest, digest) { found = key }
        return found
    }

    /// The problem with a request for this access; nil where it may go on.
    func problem(with request: ServerRequest, for access: Access) -> APIProblem? {
        guard case .role(let wanted) = access else { return nil }
        guard let key = key(of: request) else {
            let isMissing = request.headers["x-api-key"] == nil && request.headers["authorization"] == nil
            return APIProblem(
                status: 401, code: isMissing ? "key_missing" : "key_unknown",
                message: isMissing ? "an API key is needed, as X-API-Key or Authorization: Bearer" : "no such API key",
                headers: [("WWW-Authenticate", "Bearer realm=\"sallyport\"")])
        }
        guard key.role >= wanted else {
            return APIProblem(
                status: 403, code: "role_too_low", message: "this needs role \(wanted.rawValue), the key has \(key.role.rawValue)")
        }
        return nil
    }
}
