import API
import Model
import Planning
import Platform

/// The ways in for proxy users: what the configuration says, and whether HAProxy's file has them.
struct ProxyEntries: Sendable {
    private let gateway: Configuration.GatewaySettings
    private let traefik: TraefikConfiguration.Settings?

    init(_ configuration: Configuration) { (gateway, traefik) = (configuration.gateway, configuration.traefik) }

    func entries(in state: OperatorState) -> [ProxyEntry] {
        let countries = Set(state.pools.keys).union(state.onDemand).sorted()
        let open = HAProxyConfiguration.ports(in: (try? Files.read("\(gateway.directory)/haproxy.cfg", limit: 16 << 20)) ?? "")
        // Without users it is never open to others.
        let host = state.users.isEmpty && !gateway.address.hasPrefix("127.") ? "127.0.0.1" : gateway.address
        func entry(
            _ port: Int, _ protocols: [String], _ choice: ProxyEntry.Choice, _ country: CountryCode? = nil, names: [String] = []
        ) -> ProxyEntry {
            ProxyEntry(
                address: "\(host):\(port)", protocols: protocols, choice: choice, country: country, names: names,
                isOpen: open.contains(port))
        }
        var entries = [entry(gateway.port, ["http", "socks5"], .user)]
        if let base = gateway.countryPorts { entries += countries.map { entry(base + $0.portOffset, ["http", "socks5"], .port, $0) } }
        if let port = gateway.tlsPort, gateway.certificateFolder != nil {
            entries.append(entry(port, ["https"], .user))
            entries += countries.map { entry(port, ["https"], .name, $0, names: Self.labels(of: $0).map { "\($0).*" }) }
        }
        if let base = gateway.trustedPorts {
            // Traefik is in front of these, and has their names.
            func names(_ labels: [String]) -> [String] { traefik.map { traefik in labels.map { "\($0).\(traefik.domain)" } } ?? [] }
            entries.append(entry(base + HAProxyConfiguration.generalOffset, ["proxy"], .user, names: names(["proxy"])))
            entries.append(entry(base + HAProxyConfiguration.anyOffset, ["proxy"], .port, names: names(["proxy-any"])))
            entries += countries.map { entry(base + $0.portOffset, ["proxy"], .port, $0, names: names(Self.labels(of: $0))) }
        }
        return entries
    }

    /// People type "uk".
    private static func labels(of country: CountryCode) -> [String] {
        ["proxy-\(country.lowercased)"] + (country.lowercased == "gb" ? ["proxy-uk"] : [])
    }
}
