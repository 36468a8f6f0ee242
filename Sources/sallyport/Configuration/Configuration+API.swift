import API
import AccessControl
import HTTPServing
import Model
import Platform
import RequestPipeline

extension Configuration {
    static func readAPI(_ reader: FieldReader) -> APISettings {
        APISettings(
            address: ipv4(reader, "address", default: "127.0.0.1"), port: reader.integer("port", in: 1...65_535) ?? 8080,
            keys: readKeys(reader.section("keys")), serving: readServing(reader), limits: readLimits(reader),
            auditRetentionDays: reader.section("audit").number("retention_days", in: 0...36_500) ?? 365,
            showsDashboard: reader.bool("dashboard") ?? true)
    }

    private static func readKeys(_ section: FieldReader) -> [APIKey] {
        var keys: [APIKey] = []
        for name in section.keys {
            let entry = section.section(name)
            let role = entry.required("role", entry.choice("role", Role.self), want: "viewer, operator or admin")
            let digest = entry.required("sha256", entry.string("sha256"), want: "the SHA-256 of the key, as 64 hexadecimal digits")
            if let digest, digest.utf8.count != 64 || !digest.allSatisfy(\.isHexDigit) {
                entry.problem("sha256", "expected 64 hexadecimal digits, as `printf %s \"$KEY\" | sha256sum` prints them")
            }
            if let role, let digest { keys.append(APIKey(name: name, role: role, digest: digest.lowercased())) }
        }
        return keys
    }

    private static func readServing(_ reader: FieldReader) -> RequestSettings {
        var settings = RequestSettings()
        let limits = reader.section("limits")
        settings.requests = limits.integer("requests", in: 0...100_000_000) ?? settings.requests
        settings.strictRequests = limits.integer("strict_requests", in: 1...100_000_000) ?? settings.strictRequests
        settings.failedKeys = limits.integer("failed_keys", in: 1...100_000_000) ?? settings.failedKeys
        settings.windowSeconds = limits.integer("window_seconds", in: 1...3600) ?? settings.windowSeconds
        settings.streamsPerKey = reader.integer("streams_per_key", in: 1...100_000) ?? settings.streamsPerKey
        settings.streams = reader.integer("streams", in: 1...100_000) ?? Int(readLimits(reader).connections) / 2
        settings.sessions.seconds = reader.integer("session_seconds", in: 60...31_536_000) ?? settings.sessions.seconds
        settings.sessions.idleSeconds = reader.integer("session_idle_seconds", in: 60...31_536_000) ?? settings.sessions.idleSeconds
        settings.trustedProxies = networks(reader, "trusted_proxies")
        if let excess = NetworkUnion(settings.trustedProxies.compactMap { Network($0.description) }).excess {
            reader.problem("trusted_proxies", "are together \(excess) because any of them could claim to be another client")
        }
        settings.allowedNetworks = networks(reader, "allowed_networks")
        settings.origins = reader.strings("origins") ?? []
        for origin in settings.origins where !isOrigin(origin) {
            reader.problem("origins", "\(origin) is not an origin, expected one like https://dashboard.example (`*` is refused)")
        }
        settings.logsRequests = reader.bool("log_requests") ?? settings.logsRequests
        settings.showsUserNames = reader.bool("metrics_user_names") ?? settings.showsUserNames
        settings.auditsRequests = reader.section("audit").bool("requests") ?? settings.auditsRequests
        return settings
    }

    private static func readLimits(_ reader: FieldReader) -> HTTPServer.Limits {
        var limits = HTTPServer.Limits()
        limits.connections = UInt32(reader.integer("connections", in: 10...100_000) ?? 2000)
        limits.connectionsPerAddress = UInt32(reader.integer("connections_per_address", in: 1...100_000) ?? 1500)
        return limits
    }

    private static func networks(_ reader: FieldReader, _ field: String) -> [IPNetwork] {
        (reader.strings(field) ?? []).compactMap { text in
            let network = IPNetwork(text)
            if network == nil { reader.problem(field, "\(text) is not an address or a network like 10.0.0.0/8") }
            return network
        }
    }

    private static func isOrigin(_ text: String) -> Bool {
        let rest = text.hasPrefix("https://") ? text.dropFirst(8) : text.hasPrefix("http://") ? text.dropFirst(7) : ""
        return !rest.isEmpty && rest.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || ".-:[]".contains($0)) }
    }
}
