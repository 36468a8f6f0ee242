package import Model

/// HAProxy's maps, which its Lua code reads: who may do what, and which exits there are. They change without a reload.
package struct GatewayMap: Sendable, Equatable {
    /// The file's name in the run directory.
    package var name: String
    package var entries: [String: String]

    package init(name: String, entries: [String: String]) {
        self.name = name
        self.entries = entries
    }

    /// Networks that nobody may reach, beside the special-purpose ones that the Lua code knows.
    package static func refused(_ networks: [String]) -> GatewayMap {
        GatewayMap(name: "refused.map", entries: Dictionary(networks.map { ($0, "1") }, uniquingKeysWith: { $1 }))
    }

    /// The file's text.
    package var text: String { entries.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)\n" }.joined() }
}

extension GatewayLayout {
    /// In the order in which they are to be written: a user's policy is there before the user is.
    package var maps: [GatewayMap] {
        var maps = [
            GatewayMap(name: "exits.map", entries: exitEntries), GatewayMap(name: "pools.map", entries: poolEntries),
            GatewayMap(
                name: "policies.map",
                entries: Dictionary(users.map { ($0.name, $0.policy(blocked: blocked[$0.name])) }, uniquingKeysWith: { $1 })),
            GatewayMap(name: "addresses.map", entries: addressEntries),
            GatewayMap(name: "users.map", entries: Dictionary(users.map { ($0.name, $0.passwordEntries) }, uniquingKeysWith: { $1 })),
        ]
        // Before anybody is let in.
        if let refused { maps.insert(GatewayMap.refused(refused), at: 0) }
        return maps
    }

    /// `pool-us/s1` to `us-1;198.18.1.10;US;New_York`.
    private var exitEntries: [String: String] {
        var entries: [String: String] = [:]
        for pool in pools {
            for slot in pool.slots {
                guard let occupant = slot.occupant, slot.state == .ready else { continue }
                entries["\(pool.backendName)/\(slot.name)"] = [
                    "\(occupant.exit)", occupant.publicAddress.map(Self.plain) ?? "", occupant.publicCountry?.rawValue ?? "",
                    occupant.city.map(Self.plain) ?? "",
                ].joined(separator: ";")
            }
        }
        return entries
    }

    /// Each country of the world: `us` to `backend=pool-us;fallback=ca;slots=s1:4711:100:400:newyork`, others to `none`. `open=s1` are
    /// slots whose exits ask for no credential, `six=s1` those whose tunnels carry IPv6; `spread=round_robin` stands where exits are taken
    /// in turn, `coming=1` where an exit is on its way, `standbys=` before slots that are as `slots`, `demand=1` where a request may ask for
    /// an exit. `servers=none` is a country that could be asked for, if it had a server; `servers=unknown` one of which no list says yet
    /// whether it has.
    private var poolEntries: [String: String] {
        var entries = Self.noPools
        switch elsewhere {
        case .closed: break
        case .withoutServers: entries = entries.mapValues { _ in "servers=none" }
        case .notListed: entries = entries.mapValues { _ in "servers=unknown" }
        }
        for pool in pools {
            let slots = pool.slots.filter { $0.state == .ready && $0.endpoint != nil }.map(Self.words)
            let standbys = pool.slots.filter { pool.standbys.contains($0.number) && $0.endpoint != nil }.map(Self.words)
            let fallback = pool.fallback.map(\.lowercased).joined(separator: ",")
            let open = pool.slots.filter { $0.state == .ready && $0.occupant?.knowsCredential == false }.map(\.name)
            let six = pool.slots.filter { $0.endpoint != nil && $0.occupant?.hasIPv6 == true }.map(\.name)
            entries[pool.country.lowercased] =
                "backend=\(pool.backendName);fallback=\(fallback)" + (open.isEmpty ? "" : ";open=\(open.joined(separator: ","))")
                + (six.isEmpty ? "" : ";six=\(six.joined(separator: ","))")
                + (pool.spread == .roundRobin ? ";spread=\(pool.spread.rawValue)" : "")
                + (pool.isComing ? ";coming=1" : "") + (pool.isOnDemand ? ";demand=1" : "")
                + (standbys.isEmpty ? "" : ";standbys=\(standbys.joined(separator: ","))")
                + ";slots=\(slots.joined(separator: ","))"
        }
        // Who asks for any country keeps no exit from its end: those on demand are used where there are no others.
        let lasting = pools.filter { !$0.isOnDemand }
        let any = lasting.isEmpty ? pools.filter { $0.slots.contains { $0.state == .ready } } : lasting
        entries["any"] = "countries=\(any.map(\.country.lowercased).joined(separator: ","))"
        return entries
    }

    /// `s1:4711:100:400:newyork`: name, number of the exit, weight, milliseconds until it may be silent, city.
    private static func words(_ slot: GatewaySlot) -> String {
        // Without an occupant its number within the pool stands for it.
        let exit = slot.occupant?.number ?? UInt32(slot.number)
        return "\(slot.name):\(exit):\(slot.weight):\(slot.silence):\(slot.occupant?.cityWord ?? "")"
    }

    private static let noPools = Dictionary(CountryCode.all.map { ($0.lowercased, "none") }, uniquingKeysWith: { $1 })

    /// Networks of users who need no password: `10.0.0.0/8` to `alice`. The first user of a network has it. Networks that are too much of
    /// the internet are left out, with an alert: a version before has stored them.
    private var addressEntries: [String: String] {
        var entries: [String: String] = [:]
        let refused = Set(ProxyUser.openUsers(among: users).refused.map(\.name))
        for user in users where user.addressRule == .insteadOfPassword && !refused.contains(user.name) {
            for network in user.addresses where entries[network] == nil { entries[network] = user.name }
        }
        return entries
    }

    /// What a map's value, a header and JSON can hold without any quoting.
    private static func plain(_ text: String) -> String {
        if text.utf8.allSatisfy({ UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 | 0x20 || 0x30...0x39 ~= $0 || $0 == 0x2E }) { return text }
        return String(text.map { $0.isASCII && ($0.isLetter || $0.isNumber || ".:-".contains($0)) ? $0 : "_" })
    }
}

extension ProxyUser {
    /// `salt:digest`, and `:seconds` where it expires; several with commas between them.
    var passwordEntries: String {
        passwords.map { password in
            "\(password.salt):\(password.digest)" + (password.expiresAt.map { ":\(Int($0.milliseconds / 1000))" } ?? "")
        }.joined(separator: ",")
    }

    /// `account=alice@lx3f;countries=us,de;connections=5`.
    func policy(blocked: Quota?) -> String {
        var fields = ["account=\(account)"]
        if isDisabled { fields.append("disabled=1") }
        if let expiresAt { fields.append("expires=\(expiresAt.milliseconds / 1000)") }
        if let blocked { fields.append("blocked=\(blocked.rawValue)") }
        if !countries.isEmpty { fields.append("countries=\(countries.map(\.lowercased).joined(separator: ","))") }
        if !fallback.isEmpty { fields.append("fallback=\(fallback.map(\.lowercased).joined(separator: ","))") }
        if !addresses.isEmpty {
            fields.append("addresses=\(addresses.joined(separator: ","))")
            fields.append("rule=\(addressRule == .withPassword ? "with" : "instead")")
        }
        if let connections = limits.connections { fields.append("connections=\(connections)") }
        if let rate = limits.connectionsPerSecond { fields.append("rate=\(rate)") }
        return fields.joined(separator: ";")
    }
}
