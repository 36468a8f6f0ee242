import HTTPServing
import Model

/// Where proxy users connect, for the answers that tell them.
package struct ProxyAddress: Sendable {
    package var host: String
    package var port: Int
    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }
}

/// An exit as the API shows it.
struct ExitView: Encodable {
    struct Server: Encodable {
        let hostname: String
        let address: String
        let city: String?
        let load: Int?
        let latencyMs: Double?
    }

    struct Proxy: Encodable {
        let url: String
        let socks5: String
        let username: String
    }

    struct HealthView: Encodable {
        let verdict: Verdict
        let reason: ExitReason?
        let latencyMs: Double?
        let successRate: Double?
        let score: Double
        let handshakeAgeSeconds: Double?
        let handshakeAgeS: Double?
        let comparedAt: Timestamp?
        let comparedAgeSeconds: Double?
        let comparedAgeS: Double?
        let placedAt: Timestamp?
        let comparisonProblem: String?
        let otherExitIP: String?
        let leaksCounted: Bool?
        let leakedPackets: Int?
        let leakedBytes: Int?
        let checkedAt: Timestamp?
    }

    let id: ExitID
    let country: String
    let provider: ProviderName?
    let server: Server?
    let state: ExitState
    let reason: ExitReason?
    let detail: String?
    let leaving: Bool
    let exitIP: String?
    let exitCountry: CountryCode?
    let proxy: Proxy
    let health: HealthView
    let generation: Int
    let attempts: Int
    let retryAt: Timestamp?
    let since: Timestamp

    init(_ exit: Exit, proxy address: ProxyAddress) {
        id = exit.id
        country = exit.country.rawValue
        provider = exit.server?.provider
        server = exit.server.map {
            Server(
                hostname: $0.hostname, address: $0.address, city: $0.city, load: $0.load,
                latencyMs: $0.latencyMilliseconds.map(Self.rounded))
        }
        state = exit.state
        reason = exit.reason
        detail = exit.detail
        leaving = exit.leaving
        exitIP = exit.proof.address
        exitCountry = exit.proof.country
        proxy = Proxy(
            url: "http://\(address.host):\(address.port)", socks5: "socks5h://\(address.host):\(address.port)",
            username: "<user>-country-\(exit.country.lowercased)")
        health = Self.view(of: exit.health)
        generation = exit.generation
        attempts = exit.attempts
        retryAt = exit.retryAt
        since = exit.since
    }

    /// By name.
    static func list(_ exits: some Collection<Exit>, proxy: ProxyAddress) -> [ExitView] {
        exits.sorted { $0.id < $1.id }.map { ExitView($0, proxy: proxy) }
    }

    static func view(of health: Health) -> HealthView {
        HealthView(
            verdict: health.verdict, reason: health.reason, latencyMs: health.latencyMilliseconds.map(rounded),
            successRate: health.successRate.map(rounded), score: rounded(health.score),
            handshakeAgeSeconds: health.handshakeAge.map(rounded), handshakeAgeS: health.handshakeAge.map(rounded),
            comparedAt: health.comparedAt, comparedAgeSeconds: health.comparedAge.map(rounded),
            comparedAgeS: health.comparedAge.map(rounded), placedAt: health.placedAt,
            comparisonProblem: health.comparisonProblem, otherExitIP: health.otherAddress,
            leaksCounted: health.countsLeaks, leakedPackets: health.leakedPackets, leakedBytes: health.leakedBytes,
            checkedAt: health.checkedAt)
    }

    /// Three digits behind the point are more than a measurement is worth.
    private static func rounded(_ number: Double) -> Double { (number * 1000).rounded() / 1000 }
}

extension CountryCode {
    /// A country with its servers; its exits are not counted where they are nil.
    func fields(servers: [Server], exits: [Exit]? = nil) -> Fields {
        Fields([
            "country": rawValue, "code": rawValue, "country_name": name, "name": name, "servers": servers.count,
            "best_load": servers.compactMap(\.load).min(), "exits": exits?.count, "serving": exits?.count { $0.state.takesTraffic },
        ])
    }
}
