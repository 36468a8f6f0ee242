package import Model

/// The ports that HAProxy listens on.
extension HAProxyConfiguration {
    package struct Entry: Hashable, Sendable {
        package var port: Int
        /// The setting that gives it another port.
        package var setting: String
        /// What stands behind the address in the file.
        fileprivate var words: String
    }

    /// Behind the ports of all countries: the trusted port whose users name their country, and the one for any country.
    package static let generalOffset = 676
    package static let anyOffset = 677

    /// All that it would listen on if nobody else did; the gateway port first.
    package func entries(of layout: GatewayLayout) -> [Entry] {
        var entries = [Entry(port: settings.gatewayPort, setting: "gateway.port", words: "name gateway")]
        func add(_ port: Int, _ setting: String, _ words: String) {
            entries.append(Entry(port: port, setting: "gateway.\(setting)", words: words))
        }
        if let base = settings.countryPorts {
            for country in layout.pools.map(\.country) {
                add(base + country.portOffset, "country_ports", "name country-\(country.lowercased)")
            }
        }
        if let base = settings.trustedPorts {
            add(base + Self.generalOffset, "trusted_ports", "accept-proxy name gateway-trusted")
            add(base + Self.anyOffset, "trusted_ports", "accept-proxy name country-any")
            for country in layout.pools.map(\.country) {
                add(base + country.portOffset, "trusted_ports", "accept-proxy name country-\(country.lowercased)")
            }
        }
        if let port = settings.tlsPort, !certificates.isEmpty {
            let files = certificates.map { "crt \(settings.certificateFolder)/\($0)" }.joined(separator: " ")
            add(port, "tls_port", "name tls ssl \(files) alpn http/1.1")
        }
        return entries
    }

    func bindLines(of layout: GatewayLayout) -> [String] {
        entries(of: layout).filter { !heldPorts.contains($0.port) }.map { "bind \(settings.address(of: layout)):\($0.port) \($0.words)" }
    }

    /// The ports of a file that was rendered here.
    package static func ports(in text: String) -> Set<Int> {
        Set(
            text.split(separator: "\n").compactMap { line in
                let words = line.split(separator: " ")
                guard words.count > 1, words[0] == "bind", !words[1].hasPrefix("unix@") else { return nil }
                return words[1].split(separator: ":").last.flatMap { Int($0) }
            })
    }
}
