/// What an exit's proxy is told at its start.
package struct ProxySettings: Sendable {
    package var listen = IPv4(number: 0x7F00_0001)
    package var port: UInt16 = 3128
    package var resolvers: [IPv4] = []
    /// Passwords of the user `exit`.
    package var secrets: [[UInt8]] = []
    /// Networks that may use the proxy.
    package var gateways: [IPv4Network] = []
    /// Networks that are no target.
    package var refused: [AddressNetwork] = []
    /// Whether the tunnel carries IPv6.
    package var hasIPv6 = false
    package var closedPorts: Set<UInt16> = []
    /// Where there are some, all others are closed.
    package var openPorts: Set<UInt16> = []
    /// Client connections of all loops, at most.
    package var connectionLimit = 20_000
    /// For the look-up of a target's name and all tries of its addresses together; under the gateway's 60 s for an answer.
    package var connectMilliseconds = 30_000
    /// Seconds without a byte after which a tunnel is ended.
    package var idleSeconds = 7200
    /// Who says how the tunnel fares; nil for nobody.
    package var entryPoint: EntryPoint?

    package init() {}

    /// The resolvers are the tunnel's own: they may be asked by users as well, whatever else is closed.
    func isResolver(_ address: Address, port: UInt16) -> Bool {
        if case .v4(let address) = address { port == 53 && resolvers.contains(address) } else { false }
    }

    func allows(port: UInt16) -> Bool { openPorts.isEmpty ? !closedPorts.contains(port) : openPorts.contains(port) }

    func allows(_ address: Address) -> Bool {
        guard !refused.contains(where: { $0.contains(address) }) else { return false }
        guard case .v6(let six) = address else { return true }
        // A kernel would connect to the IPv4 address itself.
        return !six.isMapped && six.carried.map { allows(.v4($0)) } ?? true
    }

    /// Whether these are the name and the password of the gateway; takes equally long for each wrong password of the same length.
    func knows(_ name: some Collection<UInt8>, _ password: some Collection<UInt8>) -> Bool {
        guard name.elementsEqual("exit".utf8) else { return false }
        return secrets.reduce(false) { known, secret in Self.isSame(secret, password) || known }
    }

    /// Whether it is the exit's own password, the first one: others of its pool have the rest.
    func isOwn(_ password: some Collection<UInt8>) -> Bool { secrets.first.map { Self.isSame($0, password) } ?? false }

    private static func isSame(_ secret: [UInt8], _ password: some Collection<UInt8>) -> Bool {
        secret.count == password.count && zip(secret, password).reduce(0 as UInt8) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
