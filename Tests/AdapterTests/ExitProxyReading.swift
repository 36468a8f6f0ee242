@testable import ExitProxy

/// What the exit's own parser makes of a head.
enum ExitProxyReading {
    /// - Parameter head: without the empty line at its end.
    /// - Returns: "host port" of the target, "ipv6 port" for an IPv6 address; nil for what it refuses.
    static func place(_ head: String) -> String? {
        guard let (request, _) = try? Request.read(Array("\(head)\r\n\r\n".utf8)[...]) else { return nil }
        return switch request.target.host {
        case .name(let name): "\(name) \(request.target.port)"
        case .address(.v4(let address)): "\(address.octets.map(String.init).joined(separator: ".")) \(request.target.port)"
        case .address(.v6): "ipv6 \(request.target.port)"
        case .own: "the exit itself"
        }
    }
}
