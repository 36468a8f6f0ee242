import Model
import Platform

/// Which receivers may be sent to.
package struct WebhookAddresses: Sendable {
    /// Why a receiver is not sent to.
    package struct Refusal: Error, CustomStringConvertible {
        package var description: String
    }

    /// Addresses of this machine, of private networks and link-local ones are allowed.
    package var allowsPrivate: Bool
    package var allowsPlainHTTP: Bool
    private let resolve: @Sendable (String) async -> [String]

    package init(
        allowsPrivate: Bool = false, allowsPlainHTTP: Bool = false,
        resolve: @escaping @Sendable (String) async -> [String] = { await NameResolver.allAddresses(of: $0) }
    ) {
        self.allowsPrivate = allowsPrivate
        self.allowsPlainHTTP = allowsPlainHTTP
        self.resolve = resolve
    }

    /// What is wrong with a URL that can be told without asking a resolver; nil where nothing is.
    package func problem(with url: String) -> String? {
        guard let target = WebhookTarget(url) else {
            return "expected https://host[:port][/path], without a user, a fragment or other than printable ASCII"
        }
        if !target.isSecure, !allowsPlainHTTP { return "is plain HTTP, expected https:// (webhooks.allow_http allows it)" }
        let isLocal = target.host == "localhost" || target.host.hasSuffix(".localhost") || IPNetwork(target.host)?.isPrivate == true
        if isLocal, !allowsPrivate { return "is an address of a private network (webhooks.allow_private allows it)" }
        return nil
    }

    /// The address to connect to: one of those that the host has now, all of which may be sent to.
    /// - Parameter attempt: each takes the next one.
    package func address(of url: String, attempt: Int) async throws -> String {
        if let problem = problem(with: url) { throw Refusal(description: "the URL \(problem)") }
        guard let target = WebhookTarget(url) else { throw Refusal(description: "the URL can't be read") }
        let addresses = await resolve(target.host)
        guard !addresses.isEmpty else { throw Refusal(description: "\(target.host) has no address") }
        // One private address among public ones is how a name is turned against us; all of them must be good.
        for address in addresses where !allowsPrivate && IPNetwork(address)?.isPrivate ?? true {
            throw Refusal(description: "\(target.host) is \(address), an address of a private network (webhooks.allow_private allows it)")
        }
        return addresses[max(0, attempt - 1) % addresses.count]
    }
}
