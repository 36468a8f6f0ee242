import Model
import Planning

/// What the runtime API can change of a worker beside slots and maps: frontends that are shut, limits, the servers between our own frontends.
struct RuntimeFacts {
    /// `show stat -1 5 -1`: frontends and servers.
    let table: String
    /// `show info`
    let info: String

    /// True where all of it is as the file has it. What differs, a reload puts right.
    func agree(with settings: HAProxyConfiguration.Settings) -> Bool { frontendsAgree(settings) && serversAgree && limitsAgree }

    private var limit: Int? { RuntimeAnswers.info("Hard_maxconn", in: info).flatMap { Int($0) } }

    private func frontendsAgree(_ settings: HAProxyConfiguration.Settings) -> Bool {
        var agree = true
        RuntimeTable.read(table, separator: ",", columns: ["pxname", "svname", "status", "slim"]) { row in
            guard row.text(1) == "FRONTEND" else { return }
            let wanted = row.text(0) == "gateway" ? settings.clientLimit : limit
            agree = agree && ["OPEN", "FULL"].contains(row.text(2)) && row.number(3) == wanted
        }
        return agree
    }

    /// A pool's servers are its slots, without a limit; whether each is as it should be, the layout tells. Those of `tunnels` are given nothing
    /// by HAProxy. The others have no checks and
    /// their standard weight.
    private var serversAgree: Bool {
        var agree = true
        RuntimeTable.read(table, separator: ",", columns: ["pxname", "svname", "status", "weight", "slim"]) { row in
            let name = row.text(1)
            guard name != "FRONTEND", name != "BACKEND" else { return }
            guard row.text(4).isEmpty else { return agree = false }
            if row.text(0) == GatewayPool.tunnels {
                agree = agree && row.text(2) == "no check" && row.number(3) == 0
            } else if row.begins(0, with: "pool-") {
                agree = agree && name.hasPrefix("s") && Int(name.dropFirst()) != nil
            } else {
                agree = agree && row.text(2) == "no check" && row.number(3) == 1
            }
        }
        return agree
    }

    private var limitsAgree: Bool {
        guard let limit, RuntimeAnswers.info("Maxconn", in: info) == "\(limit)" else { return false }
        return ["ConnRateLimit", "SessRateLimit", "SslRateLimit"].allSatisfy { RuntimeAnswers.info($0, in: info) ?? "0" == "0" }
    }
}
