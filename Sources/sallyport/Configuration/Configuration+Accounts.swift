import Model
import Platform
import Providers
import WireGuardFiles

/// The accounts at a provider, each with a key or a token, an address in the tunnel, and a number of devices.
extension Configuration {
    /// Fields of the one account that stand beside the provider's own where there is no list of accounts.
    private static let fieldsOfOne = [
        "access_token", "access_token_file", "private_key", "private_key_file", "preshared_key", "preshared_key_file", "address", "devices",
    ]
    private static let mostAccounts = 64

    static func readAccounts(_ provider: Provider, _ section: FieldReader) -> [AccountSettings] {
        var standard = provider.facts
        guard section.has("accounts") else {
            let file = readWireGuardFile(section)
            let credentials = readCredentials(provider, section, file)
            let devices = section.integer("devices", in: 0...1000) ?? provider.devices ?? 0
            let facts = readFacts(provider, standard, section, file)
            return [AccountSettings(credentials: credentials, facts: facts, devices: devices == 0 ? nil : devices)]
        }
        for field in fieldsOfOne where provider.takesTokens || !field.hasPrefix("access_token") {
            guard section.has(field) else { continue }
            section.problem(field, "is set, and accounts too; expected one of the two: put it into an entry of accounts")
        }
        readTunnelFacts(section, &standard)
        guard let readers = section.objects("accounts", limit: mostAccounts) else { return [] }
        if readers.isEmpty { section.problem("accounts", "is empty, expected one account or more, each with a name and a key") }
        let accounts = readers.map { readAccount(provider, standard, $0) }
        refuseTwins(accounts, readers)
        return accounts
    }

    private static func readAccount(_ provider: Provider, _ standard: TunnelFacts, _ section: FieldReader) -> AccountSettings {
        if !section.has("name") { section.problem("name", "is missing, expected a name of 1 to 40 of a-z 0-9 -, like alice") }
        let name = section.has("name") ? word(section, "name", default: "") : ""
        let file = readWireGuardFile(section)
        let credentials = readCredentials(provider, section, file)
        let devices = section.integer("devices", in: 1...1000) ?? provider.devices
        return AccountSettings(
            name: name, credentials: credentials, facts: readFacts(provider, standard, section, file), devices: devices)
    }

    /// Two accounts of one name can't be told apart, and two with one key are one account at the provider.
    private static func refuseTwins(_ accounts: [AccountSettings], _ readers: [FieldReader]) {
        for (index, account) in accounts.enumerated() {
            let before = accounts[..<index]
            if let name = account.name, !name.isEmpty, before.contains(where: { $0.name == name }) {
                readers[index].problem("name", "is \(name), as of another account, expected a name for each")
            }
            guard let credentials = account.credentials, let twin = before.first(where: { $0.credentials == credentials }) else { continue }
            let (field, what) =
                switch credentials {
                case .accessToken: ("access_token", "token")
                case .privateKey: ("private_key", "key")
                }
            readers[index].problem(
                readers[index].has(field) ? field : "\(field)_file",
                "is the \(what) of the account \(twin.name ?? "?"), expected another one: accounts with one \(what) share its devices")
        }
    }

    /// What the tunnel needs, where it is not the provider's own.
    private static func readFacts(_ provider: Provider, _ standard: TunnelFacts, _ section: FieldReader, _ file: WireGuardFile?)
        -> TunnelFacts
    {
        var facts = standard
        if let address = readAddress(section, file, provider) { facts.clientAddress = address }
        facts.clientAddress6 = readIPv6Address(section, file)
        readTunnelFacts(section, &facts)
        facts.presharedKey = readKey(section, "preshared_key") { $0.peer?.presharedKey } ?? file?.peer?.presharedKey
        return facts
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
        let addresses = given.filter { !$0.contains(":") }
        if addresses.count == 1, isTunnelAddress(addresses[0]) { return addresses[0] }
        section.problem(
            "address", "is \(given.joined(separator: ", ").prefix(200)), expected an IPv4 address with its prefix, like 10.64.0.2/32")
        return nil
    }

    /// The tunnel's IPv6 address, from where its IPv4 one is; nil for a tunnel of IPv4 alone.
    private static func readIPv6Address(_ section: FieldReader, _ file: WireGuardFile?) -> String? {
        guard let given = section.list("address") else { return file?.address6 }
        let addresses = given.filter { $0.contains(":") }.map { $0.contains("/") ? $0 : "\($0)/128" }
        for address in addresses where !TunnelFacts.isIPv6Address(address) {
            section.problem("address", "has \(address.prefix(60)), expected an IPv6 address with its prefix, like fc00:bbbb::2/128")
        }
        if addresses.count > 1 { section.problem("address", "has \(addresses.count) IPv6 addresses, expected one at most") }
        return addresses.first
    }

    private static func isTunnelAddress(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count == 2 && isIPv4(String(parts[0])) && (Int(parts[1]).map { (8...32).contains($0) } ?? false)
    }
}
