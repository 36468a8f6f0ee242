import Model
import Platform
import Providers

extension Configuration {
    /// At least one provider, each with what its tunnels need.
    static func readProviders(_ reader: FieldReader) -> [ProviderSettings] {
        let settings = Provider.all.filter { reader.has($0.name.rawValue) }.compactMap {
            readProvider($0, reader.section($0.name.rawValue))
        }
        if !Provider.all.contains(where: { reader.has($0.name.rawValue) }) {
            let known = Provider.all.map(\.name.rawValue).joined(separator: ", ")
            reader.problem(
                "nordvpn",
                "is missing, and so is every other provider; want one or more of \(known), each with its private_key_file (nordvpn: or access_token_file)"
            )
        }
        return settings
    }

    private static func readProvider(_ provider: Provider, _ section: FieldReader) -> ProviderSettings? {
        let credentials = readCredentials(provider, section)
        let url = section.string("api_url") ?? provider.url
        if !url.hasPrefix("https://"), !url.hasPrefix("http://") { section.problem("api_url", "want a URL that begins with https://") }
        let path = section.string("list_path") ?? provider.listPath
        if !path.hasPrefix("/") { section.problem("list_path", "want a path that begins with /, like \(provider.listPath)") }
        var facts = provider.facts
        if let address = section.string("address") { facts.clientAddress = address }
        if facts.clientAddress.isEmpty {
            section.problem("address", "is missing, want the tunnel address that \(provider.name) gave with the key, like 10.64.0.2/32")
        } else if !isTunnelAddress(facts.clientAddress) {
            section.problem("address", "is \(facts.clientAddress), want an IPv4 address with its prefix, like 10.64.0.2/32")
        }
        if let dns = section.strings("dns", limit: 3) {
            if dns.isEmpty { section.problem("dns", "is empty, want one to three IPv4 addresses") }
            for address in dns where !isIPv4(address) { section.problem("dns", "\(address) is not an IPv4 address") }
            facts.dns = dns
        }
        facts.mtu = section.integer("mtu", in: 1280...1420) ?? facts.mtu
        facts.keepalive = section.integer("keepalive", in: 0...65_535) ?? facts.keepalive
        facts.presharedKey = readPresharedKey(section)
        let authority = section.string("ca_file").map(Files.absolute)
        if let authority, !Files.exists(authority) { section.problem("ca_file", "\(authority) is not there") }
        let devices = section.integer("devices", in: 0...1000) ?? provider.devices ?? 0
        var included: Set<SpecialServers> = []
        for word in section.strings("include") ?? [] {
            if let special = SpecialServers(rawValue: word), provider.special.contains(special) {
                included.insert(special)
            } else {
                let known = provider.special.map(\.rawValue).joined(separator: ", ")
                section.problem(
                    "include", "\(word.prefix(32)) is unknown, want \(known.isEmpty ? "none for \(provider.name)" : "some of \(known)")")
            }
        }
        return ProviderSettings(
            provider: provider, apiURL: url, listPath: path, credentials: credentials, facts: facts,
            options: ListOptions(included: included, port: section.integer("port", in: 1...65_535)),
            devices: devices == 0 ? nil : devices, authorityFile: authority)
    }

    private static func readCredentials(_ provider: Provider, _ section: FieldReader) -> ProviderClient.Credentials? {
        let token = provider.takesTokens ? secret(section, "access_token") : nil
        let key = secret(section, "private_key")
        var names = ["private_key", "private_key_file"]
        if provider.takesTokens { names += ["access_token", "access_token_file"] }
        if !names.contains(where: section.has) {
            if provider.takesTokens {
                section.problem("access_token_file", "is missing, want a file with the account's access token (or private_key_file)")
            } else {
                section.problem("private_key_file", "is missing, want a file with the WireGuard private key that \(provider.name) knows")
            }
        }
        if let key, !Base64.isWireGuardKey(key.revealed) {
            let source = section.has("private_key") ? "private_key" : "private_key_file"
            section.problem(source, "is not a WireGuard key, want base64 of 32 bytes")
        }
        return key.map(ProviderClient.Credentials.privateKey) ?? token.map(ProviderClient.Credentials.accessToken)
    }

    private static func readPresharedKey(_ section: FieldReader) -> Secret? {
        let key = secret(section, "preshared_key")
        if let key, !Base64.isWireGuardKey(key.revealed) {
            let source = section.has("preshared_key") ? "preshared_key" : "preshared_key_file"
            section.problem(source, "is not a WireGuard key, want base64 of 32 bytes")
        }
        return key
    }

    private static func isTunnelAddress(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count == 2 && isIPv4(String(parts[0])) && (Int(parts[1]).map { (8...32).contains($0) } ?? false)
    }
}
