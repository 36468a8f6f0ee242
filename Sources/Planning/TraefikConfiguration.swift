package import Model

/// Traefik's dynamic configuration as text: the proxies of the countries that exist, and the API. Pure.
///
/// Source: https://doc.traefik.io/traefik/reference/dynamic-configuration/file/
package struct TraefikConfiguration: Sendable, Equatable {
    package struct Settings: Sendable, Equatable {
        /// The folder that Traefik watches.
        package var folder: String
        /// `proxy-us.<domain>` is the proxy of the United States.
        package var domain: String
        /// The API's host name.
        package var apiHost: String
        package var apiURL: String
        /// Where Traefik reaches HAProxy.
        package var gatewayHost: String
        /// The first of HAProxy's ports that take the PROXY protocol.
        package var trustedPorts: Int
        /// The name of an entry point in Traefik's static configuration, for proxies and API alike.
        package var entryPoint: String
        /// The resolver that gets a certificate for `*.<domain>`; nil for those of `certificates`, or Traefik's own.
        package var resolver: String?
        /// Paths, as Traefik sees them, of a certificate and its key.
        package var certificate: (file: String, key: String)? {
            certificateFile.flatMap { file in keyFile.map { (file, $0) } }
        }
        package var certificateFile: String?
        package var keyFile: String?

        package init(
            folder: String, domain: String, apiHost: String, apiURL: String, gatewayHost: String, trustedPorts: Int,
            entryPoint: String = "websecure", resolver: String? = nil, certificateFile: String? = nil, keyFile: String? = nil
        ) {
            self.folder = folder
            self.domain = domain
            self.apiHost = apiHost
            self.apiURL = apiURL
            self.gatewayHost = gatewayHost
            self.trustedPorts = trustedPorts
            self.entryPoint = entryPoint
            self.resolver = resolver
            self.certificateFile = certificateFile
            self.keyFile = keyFile
        }

        package var file: String { "\(folder)/sallyport.yml" }
    }

    /// One name of the domain, and the port of HAProxy behind it.
    private struct Entry {
        var name: String
        var hosts: [String]
        var port: Int
    }

    private let settings: Settings

    package init(_ settings: Settings) { self.settings = settings }

    /// The whole file for the countries that have a pool.
    package func text(of countries: [CountryCode]) -> String {
        let entries = entries(of: countries)
        let lines =
            [
                "# Written by sallyport for the countries that exist; changes made here are lost. See traefik/README.md.", "tcp:",
                "  routers:",
            ]
            + entries.flatMap(router) + ["  services:"] + entries.flatMap(service) + transport + api + options
        return lines.joined(separator: "\n") + "\n"
    }

    private func entries(of countries: [CountryCode]) -> [Entry] {
        let general = [
            Entry(name: "proxy", hosts: ["proxy"], port: settings.trustedPorts + HAProxyConfiguration.generalOffset),
            Entry(name: "proxy-any", hosts: ["proxy-any"], port: settings.trustedPorts + HAProxyConfiguration.anyOffset),
        ]
        return general
            + Set(countries).sorted().map { country in
                let name = "proxy-\(country.lowercased)"
                // People type "uk".
                return Entry(
                    name: name, hosts: [name] + (country.lowercased == "gb" ? ["proxy-uk"] : []),
                    port: settings.trustedPorts + country.portOffset)
            }
    }

    private func router(_ entry: Entry) -> [String] {
        let rule = entry.hosts.map { "HostSNI(`\($0).\(settings.domain)`)" }.joined(separator: " || ")
        return [
            "    \(entry.name):", "      rule: \"\(rule)\"", "      entryPoints: [\(settings.entryPoint)]", "      service: \(entry.name)",
            "      tls:", "        options: sallyport-proxies",
        ] + resolver(indent: "        ")
    }

    private func service(_ entry: Entry) -> [String] {
        [
            "    \(entry.name):", "      loadBalancer:", "        serversTransport: sallyport-gateway",
            "        servers: [{address: \"\(settings.gatewayHost):\(entry.port)\"}]",
        ]
    }

    /// HAProxy is told the client's own address. Traefik has taken this here, and no more at a service without a warning, since 3.6.
    private var transport: [String] { ["  serversTransports:", "    sallyport-gateway: {proxyProtocol: {version: 2}}"] }

    private var api: [String] {
        [
            "http:", "  routers:", "    sallyport-api:", "      rule: \"Host(`\(settings.apiHost)`)\"",
            "      entryPoints: [\(settings.entryPoint)]", "      service: sallyport-api",
        ] + (settings.resolver == nil ? ["      tls: {}"] : ["      tls:"] + resolver(indent: "        ")) + [
            "  services:", "    sallyport-api:", "      loadBalancer:", "        servers: [{url: \"\(settings.apiURL)\"}]",
        ]
    }

    /// A browser would choose HTTP/2 for its proxy if it could, and HAProxy's entries don't speak it.
    private var options: [String] {
        let certificates =
            settings.certificate.map { ["  certificates:", "    - {certFile: \"\($0.file)\", keyFile: \"\($0.key)\"}"] } ?? []
        return ["tls:", "  options:", "    sallyport-proxies: {minVersion: VersionTLS12, alpnProtocols: [http/1.1]}"] + certificates
    }

    /// One certificate for all names: a new country waits for nothing.
    private func resolver(indent: String) -> [String] {
        guard let resolver = settings.resolver else { return [] }
        return ["\(indent)certResolver: \(resolver)", "\(indent)domains: [{main: \"*.\(settings.domain)\"}]"]
    }
}
