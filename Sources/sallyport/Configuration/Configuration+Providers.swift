import Model
import Platform
import Providers
import WireGuardFiles

extension Configuration {
    /// At least one provider, each with what its tunnels need.
    static func readProviders(_ reader: FieldReader) -> [ProviderSettings] {
        let settings = Provider.all.filter { reader.has($0.name.rawValue) }.compactMap {
            readProvider($0, reader.section($0.name.rawValue))
        }
        if !reader.has(ProviderName.wireguard.rawValue), !Provider.all.contains(where: { reader.has($0.name.rawValue) }) {
            let known = Provider.all.map(\.name.rawValue).joined(separator: ", ")
            reader.problem(
                "nordvpn",
                "is missing, and so is every other provider; expected one or more of \(known), each with its private_key_file (nordvpn: or access_token_file), or wireguard with its directory"
            )
        }
        return settings
    }

    /// The folder of WireGuard files; nil where there is none.
    static func readWireGuard(_ reader: FieldReader) -> WireGuardSettings? {
        guard reader.has(ProviderName.wireguard.rawValue) else { return nil }
        let section = reader.section(ProviderName.wireguard.rawValue)
        let folder = section.string("directory").map(Files.absolute)
        if folder == nil { section.problem("directory", "is missing, expected the folder with the WireGuard files (us-nyc-1.conf)") }
        if let folder, (try? Files.list(folder)) == nil { section.problem("directory", "\(folder) is no folder that can be read") }
        var facts = WireGuardFolder.standard
        readTunnelFacts(section, &facts)
        return WireGuardSettings(folder: folder ?? "", facts: facts, devices: section.integer("devices", in: 1...1000) ?? 1)
    }

    private static func readProvider(_ provider: Provider, _ section: FieldReader) -> ProviderSettings? {
        let file = readWireGuardFile(section)
        let credentials = readCredentials(provider, section, file)
        let url = section.string("api_url") ?? provider.url
        if !url.hasPrefix("https://"), !url.hasPrefix("http://") { section.problem("api_url", "expected a URL that begins with https://") }
        let path = section.string("list_path") ?? provider.listPath
        if !path.hasPrefix("/") { section.problem("list_path", "expected a path that begins with /, like \(provider.listPath)") }
        let facts = readFacts(provider, section, file)
        let authority = section.string("ca_file").map(Files.absolute)
        if let authority, !Files.exists(authority) { section.problem("ca_file", "\(authority) is not there") }
        let devices = section.integer("devices", in: 0...1000) ?? provider.devices ?? 0
        return ProviderSettings(
            provider: provider, apiURL: url, listPath: path, credentials: credentials, facts: facts,
            options: ListOptions(included: readIncluded(provider, section), port: section.integer("port", in: 1...65_535)),
            devices: devices == 0 ? nil : devices, refreshSeconds: section.number("refresh_seconds", in: 60...86_400),
            authorityFile: authority)
    }

    /// What the tunnel needs, where it is not the provider's own.
    private static func readFacts(_ provider: Provider, _ section: FieldReader, _ file: WireGuardFile?) -> TunnelFacts {
        var facts = provider.facts
        if let address = readAddress(section, file, provider) { facts.clientAddress = address }
        readTunnelFacts(section, &facts)
        facts.presharedKey = readKey(section, "preshared_key") { $0.peer?.presharedKey } ?? file?.peer?.presharedKey
        return facts
    }

    private static func readTunnelFacts(_ section: FieldReader, _ facts: inout TunnelFacts) {
        if let dns = section.list("dns") {
            if dns.count > 3 { section.problem("dns", "has \(dns.count) entries, expected one to three IPv4 addresses") }
            if dns.isEmpty { section.problem("dns", "is empty, expected one to three IPv4 addresses") }
            for address in dns where !isIPv4(address) { section.problem("dns", "\(address) is not an IPv4 address") }
            facts.dns = dns
        }
        facts.mtu = section.integer("mtu", in: 1280...1420) ?? facts.mtu
        facts.keepalive = section.integer("keepalive", in: 0...65_535) ?? facts.keepalive
    }

    private static func readIncluded(_ provider: Provider, _ section: FieldReader) -> Set<SpecialServers> {
        let known = provider.special.map(\.rawValue).joined(separator: ", ")
        var included: Set<SpecialServers> = []
        for word in section.strings("include") ?? [] {
            if let special = SpecialServers(rawValue: word), provider.special.contains(special) {
                included.insert(special)
            } else {
                let expected = known.isEmpty ? "none for \(provider.name)" : "some of \(known)"
                section.problem("include", "\(word.prefix(32)) is unknown, expected \(expected)")
            }
        }
        return included
    }

    private static func readCredentials(_ provider: Provider, _ section: FieldReader, _ file: WireGuardFile?)
        -> ProviderClient.Credentials?
    {
        let token = provider.takesTokens ? secret(section, "access_token") : nil
        let key = readKey(section, "private_key") { $0.privateKey }
        var names = ["private_key", "private_key_file"]
        if provider.takesTokens { names += ["access_token", "access_token_file"] }
        if !names.contains(where: section.has) {
            if provider.takesTokens {
                section.problem("access_token_file", "is missing, expected a file with the account's access token (or private_key_file)")
            } else {
                section.problem(
                    "private_key_file", "is missing, expected a file with the WireGuard private key that \(provider.name) knows")
            }
        }
        return key.map(ProviderClient.Credentials.privateKey) ?? token.map(ProviderClient.Credentials.accessToken)
    }

    /// What `private_key_file` names, where that is a provider's whole WireGuard configuration.
    private static func readWireGuardFile(_ section: FieldReader) -> WireGuardFile? {
        guard !section.has("private_key"), section.has("private_key_file"), let path = section.string("private_key_file") else {
            return nil
        }
        return configuration(path)
    }

    /// Nil for a file that is no WireGuard configuration.
    private static func configuration(_ path: String) -> WireGuardFile? {
        let file = (try? Files.readText(path, limit: 65_536)).map { WireGuardFile($0) }
        return file.flatMap { $0.isConfiguration ? $0 : nil }
    }

    /// A WireGuard key from the field or the file that `<field>_file` names: the key alone, or a WireGuard configuration with it.
    private static func readKey(_ section: FieldReader, _ field: String, _ part: (WireGuardFile) -> Secret?) -> Secret? {
        let source = section.has(field) ? field : "\(field)_file"
        if source != field, section.has(source), let path = section.string(source), let file = configuration(path) {
            guard let key = part(file) else {
                let name = field == "private_key" ? "PrivateKey" : "PresharedKey"
                section.problem(source, "\(path) is a WireGuard configuration, but not with one \(name) of base64 of 32 bytes")
                return nil
            }
            return key
        }
        let key = secret(section, field)
        if let key, !Base64.isWireGuardKey(key.revealed) { section.problem(source, "is not a WireGuard key, expected base64 of 32 bytes") }
        return key
    }

    /// The tunnel's IPv4 address: from the field, which may be a list as WireGuard's files have it, else from such a file; nil for the
    /// provider's own.
    private static func readAddress(_ section: FieldReader, _ file: WireGuardFile?, _ provider: Provider) -> String? {
        let given = section.list("address") ?? file?.addresses
        guard let given else {
            if provider.facts.clientAddress.isEmpty {
                section.problem(
                    "address", "is missing, expected the tunnel address that \(provider.name) gave with the key, like 10.64.0.2/32")
            }
            return nil
        }
        // The tunnels are IPv4 alone.
        let addresses = given.filter { !$0.contains(":") }
        if addresses.count == 1, isTunnelAddress(addresses[0]) { return addresses[0] }
        section.problem(
            "address", "is \(given.joined(separator: ", ").prefix(200)), expected an IPv4 address with its prefix, like 10.64.0.2/32")
        return nil
    }

    private static func isTunnelAddress(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count == 2 && isIPv4(String(parts[0])) && (Int(parts[1]).map { (8...32).contains($0) } ?? false)
    }
}
