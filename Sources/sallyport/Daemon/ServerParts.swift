import Catalog
import Control
import HTTPTransport
import Model
import Planning
import Platform
import Providers
import RedisStore

/// Providers' servers: their lists, keys and latencies.
struct ServerParts: Sendable {
    let catalog: Catalog
    let keys: ProviderKeys
    let latency: LatencyMeasurement
    /// The operator's WireGuard files, where they are a provider.
    private let files: WireGuardServers?
    private let serving: ServingExits
    private let client: HTTPClient

    init(_ configuration: Configuration, client: HTTPClient, store: Store, log: Log) {
        let breakers = ProviderBreakers()
        let serving = ServingExits()
        let files = configuration.wireGuard.map { WireGuardServers($0, log: log) }
        let keys = ProviderKeys(Self.accounts(configuration, client), files: files, breakers: breakers)
        let latency = LatencyMeasurement(keys: keys)
        (self.serving, self.keys, self.latency, self.files, self.client) = (serving, keys, latency, files, client)
        // A list needs no account.
        let lists = configuration.providers.map { settings in
            ProviderSource(client: Self.client(settings, credentials: nil, client), exit: { serving.one })
        }
        catalog = Catalog(
            sources: lists + (files.map { [$0] } ?? []), settings: configuration.catalogSettings, store: RedisListings(store: store),
            log: log, breakers: breakers,
            resolve: { names in
                let found = await NameResolver.addresses(of: names)
                return files?.checked(found, of: names) ?? found
            }, measure: { try await latency.measure($0, $1) })
    }

    static func client(
        _ settings: Configuration.ProviderSettings, credentials: ProviderClient.Credentials?, _ client: HTTPClient
    ) -> ProviderClient {
        ProviderClient(
            settings.provider, url: settings.apiURL, listPath: settings.listPath, options: settings.options, credentials: credentials,
            authorityFile: settings.authorityFile, client: client)
    }

    static func accounts(_ configuration: Configuration, _ client: HTTPClient) -> [ProviderKeys.Account] {
        configuration.providers.flatMap { settings in
            settings.accounts.map { account in
                ProviderKeys.Account(
                    name: account.name, client: Self.client(settings, credentials: account.credentials, client), facts: account.facts)
            }
        }
    }

    /// Takes the accounts of a configuration that was read again, and fetches the keys that they have with new tokens: exits with other keys
    /// are moved as soon as that is known.
    func use(_ configuration: Configuration, exchanged: Set<ProviderAccount>, by controller: Controller) async {
        keys.use(Self.accounts(configuration, client), exchanged: exchanged)
        await controller.use(configuration.deviceBudget, exchanged: exchanged)
        let keys = keys
        Task {
            for account in exchanged { _ = try? await keys.privateKey(of: account) }
            controller.wake()
        }
    }

    /// Lets a list that is refused to this machine be fetched through one of the controller's exits.
    func fetchThroughExits(of controller: Controller, credentials: ExitCredentials) {
        files?.follow { Array(controller.snapshot.exits.values) }
        serving.follow {
            let exits = controller.snapshot.exits.values.filter { $0.state == .serving && !$0.leaving }
            return exits.randomElement()?.proxy.map(credentials.proxy)
        }
    }

    /// What a human should see to of lists and files.
    var alerts: [Alert] { catalog.alerts() + (files?.alerts() ?? []) }

    /// Keeps the lists fresh, and the candidates of all pools measured, until it is cancelled.
    func keepFresh(for controller: Controller) async {
        await catalog.follow {
            let snapshot = controller.snapshot
            let now = SystemClock.now()
            return .init(
                pools: snapshot.desired.pools.values.sorted { $0.country < $1.country },
                held: snapshot.exits.values.filter { $0.state != .stopped }.compactMap(\.server),
                breakers: snapshot.breakers.mapValues { $0.state(now) })
        }
        await catalog.run()
    }
}
