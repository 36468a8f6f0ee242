package import Model

/// HAProxy's configuration as text: the template of `haproxy/` with a layout filled in. Pure.
package struct HAProxyConfiguration: Sendable {
    /// What one source may do: an address, or an IPv6 network of 64 bits.
    package struct SourceLimits: Sendable, Equatable {
        /// Connections at once on which nobody has authenticated yet.
        package var pending: Int
        /// Connections at once at the TLS port, in whatever state.
        package var tls: Int
        /// Wrong passwords a minute; three times as many for one user's name, from all sources together.
        package var failedPasswords: Int

        package init(pending: Int, tls: Int, failedPasswords: Int = 100) {
            (self.pending, self.tls, self.failedPasswords) = (pending, tls, failedPasswords)
        }
    }

    package struct Settings: Sendable, Equatable {
        package enum AccessLog: String, Sendable, CaseIterable { case full, `private`, off }

        package var gatewayAddress: String
        package var gatewayPort: Int
        /// The port of the country "aa"; that of "us" is 538 above. Nil for none.
        package var countryPorts: Int?
        /// Ports like these for a proxy in front that speaks the PROXY protocol; on the same address.
        package var trustedPorts: Int?
        /// False where somebody else starts HAProxy, in a container of its own, and we only tell it what to run.
        package var isStartedByUs = true
        package var tlsPort: Int?
        /// The operator's folder of certificates with their keys, `*.pem`; without one in it there is no TLS port.
        package var certificateSource: String?
        /// Of targets. What is not closed is open, unless some ports are named as open.
        package var closedPorts: [Int] = [25]
        package var openPorts: [Int] = []
        /// Networks that nobody may reach, beside the private ones and this machine's own addresses.
        package var refusedNetworks: [String] = []
        package var accessLog = AccessLog.off
        /// The group of the system's that HAProxy's user and ours share, where these are two; nil where they are one.
        package var group: String?
        /// The folder of its sockets and maps; absolute, without blanks.
        package var runDirectory: String
        package var luaFolder: String
        /// Connections of clients at once.
        package var clientLimit: Int
        package var sourceLimits: SourceLimits
        /// Seconds that a request may wait for an exit that is on its way; 0 to 30.
        package var holdSeconds = 3
        /// Seconds.
        package var connectTimeout: Int
        package var responseTimeout: Int
        package var tunnelTimeout: Int
        package var hardStopAfter: Int

        package init(
            gatewayAddress: String, gatewayPort: Int, runDirectory: String, luaFolder: String, clientLimit: Int = 2_000,
            connectTimeout: Int = 1, responseTimeout: Int = 60, tunnelTimeout: Int = 3_600, hardStopAfter: Int = 3_600
        ) {
            self.gatewayAddress = gatewayAddress
            self.gatewayPort = gatewayPort
            self.runDirectory = runDirectory
            self.luaFolder = luaFolder
            self.clientLimit = clientLimit
            sourceLimits = SourceLimits(pending: clientLimit, tls: clientLimit)
            self.connectTimeout = connectTimeout
            self.responseTimeout = responseTimeout
            self.tunnelTimeout = tunnelTimeout
            self.hardStopAfter = hardStopAfter
        }

        /// For a client until its tunnel stands, so longer than an exit may take to answer. TLS handshakes know no other limit.
        package var handshakeTimeout: Int { responseTimeout + 15 }

        /// Of the sockets that we ask HAProxy through, as its files have it.
        package var socketMode: String { group.map { "mode 660 group \($0)" } ?? "mode 600" }
        package var statsSocket: String { "\(runDirectory)/stats.sock" }
        package var logSocket: String { "\(runDirectory)/log.sock" }
        package var demandSocket: String { "\(runDirectory)/demand.sock" }
        package var certificateFolder: String { "\(runDirectory)/certificates" }

        /// Never open: beyond the loopback address it listens only when somebody may use it.
        package func address(of layout: GatewayLayout) -> String {
            layout.users.isEmpty && !gatewayAddress.hasPrefix("127.") ? "127.0.0.1" : gatewayAddress
        }
    }

    private let template: TextTemplate
    let settings: Settings
    /// The files in `certificateFolder`.
    package var certificates: [String] = []
    /// Ports that somebody else has: entries that are left out.
    package var heldPorts: Set<Int> = []

    package init(template: String, settings: Settings) {
        self.template = TextTemplate(template, lines: Self.wholeLines)
        self.settings = settings
    }

    /// The template's placeholders that stand for lines.
    private static let wholeLines: Set = ["user_lines", "log_line", "access_log_lines", "bind_lines", "tunnel_lines", "pools"]

    /// The whole file, with each slot as it is now.
    package func text(of layout: GatewayLayout, revision: String) -> String {
        let lines: [String: [String]] = [
            "user_lines": [],
            "log_line": settings.accessLog == .off ? [] : ["log \(settings.logSocket) format raw local0"],
            "access_log_lines": settings.accessLog == .off ? [] : ["log global", logFormat, Self.errorLogFormat],
            "bind_lines": bindLines(of: layout),
            "tunnel_lines": layout.pools.flatMap(Self.tunnelLines),
            "pools": [layout.pools.map(Self.backend).joined(separator: "\n")],
        ]
        let values: [String: String] = [
            "revision": revision, "stats_socket": settings.statsSocket, "socket_mode": settings.socketMode,
            "run_directory": settings.runDirectory,
            "lua_folder": settings.luaFolder,
            "closed_ports": Self.list(settings.closedPorts), "open_ports": Self.list(settings.openPorts),
            "connect_timeout": "\(settings.connectTimeout)s", "response_timeout": "\(settings.responseTimeout)s",
            "tunnel_timeout": "\(settings.tunnelTimeout)s", "handshake_timeout": "\(settings.handshakeTimeout)s",
            "hard_stop_after": "\(settings.hardStopAfter)s",
            "client_limit": String(settings.clientLimit), "pending_limit": String(settings.sourceLimits.pending),
            "tls_limit": String(settings.sourceLimits.tls), "failed_passwords": String(settings.sourceLimits.failedPasswords),
            "hold_seconds": String(settings.holdSeconds), "connection_limit": String(settings.clientLimit * 2 + 200),
        ]
        return template.filled(values, lines: lines)
    }

    /// What only a reload can change: everything but the slots.
    package func structure(of layout: GatewayLayout) -> String {
        let free = layout.pools.map {
            GatewayPool(country: $0.country, slots: $0.slots.map { .free($0.number) }, spread: $0.spread)
        }
        return text(of: GatewayLayout(pools: free, users: layout.users), revision: "")
    }

    private var logFormat: String {
        let target = settings.accessLog == .full ? "%[var(txn.target)]" : "-"
        return
            #"log-format "time=%Ts.%ms client=%ci:%cp protocol=%[var(sess.protocol)] user=%[var(txn.name)] session=%[var(txn.session)] country=%[var(txn.country)] target=\#(target) exit=%b/%s status=%[var(txn.status)] reason=%[var(txn.reason)] tried=%[var(txn.tried)] retries=%rc held_ms=%[var(txn.held_ms)] received=%U sent=%B connect_ms=%Tc total_ms=%Tt line=%pid:%f:%lc end=%tsc""#
    }

    /// For a client that never got as far as a request: a TLS handshake or a PROXY header that failed, with HAProxy's number in `error`, or
    /// a head that HAProxy can't parse.
    private static let errorLogFormat =
        #"error-log-format "time=%Ts.%ms client=%ci:%cp protocol=none user= session= country= target= exit=-/- status=0 reason=%[fc_err,bool,iif(connection_failed,bad_request)] line=%pid:%f:%lc error=%[fc_err]""#

    private static func backend(_ pool: GatewayPool) -> String {
        var text = """
            backend \(pool.backendName) from pool
                balance \(pool.spread.algorithm)
                # This exit or none: neither another one of the pool nor a second try elsewhere.
                force-persist if { var(txn.fixed) -m bool }
                use-server %[var(txn.slot)] if { var(txn.slot) -m found }
                stick store-request var(txn.connection) table connections
                stick store-request var(txn.origin) table origins

            """
        for slot in pool.slots {
            switch (slot.endpoint, slot.state) {
            case (let endpoint?, .ready): text += "    server \(slot.name) \(endpoint) weight \(slot.weight)\n"
            // A reload in the middle of a drain: the new worker must give it nothing new either.
            default: text += "    server \(slot.name) 127.0.0.1:1 weight 100 disabled\n"
            }
        }
        return text
    }

    /// The pool's slots once more, for tunnels that are no HTTP. Only their addresses change: Lua names the one that a tunnel takes.
    private static func tunnelLines(_ pool: GatewayPool) -> [String] {
        pool.slots.map { slot in
            let endpoint = slot.state == .ready ? slot.endpoint : nil
            return "server \(pool.tunnelName(of: slot)) \(endpoint.map(String.init(describing:)) ?? "127.0.0.1:1") weight 0"
        }
    }

    /// An environment variable of HAProxy can't be empty.
    private static func list(_ ports: [Int]) -> String { ports.isEmpty ? "none" : ports.map(String.init).joined(separator: ",") }
}

extension Spread {
    /// HAProxy's name; what goes by latency or score does so by the slots' weights.
    fileprivate var algorithm: String {
        switch self {
        case .roundRobin, .latency, .score: "roundrobin"
        case .leastConnections: "leastconn"
        case .random: "random(2)"
        }
    }
}

extension CountryCode {
    /// 26 times the first letter and the second one, "a" being 0: "us" is 538.
    package var portOffset: Int {
        lowercased.utf8.reduce(0) { $0 * 26 + Int($1) - 0x61 }
    }
}
