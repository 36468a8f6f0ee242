package import HTTPServing
package import Platform

/// Where a browser's request went to, and which page it came from.
package struct RequestOrigin: Sendable {
    /// True where the browser spoke TLS.
    package let isSecure: Bool
    private let host: String?
    private let origin: String?
    private let site: String?

    /// `X-Forwarded-Proto` and `X-Forwarded-Host` count where a trusted proxy sends them.
    package init(_ request: ServerRequest, trusted: [IPNetwork]) {
        let peer = IPNetwork(request.clientAddress)
        let isTrusted = peer.map { peer in trusted.contains { $0.contains(peer) } } ?? false
        let headers = request.headers
        isSecure = isTrusted && Self.first(headers["x-forwarded-proto"])?.lowercased() == "https"
        host = (isTrusted ? Self.first(headers["x-forwarded-host"]) : nil) ?? headers["host"]
        origin = headers["origin"]
        site = headers["sec-fetch-site"]
    }

    /// True where a page of another site asks: its `Origin` is not the host that was asked, or the browser says so (Fetch Metadata).
    package var isForeign: Bool {
        if site == "cross-site" { return true }
        guard let origin else { return false }
        guard let host, let own = Self.authority(of: origin) else { return true }
        return own != Self.withoutDefaultPort(host.lowercased())
    }

    /// Host and port of an origin, without the port that its scheme has by itself; nil for `null` and for anything else.
    private static func authority(of origin: String) -> String? {
        for scheme in ["http://", "https://"] where origin.lowercased().hasPrefix(scheme) {
            return withoutDefaultPort(String(origin.lowercased().dropFirst(scheme.utf8.count)))
        }
        return nil
    }

    /// A proxy in front may leave the port out, and which of the two is the default depends on a scheme that it hides.
    private static func withoutDefaultPort(_ authority: String) -> String {
        for port in [":80", ":443"] where authority.hasSuffix(port) { return String(authority.dropLast(port.utf8.count)) }
        return authority
    }

    /// The first of a list with commas: what the outermost proxy has seen.
    private static func first(_ header: String?) -> String? {
        header?.split(separator: ",").first.map { String($0.drop { $0 == " " }.prefix { $0 != " " }) }.flatMap { $0.isEmpty ? nil : $0 }
    }
}
