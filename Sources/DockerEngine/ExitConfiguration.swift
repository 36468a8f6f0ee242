import Model
import Platform

/// What no exit lets its users reach, which is what the gateway refuses as well: the second lock of the same door.
package struct RefusedTargets: Sendable {
    package var closedPorts: Set<Int>
    /// Where it is not empty, all other ports are closed.
    package var openPorts: Set<Int>
    /// In CIDR form, or addresses.
    package var networks: [String]
    /// Ports that the controller's own requests through exits need: no rule closes these.
    package var neededPorts: Set<Int>
    /// This machine's own addresses, asked at each launch.
    package var ownAddresses: @Sendable () -> [String]

    package init(
        closedPorts: some Sequence<Int> = [], openPorts: some Sequence<Int> = [], networks: [String] = [],
        neededPorts: some Sequence<Int> = [], ownAddresses: @escaping @Sendable () -> [String] = { [] }
    ) {
        self.closedPorts = Set(closedPorts)
        self.openPorts = Set(openPorts)
        self.networks = networks
        self.neededPorts = Set(neededPorts)
        self.ownAddresses = ownAddresses
    }

    /// The lines of `exit.conf`.
    func lines(hasIPv6: Bool) -> [String] {
        let open = openPorts.isEmpty ? [] : openPorts.union(neededPorts)
        let six = hasIPv6 ? ["REFUSED6=\(Self.ipv6(networks + ownAddresses()).joined(separator: ","))"] : []
        return six + [
            "CLOSED_PORTS=\(Self.list(closedPorts.subtracting(neededPorts)))", "OPEN_PORTS=\(Self.list(open))",
            "REFUSED=\(Self.ipv4(networks + ownAddresses()).joined(separator: ","))",
        ]
    }

    private static func list(_ ports: Set<Int>) -> String { ports.sorted().map(String.init).joined(separator: ",") }

    /// Those of IPv6 that are not refused anyway, without bits behind the prefix, each once.
    static func ipv6(_ networks: [String]) -> [String] {
        let found = networks.compactMap { IPNetwork($0) }.filter { $0.isIPv6 && !$0.isPrivate }
        return Set(found.map(\.first.description)).sorted()
    }

    /// Those that an exit without IPv6 could reach: also those that are written in IPv6's form (`::ffff:192.0.2.1`), without
    /// bits behind the prefix, each once.
    static func ipv4(_ networks: [String]) -> [String] {
        let found = networks.compactMap { text -> IPv4Network? in
            let parts = text.split(separator: "/", maxSplits: 1)
            guard let first = parts.first, let address = IPNetwork(String(first)).flatMap({ IPv4Address($0.description) }) else {
                return nil
            }
            guard parts.count == 2 else { return IPv4Network(address, prefix: 32) }
            guard let prefix = Int(parts[1]).map({ text.contains(":") ? $0 - 96 : $0 }), (0...32).contains(prefix) else { return nil }
            return IPv4Network(address, prefix: prefix)
        }
        return Set(found.map(\.description)).sorted()
    }
}

/// The file that is uploaded into an exit's container; its fields are in containers/exit/README.md.
struct ExitConfiguration {
    var specification: ExitSpecification
    /// Who may ask its proxy, in CIDR form.
    var gateway: String
    var credentials: ExitCredentials
    var refused: RefusedTargets

    var text: String {
        let (facts, server) = (specification.facts, specification.server)
        var lines = [
            "PRIVATE_KEY=\(specification.privateKey.revealed)", "PUBLIC_KEY=\(server.publicKey)", "ADDRESS=\(facts.clientAddress)",
            "ENDPOINT=\(server.address):\(server.port)", "DNS=\(facts.dns.joined(separator: ","))", "MTU=\(facts.mtu)",
            "KEEPALIVE=\(facts.keepalive)", "GATEWAY=\(gateway)", "PROXY_PORT=\(ExitContainers.proxyPort)",
            "CHECK_NAME=\(specification.checkName)",
        ]
        if let six = facts.clientAddress6 { lines.append("ADDRESS6=\(six)") }
        if let key = facts.presharedKey { lines.append("PRESHARED_KEY=\(key.revealed)") }
        return (lines + secrets + refused.lines(hasIPv6: facts.clientAddress6 != nil)).map { "\($0)\n" }.joined()
    }

    private var secrets: [String] {
        let id = specification.id
        var lines = [
            "EXIT_SECRET=\(credentials.own(id, generation: specification.generation).revealed)",
            "POOL_SECRET=\(credentials.pool(id.country).revealed)",
        ]
        let city = specification.server.city.map(GatewayOccupant.word(city:)) ?? ""
        if !city.isEmpty { lines.append("CITY_SECRET=\(credentials.city(city, of: id.country).revealed)") }
        return lines
    }
}
