import Model
import Planning

let us = CountryCode("us")!  // An ISO code.
let de = CountryCode("de")!  // An ISO code.
let start = Timestamp(milliseconds: 1_000_000)

func server(_ number: Int, _ country: CountryCode = us, load: Int = 10, latency: Double? = nil, city: String = "A") -> Server {
    Server(
        provider: .nordvpn, hostname: "\(country.lowercased)\(number)", address: "198.18.\(country == us ? 1 : 2).\(number)", port: 51820,
        publicKey: "k", country: country, city: city, load: load, latencyMilliseconds: latency)
}

func id(_ number: Int, _ country: CountryCode = us) -> ExitID { ExitID(country: country, number: number) }

/// An exit that serves on this server, in its second generation.
func serving(_ number: Int, _ country: CountryCode = us, on server: Server) -> Exit {
    var exit = Exit(id: id(number, country), slot: number, now: start)
    exit.generation = 2
    exit.server = server
    exit.state = .verifying
    exit.container = "c-\(exit.id)-2"
    exit.endpoint = Endpoint(address: "172.31.0.\(number + 10)", port: 3128)
    exit.verified(address: server.address, country: country, latencyMilliseconds: 5, now: start)
    exit.promote(now: start)
    return exit
}

/// An exit that waits, proved and unplugged.
func standby(_ number: Int, _ country: CountryCode = us, on server: Server) -> Exit {
    var exit = serving(number, country, on: server)
    exit.state = .standby
    return exit
}

let dead = Health(verdict: .dead, reason: .blackhole, failures: 3)

func degraded(_ reason: ExitReason, since: Timestamp = start) -> Health {
    Health(verdict: .degraded, reason: reason, degradedSince: since)
}

/// The container that belongs to an exit.
func container(of exit: Exit, isRunning: Bool = true, exitCode: Int? = nil) -> ExitContainer {
    ExitContainer(
        name: "c-\(exit.id)-\(exit.generation)", exit: exit.id, generation: exit.generation, isRunning: isRunning,
        endpoint: isRunning ? exit.endpoint ?? Endpoint(address: "172.31.0.9", port: 3128) : nil, server: exit.server?.address,
        exitCode: exitCode)
}

extension World {
    /// Servers in this order, each a point worse than the one before.
    init(containers: [ExitContainer]?, published: GatewayLayout? = nil, servers: [CountryCode: [Server]]) {
        self.init(containers: containers, published: published)
        self.servers = servers.mapValues { servers in
            servers.enumerated().map { RankedServer(server: $1, parts: [.init(name: "load", points: Double($0), reason: "its place")]) }
        }
    }
}

extension Plan {
    var launches: [ExitID] { steps.compactMap { if case .launch(let id) = $0 { id } else { nil } } }
    var removals: [String] { steps.compactMap { if case .remove(let name) = $0 { name } else { nil } } }
    var layout: GatewayLayout? { steps.lazy.compactMap { if case .publish(let layout) = $0 { layout } else { nil } }.first }
}

extension ProviderAccount {
    static let nordvpn = ProviderAccount(.nordvpn)
}
