import Model
import Platform

/// What each field is to a tunnel of ours.
extension WireGuardFile.Reader {
    mutating func read(_ name: String, _ value: String, _ number: Int) {
        let field = name.lowercased()
        // An unknown name may be the beginning of a key.
        if value.isEmpty, Self.homes[field] != nil {
            return refuse(number, "\(name) has no value", "give it a value, or take the line away")
        }
        if Self.commands.contains(field) {
            return file.find(number, .ignored, "\(name) is a command for a machine's own tunnel: it is never run here")
        }
        if Self.ofOtherProtocol.contains(field) {
            return refuse(
                number, "\(name) is AmneziaWG's: its server does not understand plain WireGuard", "ask the provider for a WireGuard file")
        }
        if let words = Self.unused[field] { return file.find(number, .ignored, "\(name) is not used: \(words)") }
        switch (section, field) {
        case (.interface, "privatekey"), (.peer, "publickey"), (.peer, "presharedkey"): readKey(name, value, number)
        case (.interface, "address"): readAddresses(value, number)
        case (.interface, "dns"): readResolvers(value, number)
        case (.interface, "mtu"): readMTU(value, number)
        case (.peer, "allowedips"): readNetworks(value, number)
        case (.peer, "endpoint"): readEndpoint(value, number)
        case (.peer, "persistentkeepalive"): readKeepalive(value, number)
        case (_, let known) where Self.homes[known] != nil:
            refuse(number, "\(name) stands in the wrong section", "put it below \(Self.homes[known] ?? "")")
        default: file.find(number, .ignored, "\(FileText.quoted(name)) is unknown here, and not used")
        }
    }

    private mutating func refuse(_ number: Int, _ words: String, _ remedy: String) {
        file.find(number, .refused, words, remedy: remedy)
    }

    private mutating func use(_ number: Int, _ words: String) { file.find(number, .used, words) }

    private mutating func changePeer(_ change: (inout WireGuardFile.Peer) -> Void) {
        guard !peers.isEmpty else { return }
        change(&peers[peers.count - 1])
    }

    private static let commands: Set = ["preup", "postup", "predown", "postdown"]
    /// Junk packets and changed headers, which both ends must agree on.
    private static let ofOtherProtocol: Set = [
        "jc", "jmin", "jmax", "s1", "s2", "s3", "s4", "h1", "h2", "h3", "h4", "i1", "i2", "i3", "i4", "i5",
    ]
    private static let unused = [
        "listenport": "an exit takes a free port", "fwmark": "an exit has its own", "table": "an exit has its own routes",
        "saveconfig": "the file is never written",
    ]
    private static let homes = [
        "privatekey": "[Interface]", "address": "[Interface]", "dns": "[Interface]", "mtu": "[Interface]", "publickey": "[Peer]",
        "presharedkey": "[Peer]", "allowedips": "[Peer]", "endpoint": "[Peer]", "persistentkeepalive": "[Peer]",
    ]

    // MARK: - Values

    private mutating func readKey(_ name: String, _ value: String, _ number: Int) {
        let key = value.filter { !$0.isWhitespace }
        guard Base64.isWireGuardKey(key) else {
            return refuse(number, "\(name) is no WireGuard key", "copy it again: it is base64 of 32 bytes, 44 characters with = at the end")
        }
        guard isFirst(name, key, number) else { return }
        switch name.lowercased() {
        case "privatekey":
            file.privateKey = Secret(key)
            use(number, "PrivateKey is used (not shown)")
        case "presharedkey":
            changePeer { $0.presharedKey = Secret(key) }
            use(number, "PresharedKey is used (not shown)")
        default:
            changePeer { $0.publicKey = key }
            use(number, "PublicKey \(key) is used")
        }
    }

    private mutating func readAddresses(_ value: String, _ number: Int) {
        for item in FileText.items(value) {
            let text = item.contains("/") ? item : item + (item.contains(":") ? "/128" : "/32")
            guard let network = IPNetwork(text) else {
                refuse(number, "Address \(FileText.quoted(item)) is no address", "give it as the provider does, like 10.64.0.2/32")
                continue
            }
            if !network.isIPv6, !Self.isOfTunnel(text) {
                refuse(number, "Address \(text) can't be a tunnel's", "give an IPv4 address with a prefix of 8 to 32, like 10.64.0.2/32")
                continue
            }
            // What becomes of one of IPv6 its peer says.
            if network.isIPv6 {
                file.addresses.append(text)
                sixes.append((number, text))
                continue
            }
            let isExtra = file.address != nil && !file.addresses.contains(text)
            file.addresses.append(text)
            if isExtra {
                file.find(number, .ignored, "Address \(text) is not used: the first one is")
            } else {
                use(number, "Address \(text) is used")
            }
        }
    }

    /// The exit reads it the same way.
    private static func isOfTunnel(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, Server.isIPv4(String(parts[0])), let prefix = Int(parts[1]), (8...32).contains(prefix) else { return false }
        return isUnicast(String(parts[0]))
    }

    private static func isUnicast(_ address: String) -> Bool {
        guard let first = address.split(separator: ".").first.flatMap({ Int($0) }) else { return false }
        return first != 0 && first != 127 && first < 224
    }

    private mutating func readResolvers(_ value: String, _ number: Int) {
        for item in FileText.items(value) {
            if Server.isIPv4(item), Self.isUnicast(item) {
                guard !file.resolvers.contains(item) else { continue }
                guard file.resolvers.count < 3 else {
                    file.find(number, .ignored, "DNS \(item) is not used: three resolvers are enough")
                    continue
                }
                file.resolvers.append(item)
                use(number, "DNS \(item) is used")
            } else if IPNetwork(item) != nil {
                file.find(number, .ignored, "DNS \(item) is not used: exits ask resolvers by IPv4")
            } else {
                file.find(number, .ignored, "DNS \(FileText.quoted(item)) is a search domain, and not used: exits look up whole names")
            }
        }
    }

    private mutating func readMTU(_ value: String, _ number: Int) {
        guard let bytes = Int(value), (576...65_535).contains(bytes) else {
            return refuse(number, "MTU \(FileText.quoted(value)) is none", "give 1280 to 1420, or take the line away")
        }
        guard isFirst("MTU", value, number) else { return }
        let taken = min(1420, max(1280, bytes))
        file.mtu = taken
        use(number, taken == bytes ? "MTU \(bytes) is used" : "MTU \(taken) is used in place of \(bytes): exits take 1280 to 1420")
    }

    private mutating func readKeepalive(_ value: String, _ number: Int) {
        guard let seconds = value.lowercased() == "off" ? 0 : Int(value), (0...65_535).contains(seconds) else {
            return refuse(number, "PersistentKeepalive \(FileText.quoted(value)) is none", "give seconds, 0 to 65535")
        }
        guard isFirst("PersistentKeepalive", value, number) else { return }
        changePeer { $0.keepalive = seconds }
        use(number, "PersistentKeepalive \(seconds) is used")
    }

    private mutating func readNetworks(_ value: String, _ number: Int) {
        for item in FileText.items(value) {
            if let network = IPv4Network(item) {
                changePeer { $0.networks.append(network) }
            } else if let network = Network(item), network.isIPv6 {
                changePeer { $0.networks6.append(network) }
            } else if IPNetwork(item) == nil {
                refuse(number, "AllowedIPs \(FileText.quoted(item)) is no network", "give it as the provider does: 0.0.0.0/0")
            }
        }
        file.find(
            number, .ignored, "AllowedIPs: an exit sends everything into the tunnel; of IPv6, where it has an address, and ::/0 is here")
    }

    private mutating func readEndpoint(_ value: String, _ number: Int) {
        let remedy = "give a name or an IPv4 address with a port, like 193.0.2.10:51820"
        if value.hasPrefix("[") || IPNetwork(value)?.isIPv6 == true {
            return refuse(number, "Endpoint \(FileText.quoted(value)) is of IPv6: exits reach servers by IPv4", remedy)
        }
        guard let colon = value.lastIndex(of: ":") else {
            return refuse(number, "Endpoint \(FileText.quoted(value)) has no port", remedy)
        }
        var host = value[..<colon].lowercased()
        if host.hasSuffix(".") { host.removeLast() }
        let digits = value[value.index(after: colon)...]
        guard let port = Int(digits), String(port) == digits, (1...65_535).contains(port) else {
            return refuse(number, "Endpoint's port \(FileText.quoted(String(digits))) is none", remedy)
        }
        let isAddress = Server.isIPv4(host) && Self.isUnicast(host)
        guard isAddress || HostName.isWhole(host) else {
            return refuse(number, "Endpoint \(FileText.quoted(host)) is neither an IPv4 address nor a whole name", remedy)
        }
        guard isFirst("Endpoint", "\(host):\(port)", number) else { return }
        changePeer { $0.endpoint = WireGuardFile.Endpoint(host: host, port: port) }
        use(number, "Endpoint \(host):\(port) is used" + (isAddress ? "" : ": the name is looked up again for each tunnel"))
    }
}
