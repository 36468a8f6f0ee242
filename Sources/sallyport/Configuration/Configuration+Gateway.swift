import Glibc
import HAProxyControl
import Model
import Planning
import Platform

extension Configuration {
    static func readGateway(_ reader: FieldReader, data: String) -> GatewaySettings {
        let chosen = reader.string("directory")
        let directory = Files.absolute(chosen ?? "\(data)/haproxy")
        // The longest socket in it is `socks5.sock`, with what HAProxy appends while it starts.
        if chosen != nil, !isPlainPath(directory) || directory.utf8.count > 78 {
            reader.problem(
                "directory", "is \(directory), expected a path of at most 78 letters, digits and / . _ - (it holds Unix sockets)")
        }
        let certificates = reader.string("tls_certificates").map(Files.absolute)
        if let certificates, !isPlainPath(certificates) {
            reader.problem("tls_certificates", "is \(certificates), expected a path of letters, digits and / . _ -")
        }
        let networks = reader.strings("refused_networks", limit: 256) ?? []
        for network in networks where Network(network) == nil {
            reader.problem("refused_networks", "\(network) is no network, expected one like 203.0.113.0/24 or an address")
        }
        let clientLimit = reader.integer("client_limit", in: 10...100_000) ?? defaultClientLimit()
        return GatewaySettings(
            address: ipv4(reader, "address", default: "127.0.0.1"), port: reader.integer("port", in: 1...65_535) ?? 8128,
            isStartedByUs: reader.bool("start") ?? true, directory: directory, group: readGroup(reader),
            clientLimit: clientLimit,
            sourceLimits: .init(
                pending: reader.integer("pending_limit", in: 5...100_000) ?? max(20, clientLimit / 10),
                tls: reader.integer("tls_limit", in: 5...100_000) ?? max(10, clientLimit / 2),
                failedPasswords: reader.integer("failed_passwords", in: 1...1_000_000) ?? 100),
            holdSeconds: reader.integer("hold_seconds", in: 0...30) ?? 3,
            drainSeconds: reader.number("drain_seconds", in: 0...86_400) ?? 30,
            countryPorts: portBase(reader, "country_ports", default: 20_000),
            trustedPorts: portBase(reader, "trusted_ports", default: 0, behind: 2),
            tlsPort: reader.integer("tls_port", in: 1...65_535) ?? 8443, certificateFolder: certificates,
            closedPorts: ports(reader, "closed_ports") ?? [25], openPorts: ports(reader, "open_ports") ?? [], refusedNetworks: networks,
            accessLog: reader.choice("access_log", HAProxyConfiguration.Settings.AccessLog.self) ?? .full)
    }

    /// A group of this system's, by a name that can stand in HAProxy's file.
    private static func readGroup(_ reader: FieldReader) -> String? {
        guard let name = reader.string("group") else { return nil }
        guard isPlainPath(name), !name.contains("/"), FileSharing.number(of: name) != nil else {
            reader.problem(
                "group", "\(name.prefix(64)) is not a group of this system, expected that of HAProxy's user, like sallyport-gateway")
            return nil
        }
        return name
    }

    /// The first of 676 ports, one for each pair of letters, and some behind them; 0 for none.
    private static func portBase(_ reader: FieldReader, _ field: String, default standard: Int, behind: Int = 0) -> Int? {
        let base = reader.integer(field, in: 0...64_860 - behind) ?? standard
        if (1..<1024).contains(base) { reader.problem(field, "is \(base), expected 0 or 1024 to \(64_860 - behind)") }
        return base == 0 ? nil : base
    }

    private static func ports(_ reader: FieldReader, _ field: String) -> [Int]? {
        guard let items = reader.integers(field, in: 1...65_535, limit: 1_000) else { return nil }
        return Array(Set(items)).sorted()
    }

    /// As many clients as the open-file limit allows.
    private static func defaultClientLimit() -> Int { max(10, min(20_000, clients(ofDescriptors: DescriptorLimit.hard))) }

    /// Each takes two connections, and each connection two descriptors.
    static func clients(ofDescriptors limit: Int) -> Int { (limit - 200) / 4 - 100 }
    static func descriptors(ofClients clients: Int) -> Int { (clients + 100) * 4 + 200 }

    /// What `trusted_ports` opens at once, behind the ports of the countries.
    static let trustedOffsets = [HAProxyConfiguration.generalOffset, HAProxyConfiguration.anyOffset]
}
