import HTTPServing
import Platform

/// Who a request comes from.
enum ClientAddress {
    /// The peer's own address; where that is a trusted proxy, the last one in X-Forwarded-For that is none.
    static func of(_ request: ServerRequest, trusted: [IPNetwork]) -> String {
        guard !trusted.isEmpty, let header = request.headers["x-forwarded-for"] else { return request.clientAddress }
        var address = request.clientAddress
        // From the nearest to the farthest: what a proxy that nobody trusts has written may be made up.
        for part in ([Substring(address)] + header.split(separator: ",").suffix(32).reversed()) {
            let text = part.filter { $0 != " " && $0 != "\t" }
            guard let known = IPNetwork(text), !text.contains("/") else { return address }
            address = known.description
            if !trusted.contains(where: { $0.contains(known) }) { return address }
        }
        return address
    }

    /// What limits count an address as: itself, or for IPv6 its network of 64 bits.
    static func counted(_ address: String) -> String {
        guard address.utf8.contains(UInt8(ascii: ":")), let known = IPNetwork(address) else { return address }
        return known.ofOneHolder.description
    }
}
