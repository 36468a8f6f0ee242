extension Pool {
    /// What is different from another pool of the same country, in words: "size 1 to 2, city any to Dallas"; of a new one all
    /// that is set.
    package func difference(from old: Pool?) -> String {
        let before = old?.settings ?? []
        return settings.enumerated().compactMap { index, setting -> String? in
            guard before.indices.contains(index) else { return setting.isSet ? "\(setting.name) \(setting.value)" : nil }
            return before[index].value == setting.value ? nil : "\(setting.name) \(before[index].value) to \(setting.value)"
        }.joined(separator: ", ")
    }

    private var settings: [(name: String, value: String, isSet: Bool)] {
        func optional(_ name: String, _ value: (some Any)?, _ none: String) -> (String, String, Bool) {
            (name, value.map { "\($0)" } ?? none, value != nil)
        }
        let chain = (fallback ?? []).map(\.rawValue).joined(separator: " ")
        func words(_ list: [String]?) -> String? { list.map { $0.joined(separator: " ") } }
        return [
            ("size", String(size), true), ("standby", String(standby), standby > 0), optional("provider", provider?.rawValue, "any"),
            optional("city", city, "any"), optional("tags", words(limits.tags), "any"),
            optional("hostnames", words(limits.hostnames), "any"), optional("exclude", words(limits.exclude), "none"),
            ("strategy", strategy.rawValue, strategy != .balanced),
            optional("spread", spread?.rawValue, "usual"), optional("fallback", chain.isEmpty ? nil : chain, "none"),
            ("on_demand", isOnDemand ? "yes" : "no", isOnDemand), optional("rotate_every", rotateEvery, "never"),
            optional("rotate_after_mb", rotateAfterMegabytes, "never"),
        ]
    }
}

extension ProxyUser {
    /// The names of the settings that differ from another state of the same user, never their values.
    package func changedSettings(from old: ProxyUser) -> [String] {
        let all = [
            ("password", passwords != old.passwords), ("expires_at", expiresAt != old.expiresAt),
            ("disabled", isDisabled != old.isDisabled),
            ("countries", countries != old.countries), ("fallback", fallback != old.fallback), ("addresses", addresses != old.addresses),
            ("address_rule", addressRule != old.addressRule), ("limits", limits != old.limits), ("token", token != old.token),
        ]
        return all.filter(\.1).map(\.0)
    }
}
