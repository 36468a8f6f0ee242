internal import Synchronization
internal import CLinux

/// An address of either family.
package enum Address: Hashable, Sendable {
    case v4(IPv4)
    case v6(IPv6)

    var isIPv6: Bool { if case .v6 = self { true } else { false } }

    var family: Int32 { isIPv6 ? AF_INET6 : AF_INET }

    func withSocketAddress<Result>(port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        switch self {
        case .v4(let address): address.withSocketAddress(port: port, body)
        case .v6(let address): address.withSocketAddress(port: port, body)
        }
    }

    /// The order in which addresses are tried: by turns, each family as its resolver has it (RFC 8305, section 4).
    static func inTurns(_ addresses: [Address], beginsWithIPv6: Bool = true) -> [Address] {
        let first = addresses.filter { $0.isIPv6 == beginsWithIPv6 }
        let second = addresses.filter { $0.isIPv6 != beginsWithIPv6 }
        var turns: [Address] = []
        for place in 0..<max(first.count, second.count) {
            if place < first.count { turns.append(first[place]) }
            if place < second.count { turns.append(second[place]) }
        }
        return turns
    }
}

/// Addresses of either family whose first bits are the same.
package enum AddressNetwork: Sendable {
    case v4(IPv4Network)
    case v6(IPv6Network)

    package init?(_ text: some StringProtocol) {
        if let network = IPv4Network(text) {
            self = .v4(network)
        } else if let network = IPv6Network(text) {
            self = .v6(network)
        } else {
            return nil
        }
    }

    func contains(_ address: Address) -> Bool {
        switch (self, address) {
        case (.v4(let network), .v4(let address)): network.contains(address)
        case (.v6(let network), .v6(let address)): network.contains(address)
        case (.v4, .v6), (.v6, .v4): false
        }
    }
}

/// Which family gets through. Where the provider gives addresses of IPv6 and carries none, each connection would begin with a pause. Thread-safe.
final class Families: Sendable {
    private let lost = Atomic<Int>(0)
    /// Connections in a row that went by IPv4 although IPv6 had begun, and how seldom IPv6 begins after these.
    private static let patience = 3
    private static let seldom = 16

    var prefersIPv6: Bool { lost.load(ordering: .relaxed) < Self.patience || Int.random(in: 0..<Self.seldom) == 0 }

    /// A connection stands that IPv6 had begun.
    func won(isIPv6: Bool) {
        if isIPv6 { lost.store(0, ordering: .relaxed) } else { lost.add(1, ordering: .relaxed) }
    }
}
