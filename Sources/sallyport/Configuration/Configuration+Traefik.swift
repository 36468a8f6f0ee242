import Model
import Planning
import Platform

extension Configuration {
    /// Nil without `traefik.directory`: then nothing is written for Traefik.
    static func readTraefik(_ reader: FieldReader, gateway: GatewaySettings, api: APISettings) -> TraefikConfiguration.Settings? {
        let folder = reader.string("directory").map(Files.absolute)
        let domain = host(reader, "domain")
        let apiHost = host(reader, "api_host")
        let apiURL = reader.string("api_url")
        let gatewayHost = host(reader, "gateway_host")
        let entryPoint = name(reader, "entry_point") ?? "websecure"
        let resolver = name(reader, "cert_resolver")
        let (certificate, key) = (path(reader, "certificate"), path(reader, "key"))
        if let apiURL,
            !apiURL.hasPrefix("http://")
                || !apiURL.dropFirst(7).allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || ".-:".contains($0)) })
        {
            reader.problem("api_url", "is \(apiURL), expected one like http://controller:8080")
        }
        if (certificate == nil) != (key == nil) {
            reader.problem(certificate == nil ? "certificate" : "key", "is missing, expected both a certificate and its key")
        }
        if certificate != nil, resolver != nil { reader.problem("cert_resolver", "is given beside a certificate, expected one of the two") }
        guard let folder else {
            if reader.has("domain") { reader.problem("directory", "is missing, expected the folder that Traefik watches") }
            return nil
        }
        guard let domain else {
            reader.problem("domain", "is missing, expected the domain of the proxies' names, like example.com")
            return nil
        }
        guard let ports = gateway.trustedPorts else {
            reader.problem("directory", "is set while gateway.trusted_ports is 0, expected ports at which HAProxy takes the PROXY protocol")
            return nil
        }
        return .init(
            folder: folder, domain: domain, apiHost: apiHost ?? "api.\(domain)",
            apiURL: apiURL ?? "http://\(reachable(api.address)):\(api.port)", gatewayHost: gatewayHost ?? reachable(gateway.address),
            trustedPorts: ports, entryPoint: entryPoint, resolver: resolver, certificateFile: certificate, keyFile: key)
    }

    private static func reachable(_ address: String) -> String { address == "0.0.0.0" ? "127.0.0.1" : address }

    /// Ends up in a rule and in quotes: nothing else may be in it.
    private static func host(_ reader: FieldReader, _ field: String) -> String? {
        guard let text = reader.string(field)?.lowercased() else { return nil }
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        let isGood =
            text.utf8.count <= 200
            && labels.allSatisfy { label in
                (1...63).contains(label.count) && label.first != "-" && label.last != "-"
                    && label.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }
            }
        if !isGood { reader.problem(field, "is \(text.prefix(80)), expected a host name of letters, digits, - and .") }
        return text
    }

    private static func name(_ reader: FieldReader, _ field: String) -> String? {
        guard let text = reader.string(field) else { return nil }
        if !(1...40).contains(text.utf8.count) || !text.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") })
        {
            reader.problem(field, "expected 1 to 40 letters, digits, - and _, as in Traefik's static configuration")
        }
        return text
    }

    private static func path(_ reader: FieldReader, _ field: String) -> String? {
        guard let text = reader.string(field) else { return nil }
        if !text.hasPrefix("/") || !text.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "/._-".contains($0)) }) {
            reader.problem(field, "is \(text.prefix(80)), expected an absolute path of letters, digits and / . _ -, as Traefik sees it")
        }
        return text
    }
}
