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
        let accounts = readAccounts(provider, section)
        let url = section.string("api_url") ?? provider.url
        if !url.hasPrefix("https://"), !url.hasPrefix("http://") { section.problem("api_url", "expected a URL that begins with https://") }
        let path = section.string("list_path") ?? provider.listPath
        if !path.hasPrefix("/") { section.problem("list_path", "expected a path that begins with /, like \(provider.listPath)") }
        let authority = section.string("ca_file").map(Files.absolute)
        if let authority, !Files.exists(authority) { section.problem("ca_file", "\(authority) is not there") }
        return ProviderSettings(
            provider: provider, apiURL: url, listPath: path, accounts: accounts,
            options: ListOptions(included: readIncluded(provider, section), port: section.integer("port", in: 1...65_535)),
            refreshSeconds: section.number("refresh_seconds", in: 60...86_400), authorityFile: authority)
    }

    static func readTunnelFacts(_ section: FieldReader, _ facts: inout TunnelFacts) {
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
}
