import API
import AccessControl
import HAProxyControl
import HTTPServing
import Model
import Planning
import Platform
import Providers
import RedisStore
import RequestPipeline

/// How often exits are probed, in seconds.
struct HealthSettings: Sendable, Equatable {
    var probeSeconds: Double
    var deepSeconds: Double
}

/// All settings, checked. Made once at the start; nothing changes it.
struct Configuration: Sendable {
    struct APISettings: Sendable {
        var address: String
        var port: Int
        var keys: [APIKey]
        var serving: RequestSettings
        var limits: HTTPServer.Limits
        var auditRetentionDays: Double
        /// False where `/` and the pages below it are not served.
        var showsDashboard = true
    }

    struct GatewaySettings: Sendable {
        var address: String
        var port: Int
        /// False where HAProxy has a container of its own.
        var isStartedByUs: Bool
        /// Where HAProxy's file and sockets are; controllers of one store share it.
        var directory: String
        /// The group that HAProxy's user and ours are in, where these are two; nil where they are one.
        var group: String?
        var clientLimit: Int
        var sourceLimits: HAProxyConfiguration.SourceLimits
        /// That a request may wait for an exit that is on its way.
        var holdSeconds: Int
        var drainSeconds: Double
        /// Nil for none.
        var countryPorts: Int?
        var trustedPorts: Int?
        var tlsPort: Int?
        var certificateFolder: String?
        var closedPorts: [Int]
        var openPorts: [Int]
        var refusedNetworks: [String]
        var accessLog: HAProxyConfiguration.Settings.AccessLog
    }

    struct DockerSettings: Sendable {
        var host: String
        /// True where nobody has named it.
        var isFound = false
        /// Where it was found, if not on the standard socket.
        var origin: String?
        var owner: String
        var network: String
        var subnet: String?
        /// Who may ask the exits' proxies; nil for the network's own gateway.
        var gatewayNetwork: String?
        var image: String
        var imageArchive: String?
    }

    struct ProviderSettings: Sendable {
        var provider: Provider
        var apiURL: String
        var listPath: String
        /// At least one; without a name where it is the only one and has its settings beside the provider's.
        var accounts: [AccountSettings]
        var options: ListOptions
        /// Seconds between fetches of its list; nil for those of all.
        var refreshSeconds: Double?
        /// The authority that signs the API's certificate, where it is not one of the system's.
        var authorityFile: String?
    }

    /// One account at a provider.
    struct AccountSettings: Sendable {
        var name: String?
        var credentials: ProviderClient.Credentials?
        var facts: TunnelFacts
        /// Tunnels that it may have at once; nil for no limit.
        var devices: Int?
    }

    /// A folder of WireGuard files as a provider.
    struct WireGuardSettings: Sendable {
        var folder: String
        /// What counts where a file says nothing.
        var facts: TunnelFacts
        /// Tunnels that one key may have at once.
        var devices: Int
    }

    struct Verification: Sendable {
        var services: AddressServices.Settings
        var checkName: String
        var country: CountryPolicy
        /// Where this controller says to others who asks; nil for nowhere.
        var echo: Endpoint?
        var canaries: Canaries
    }

    /// Whether an exit that the internet sees in another country than its pool's is given up, or kept and shown.
    enum CountryPolicy: String, CaseIterable, Sendable { case strict, lenient }

    var origins = Origins(file: nil, content: .null, environment: [:])
    var dataFolder: String
    var shareFolder: String
    /// The file of the secret that all keys of ours are derived from; controllers of one store share its content.
    var rootKeyFile: String
    /// How far the store has come, for each store that this data folder has seen: another store is another file.
    var marksFile: String { "\(dataFolder)/store-\(storeID).marks" }
    /// The signed tables as this controller has last written them.
    var checkpointFile: String { "\(dataFolder)/copy-\(storeID).json" }
    private var storeID: Substring {
        Digest.sha256("\(redis == nil ? "private" : "\(redisAddress)") \(redisPrefix)").prefix(8)
    }

    /// True where any store has left its marks in the data folder.
    var hasMarks: Bool { (try? Files.list(dataFolder))?.contains { $0.hasPrefix("store-") } ?? false }
    var logLevel: Log.Level
    var logFormat: Log.Format
    var api: APISettings
    var gateway: GatewaySettings
    /// Nil for none.
    var traefik: TraefikConfiguration.Settings?
    var docker: DockerSettings
    /// Nil for a private server in the data folder.
    var redis: RedisAddress?
    /// True where other controllers may use the same store and prefix.
    var redisIsShared: Bool
    var redisPrefix: String
    /// In the order of `Provider.all`; none only where there are WireGuard files.
    var providers: [ProviderSettings]
    var wireGuard: WireGuardSettings?
    var health: HealthSettings
    var onDemand: OnDemandRules
    var webhooks: WebhookSettings
    var catalogRefreshSeconds: Double
    /// Where a country is to be answered from a newer list.
    var countrySeconds: [CountryCode: Double]
    var verification: Verification
    /// What a speed test downloads; `{bytes}` in it stands for how much.
    var speedTestURL: String

    /// The accounts, and the tunnels that each may have at once.
    var deviceBudget: DeviceBudget {
        var budget = DeviceBudget()
        budget.ofOneAccount = wireGuard?.devices ?? 1
        for entry in providers {
            let named = entry.accounts.compactMap { account in account.name.map { DeviceBudget.Named($0, account.devices) } }
            if named.isEmpty {
                budget.limits[entry.provider.name] = entry.accounts.first?.devices
            } else {
                budget.accounts[entry.provider.name] = named
            }
        }
        return budget
    }
    /// Ports of targets that the controller itself asks through exits: address services, lists, speed tests, names.
    var portsOfOwnRequests: Set<Int> {
        let urls =
            verification.services.own + verification.services.urls + verification.canaries.list.map(\.url) + [speedTestURL]
            + providers.map(\.apiURL)
        return Set(urls.map(Self.port(ofURL:)) + [443])
    }

    private static func port(ofURL url: String) -> Int {
        let rest = url.firstRange(of: "://").map { url[$0.upperBound...] } ?? url[...]
        let authority = rest.prefix { !"/?#".contains($0) }
        // Behind an IPv6 address in brackets, too.
        let port = authority.lastIndex(of: ":").map { authority[authority.index(after: $0)...] }
        return port.flatMap { Int($0) } ?? (url.lowercased().hasPrefix("https:") ? 443 : 80)
    }

    /// The engine that was used last.
    var engineFile: String { "\(dataFolder)/engine.address" }
    var redisAddress: RedisAddress { redis ?? .unix(path: "\(dataFolder)/redis/redis.sock") }
    var adminKeyFile: String { "\(dataFolder)/admin.key" }
}

/// Everything that is wrong with a configuration, at once.
struct ConfigurationError: Error, CustomStringConvertible {
    var problems: [String]
    var description: String {
        "the configuration has \(problems.count == 1 ? "a mistake" : "\(problems.count) mistakes"):\n"
            + problems.map { "  - \($0)" }.joined(separator: "\n")
    }
}
