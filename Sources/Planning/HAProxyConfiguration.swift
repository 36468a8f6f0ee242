package import Model

/// HAProxy's configuration as text: the template of `haproxy/` with a layout filled in. Pure.
package struct HAProxyConfiguration: Sendable {
    package struct Settings: Sendable, Equatable {
        package var gatewayAddress: String
        package var gatewayPort: Int
        package var statsSocket: String
        /// The folder of its inner sockets and maps; absolute, without blanks.
        package var runDirectory: String
        package var luaFile: String
        package var usersMap: String
        package var countriesMap: String
        package var knownCountries: String
        /// Connections of clients at once.
        package var clientLimit: Int
        /// Seconds.
        package var connectTimeout: Int
        package var responseTimeout: Int
        package var tunnelTimeout: Int
        package var hardStopAfter: Int

        package init(
            gatewayAddress: String, gatewayPort: Int, runDirectory: String, luaFile: String, clientLimit: Int = 2_000,
            connectTimeout: Int = 1,
            responseTimeout: Int = 60, tunnelTimeout: Int = 3_600, hardStopAfter: Int = 3_600
        ) {
            self.gatewayAddress = gatewayAddress
            self.gatewayPort = gatewayPort
            self.runDirectory = runDirectory
            self.luaFile = luaFile
            self.clientLimit = clientLimit
            self.connectTimeout = connectTimeout
            self.responseTimeout = responseTimeout
            self.tunnelTimeout = tunnelTimeout
            self.hardStopAfter = hardStopAfter
            statsSocket = "\(runDirectory)/stats.sock"
            usersMap = "\(runDirectory)/users.map"
            countriesMap = "\(runDirectory)/countries.map"
            knownCountries = "\(runDirectory)/countries.lst"
        }
    }

    private let template: String
    private let settings: Settings

    package init(template: String, settings: Settings) {
        self.template = template
        self.settings = settings
    }

    /// The whole file, with each slot as it is now.
    package func text(of layout: GatewayLayout, revision: String) -> String {
        let lines: [String: String] = [
            "user_lines": "", "log_line": "", "log_target_line": "",
            "pools": layout.pools.map(Self.backend).joined(separator: "\n"),
        ]
        let values: [String: String] = [
            "revision": revision, "stats_socket": settings.statsSocket, "run_directory": settings.runDirectory,
            "lua_file": settings.luaFile,
            "users_map": settings.usersMap, "countries_map": settings.countriesMap, "known_countries": settings.knownCountries,
            "gateway_address": settings.gatewayAddress, "gateway_port": String(settings.gatewayPort),
            "connect_timeout": "\(settings.connectTimeout)s", "response_timeout": "\(settings.responseTimeout)s",
            "tunnel_timeout": "\(settings.tunnelTimeout)s", "hard_stop_after": "\(settings.hardStopAfter)s",
            "client_limit": String(settings.clientLimit), "connection_limit": String(settings.clientLimit * 2 + 200),
        ]
        var result = ""
        for line in template.split(separator: "\n", omittingEmptySubsequences: false) {
            let bare = line.drop { $0 == " " }
            if bare.hasPrefix("{{"), bare.hasSuffix("}}"), let text = lines[String(bare.dropFirst(2).dropLast(2))] {
                // A placeholder that fills a whole line, and may be many or none.
                if !text.isEmpty { result += line.prefix(line.count - bare.count) + text + "\n" }
            } else {
                result += Self.filled(line, values) + "\n"
            }
        }
        return result
    }

    /// What only a reload can change: everything but the slots.
    package func structure(of layout: GatewayLayout) -> String {
        let free = layout.pools.map { GatewayPool(country: $0.country, slots: $0.slots.map { .free($0.number) }) }
        return text(of: GatewayLayout(pools: free), revision: "")
    }

    /// Lines of the users' map: `alice salt:digest`.
    package static func usersMap(_ users: [ProxyUser]) -> [(key: String, value: String)] {
        users.map { ($0.name, "\($0.salt):\($0.digest)") }
    }

    /// Lines of the countries' map: `us pool-us`.
    package static func countriesMap(_ pools: [GatewayPool]) -> [(key: String, value: String)] {
        pools.map { ($0.country.lowercased, $0.backendName) }
    }

    private static func backend(_ pool: GatewayPool) -> String {
        var text = "backend \(pool.backendName) from pool\n    balance leastconn\n"
        for slot in pool.slots {
            switch (slot.endpoint, slot.state) {
            case (let endpoint?, .ready): text += "    server \(slot.name) \(endpoint) weight \(slot.weight)\n"
            // A reload in the middle of a drain: the new worker must give it nothing new either.
            default: text += "    server \(slot.name) 127.0.0.1:1 weight 100 disabled\n"
            }
        }
        return text
    }

    private static func filled(_ line: Substring, _ values: [String: String]) -> String {
        var result = ""
        var rest = line
        while let start = rest.firstRange(of: "{{"), let end = rest[start.upperBound...].firstRange(of: "}}") {
            let name = String(rest[start.upperBound..<end.lowerBound])
            result += rest[..<start.lowerBound] + (values[name] ?? "{{\(name)}}")
            rest = rest[end.upperBound...]
        }
        return result + rest
    }
}
