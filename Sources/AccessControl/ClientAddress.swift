package import HTTPServing
package import Platform

/// Who a request comes from.
package enum ClientAddress: Equatable {
    /// An address in the form in which the system writes it.
    case known(String)
    /// The client of a trusted proxy that did not name it in a way that can be read. It is nobody of `api.allowed_networks`, and never
    /// the proxy.
    case unreadable(behind: String)

    /// Entries of X-Forwarded-For that are looked at, from the right: no chain of proxies is longer.
    private static let entries = 32

    /// The peer's own address; where that is a trusted proxy, the last one in X-Forwarded-For that is none.
    ///
    /// A request of a trusted proxy with none of these headers is the proxy's own. `Forwarded` (RFC 7239) and `X-Real-IP` are not read;
    /// alone they say that there is a client.
    package static func of(_ request: ServerRequest, trusted: [IPNetwork]) -> ClientAddress {
        let peer = request.clientAddress
        guard !trusted.isEmpty, let known = IPNetwork(peer), trusted.contains(where: { $0.contains(known) }) else { return .known(peer) }
        guard let header = request.headers["x-forwarded-for"] else {
            let isNamed = request.headers["forwarded"] != nil || request.headers["x-real-ip"] != nil
            return isNamed ? .unreadable(behind: peer) : .known(peer)
        }
        var rest = header.utf8[...]
        for _ in 0..<entries {
            // From the nearest to the farthest: what a proxy that nobody trusts has written may be made up.
            guard let entry = lastEntry(&rest), let address = ForwardedEntry.address(entry) else { break }
            if !trusted.contains(where: { $0.contains(address) }) { return .known(address.description) }
        }
        return .unreadable(behind: peer)
    }

    /// Takes the last entry off a list with commas; empty ones are none (RFC 9110, section 5.6.1).
    private static func lastEntry(_ rest: inout Substring.UTF8View) -> Substring.UTF8View? {
        while let last = rest.last {
            guard last == UInt8(ascii: ",") || ForwardedEntry.isBlank(last) else {
                let begin = rest.lastIndex(of: UInt8(ascii: ",")).map { rest.index(after: $0) } ?? rest.startIndex
                defer { rest = rest[..<begin] }
                return rest[begin...]
            }
            rest.removeLast()
        }
        return nil
    }

    /// As logs and the audit show it.
    package var text: String {
        switch self {
        case .known(let address): address
        case .unreadable(let proxy): "unreadable behind \(proxy)"
        }
    }

    /// What limits count it as: the address, for IPv6 its network of 64 bits, or all clients together that a proxy does not name.
    package var counted: String {
        guard case .known(let address) = self else { return text }
        return IPNetwork.holder(of: address)
    }

    package func isIn(_ networks: [IPNetwork]) -> Bool {
        guard case .known(let text) = self, let address = IPNetwork(text) else { return false }
        return networks.contains { $0.contains(address) }
    }
}
