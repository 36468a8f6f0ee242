package import HTTPServing

/// The header fields that tell browsers what an answer may do.
package enum SecurityHeaders {
    /// Of all answers but the dashboard's page: they load nothing.
    package static let api = headers(policy: "default-src 'none'")

    /// Of the dashboard's page: everything comes from this server, and nothing is written in the page itself.
    package static let dashboard = headers(
        policy: [
            "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "font-src 'self'", "connect-src 'self'",
            "manifest-src 'self'",
        ].joined(separator: "; "))

    /// - Parameter policy: the beginning of a Content-Security-Policy (CSP Level 3), without frames, base and forms.
    private static func headers(policy: String) -> ConstantHeaders {
        ConstantHeaders([
            ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
            ("Content-Security-Policy", "\(policy); frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
            ("X-Frame-Options", "DENY"), ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"),
        ])
    }
}
