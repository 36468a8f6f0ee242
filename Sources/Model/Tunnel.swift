/// What a tunnel's own counters say at one moment.
package struct TunnelReading: Hashable, Sendable {
    package var at: Timestamp
    /// Nil where there has been none.
    package var handshakeAt: Timestamp?
    /// Bytes since the tunnel was made.
    package var received: Int
    package var sent: Int
    package var leaks: LeakCount

    /// Seconds since the last handshake when this was read; nil where there has been none. A clock that went back makes it no younger
    /// than new.
    package var handshakeAge: Double? { handshakeAt.map { max(0, at - $0) } }

    /// A tunnel that is used makes a new handshake every two minutes, and refuses to send after three (WireGuard's `REJECT_AFTER_TIME`).
    package static let oldestHandshake = 180.0

    /// The clock was set by so many seconds.
    package mutating func shift(by seconds: Double) {
        at = at + seconds
        handshakeAt = handshakeAt.map { $0 + seconds }
    }

    package init(at: Timestamp, handshakeAt: Timestamp?, received: Int, sent: Int, leaks: LeakCount = .unread) {
        self.leaks = leaks
        self.at = at
        self.handshakeAt = handshakeAt
        self.received = received
        self.sent = sent
    }
}

/// What a WireGuard client needs from a provider, beside the server itself.
package struct TunnelFacts: Hashable, Sendable {
    /// Our address inside the tunnel, in CIDR form: "10.5.0.2/32".
    package var clientAddress: String
    /// Our IPv6 address inside the tunnel, "fd00::2/128"; nil for a tunnel of IPv4 alone.
    package var clientAddress6: String?
    /// The provider's resolvers, reached through the tunnel.
    package var dns: [String]
    /// Bytes, 1280 to 1420.
    package var mtu: Int
    /// Seconds between keepalives, 0 to 65535.
    package var keepalive: Int
    /// A secret that both ends mix into their keys, where the provider gave one with the key.
    package var presharedKey: Secret?

    package init(clientAddress: String, dns: [String], mtu: Int, keepalive: Int) {
        self.clientAddress = clientAddress
        self.dns = dns
        self.mtu = mtu
        self.keepalive = keepalive
    }

    /// An IPv6 address that a tunnel can have, in CIDR form: of `2000::/3`, or unique local (RFC 4193). The exit reads it the same way.
    package static func isIPv6Address(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let prefix = Int(parts[1]), (8...128).contains(prefix), String(prefix) == parts[1],
            let address = Network(String(parts[0])), address.isIPv6
        else { return false }
        return address.range.lowerBound >> 125 == 1 || address.range.lowerBound >> 121 == 0x7E
    }
}

/// A string that must never be printed: a key, a token, a password.
package struct Secret: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The secret itself. Every use is a place to look at twice.
    package let revealed: String
    package init(_ revealed: String) { self.revealed = revealed }
    package var description: String { "********" }
    package var debugDescription: String { "********" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Everything that one exit container is made of.
package struct ExitSpecification: Sendable {
    package var id: ExitID
    package var generation: Int
    package var server: Server
    package var facts: TunnelFacts
    package var privateKey: Secret
    /// The name that the exit looks up through the tunnel before its proxy opens.
    package var checkName: String
    /// Its address on the exits' network; nil lets the engine choose.
    package var address: String?

    package init(id: ExitID, generation: Int, server: Server, facts: TunnelFacts, privateKey: Secret, checkName: String) {
        self.id = id
        self.generation = generation
        self.server = server
        self.facts = facts
        self.privateKey = privateKey
        self.checkName = checkName
    }
}

/// An exit's container as the engine shows it. Only containers with our owner label become one.
package struct ExitContainer: Hashable, Sendable {
    package var name: String
    /// Nil when its labels are ours but can't be read: an orphan.
    package var exit: ExitID?
    package var generation: Int
    package var isRunning: Bool
    /// Where its proxy listens; nil while it has no address.
    package var endpoint: Endpoint?
    /// The address of the server that its tunnel leads to; nil where its labels don't say.
    package var server: String?
    /// The status with which its entry point ended; nil while it runs or was never started.
    package var exitCode: Int?
    /// The fencing number of the controller that made it; 0 where its labels don't say.
    package var fence: Int
    /// Whether its proxy asks for credentials, as its labels say.
    package var knowsCredential: Bool
    /// Whether its tunnel carries IPv6, as its labels say.
    package var hasIPv6: Bool

    package init(
        name: String, exit: ExitID?, generation: Int, isRunning: Bool, endpoint: Endpoint?, server: String? = nil, exitCode: Int?,
        fence: Int = 0, knowsCredential: Bool = true, hasIPv6: Bool = false
    ) {
        self.knowsCredential = knowsCredential
        self.hasIPv6 = hasIPv6
        self.name = name
        self.exit = exit
        self.generation = generation
        self.isRunning = isRunning
        self.endpoint = endpoint
        self.server = server
        self.exitCode = exitCode
        self.fence = fence
    }
}
