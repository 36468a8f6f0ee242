import HTTPServing
import Model

extension ServerResponse {
    /// An exit as the API shows it.
    static func exit(
        _ exit: Exit, proxy: ProxyAddress, status: Int = 200, headers: [(name: String, value: String)] = []
    ) -> ServerResponse {
        var json = JSONWriter()
        json.object { $0.exit(exit, proxy: proxy) }
        return .json(bytes: json.bytes, status: status, headers: headers)
    }

    /// Exits by name.
    static func exits(_ exits: some Collection<Exit>, proxy: ProxyAddress) -> ServerResponse {
        var json = JSONWriter()
        json.object { json in
            json.list("exits", exits.sorted { $0.id < $1.id }) { json, exit in json.object { $0.exit(exit, proxy: proxy) } }
        }
        return .json(bytes: json.bytes)
    }

    static func health(_ health: Health) -> ServerResponse {
        var json = JSONWriter()
        json.object { $0.health(health) }
        return .json(bytes: json.bytes)
    }
}

extension JSONWriter {
    /// Its fields in the order of their names. They are written without an encoder: the list of all exits is made anew with each probe.
    fileprivate mutating func exit(_ exit: Exit, proxy: ProxyAddress) {
        field("account", exit.server?.holder.shownName)
        field("attempts", exit.attempts)
        field("country", exit.country.rawValue)
        field("detail", exit.detail)
        field("exit_country", exit.proof.country?.rawValue)
        field("exit_ip", exit.proof.address)
        field("generation", exit.generation)
        object("health") { $0.health(exit.health) }
        field("id", exit.id.description)
        field("ipv6", exit.hasIPv6)
        field("leaving", exit.leaving)
        object("proxy") { json in
            json.field("socks5", "socks5h://\(proxy.host):\(proxy.port)")
            json.field("url", "http://\(proxy.host):\(proxy.port)")
            json.field("username", "<user>-country-\(exit.country.lowercased)")
        }
        field("provider", exit.server?.provider.rawValue)
        field("reason", exit.reason?.rawValue)
        field("retry_at", exit.retryAt?.description)
        if let server = exit.server { object("server") { $0.boundServer(server) } }
        field("since", exit.since.description)
        field("state", exit.state.rawValue)
    }

    private mutating func boundServer(_ server: Server) {
        field("address", server.address)
        field("city", server.city)
        field("hostname", server.hostname)
        field("latency_ms", server.latencyMilliseconds)
        field("load", server.load)
    }

    fileprivate mutating func health(_ health: Health) {
        if let names = health.blockedBy { field("blocked_by", names) }
        if let canaries = health.canaries {
            list("canaries", canaries) { json, canary in
                json.object { json in
                    json.field("checked_at", canary.checkedAt.description)
                    json.field("detail", canary.detail)
                    json.field("name", canary.name)
                    json.field("passed", canary.passed)
                }
            }
        }
        field("checked_at", health.checkedAt?.description)
        for name in ["compared_age_s", "compared_age_seconds"] { field(name, health.comparedAge) }
        field("compared_at", health.comparedAt?.description)
        field("comparison_problem", health.comparisonProblem)
        for name in ["handshake_age_s", "handshake_age_seconds"] { field(name, health.handshakeAge) }
        field("latency_ms", health.latencyMilliseconds)
        field("leaked_bytes", health.leakedBytes)
        field("leaked_packets", health.leakedPackets)
        field("leaks_counted", health.countsLeaks)
        field("other_exit_ip", health.otherAddress)
        field("placed_at", health.placedAt?.description)
        field("reason", health.reason?.rawValue)
        field("score", health.score)
        field("success_rate", health.successRate)
        field("verdict", health.verdict.rawValue)
    }
}
