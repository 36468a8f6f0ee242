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
        let keys = ProviderKeys(providers, breakers: breakers)
        let latency = LatencyMeasurement(keys: keys)
        (self.serving, self.keys, self.latency) = (serving, keys, latency)
        catalog = Catalog(
            sources: providers.map { ProviderSource(client: $0.client, exit: { serving.one }) },
            settings: configuration.catalogSettings, store: RedisListings(store: store), log: log,
            breakers: breakers, resolve: { await NameResolver.addresses(of: $0) }, measure: { try await latency.measure($0, $1) })
    }

    /// Lets a list that is refused to this machine be fetched through one of the controller's exits.
    func fetchThroughExits(of controller: Controller, credentials: ExitCredentials) {
        serving.follow {
            let exits = controller.snapshot.exits.values.filter { $0.state == .serving && !$0.leaving }
            return exits.randomElement()?.proxy.map(credentials.proxy)
        }
    }

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
