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

    init(_ configuration: Configuration, client: HTTPClient, store: Store, log: Log) {
        let breakers = ProviderBreakers()
        let providers = configuration.providers.map { settings in
            let account = ProviderClient(
                settings.provider, url: settings.apiURL, listPath: settings.listPath, options: settings.options,
                credentials: settings.credentials, authorityFile: settings.authorityFile, client: client)
            return (client: account, facts: settings.facts)
        }
        let serving = ServingExits()
        let files = configuration.wireGuard.map { WireGuardServers($0, log: log) }
        let keys = ProviderKeys(providers, files: files, breakers: breakers)
        let latency = LatencyMeasurement(keys: keys)
        (self.serving, self.keys, self.latency, self.files) = (serving, keys, latency, files)
        let lists = providers.map { ProviderSource(client: $0.client, exit: { serving.one }) }
        catalog = Catalog(
            sources: lists + (files.map { [$0] } ?? []), settings: configuration.catalogSettings, store: RedisListings(store: store),
            log: log, breakers: breakers,
            resolve: { names in
                let found = await NameResolver.addresses(of: names)
                return files?.checked(found, of: names) ?? found
            }, measure: { try await latency.measure($0, $1) })
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
