import Catalog
import Control
import DockerEngine
import FoundationEssentials
import HAProxyControl
import Model
import Platform
import Providers
import RedisStore
import Synchronization

// Where concrete parts meet the protocols that `Control` declares.

extension HAProxyGateway: Gateway {}

extension Catalog: ServerCatalog {}

extension NordVPN: ServerSource {
    var provider: ProviderName { .nordvpn }
}

struct DockerExits: ExitEngine {
    let containers: ExitContainers

    func list() async throws -> [ExitContainer] { try await containers.list() }
    func remove(_ container: String) async throws { try await containers.remove(container) }
    func logs(of container: String, lines: Int) async throws -> String { try await containers.logs(of: container, lines: lines) }
    func changes() async throws -> AsyncThrowingStream<Void, any Error> { try await containers.changes() }

    func warmUp() async throws {
        try await containers.prepareImage()
        _ = try await containers.prepareNetwork()
    }

    func launch(_ specification: ExitSpecification) async throws -> (container: String, endpoint: Endpoint) {
        do {
            return try await containers.launch(specification)
        } catch let error as EngineError {
            let reason: ExitReason =
                switch error.code {
                case .unavailable, .timedOut, .tooOld: .engineUnavailable
                case .notFound where error.message.contains("image"): .imageMissing
                case .notFound, .conflict, .refused, .unreadable: .startFailed
                }
            throw ExitFailure(reason: reason, detail: error.description)
        }
    }
}

struct RedisState: StateStore {
    let store: Store
    let leadership: Leadership
    let log: Log

    func load() async throws -> StoredState {
        let state = try await store.load()
        for entry in state.unreadable { log.warning("the store holds an entry that can't be read", ["entry": entry]) }
        return StoredState(pools: state.pools, exits: state.exits, users: state.users)
    }

    func save(_ exits: [Exit], removed: [ExitID]) async throws { try await fenced { try await store.save(exits, removed: removed) } }
    func save(_ pool: Pool) async throws { try await fenced { try await store.save(pool) } }
    func removePool(_ country: CountryCode) async throws { try await fenced { try await store.removePool(country) } }
    func save(_ user: ProxyUser) async throws { try await fenced { try await store.save(user) } }
    func removeUser(_ name: String) async throws { try await fenced { try await store.removeUser(name) } }
    func append(_ health: Health, of exit: ExitID) async throws { try await fenced { try await store.append(health, of: exit) } }

    private func fenced(_ write: () async throws -> Void) async throws {
        do { try await write() } catch let error as RedisError where error.code == .fenced { throw NotLeader(leader: leadership.leader) }
    }
}

struct RedisListings: ListingStore {
    let store: Store

    func listing(of provider: ProviderName) async throws -> StoredListing? {
        guard let text = try await store.listing(of: provider) else { return nil }
        return try JSONDecoder().decode(StoredListing.self, from: Data(text.utf8))
    }

    func save(_ listing: StoredListing, of provider: ProviderName) async throws {
        try await store.saveListing(String(decoding: JSONEncoder().encode(listing), as: UTF8.self), of: provider)
    }
}

/// What the tunnels of each provider need.
final class ProviderKeys: TunnelKeys {
    private let nordvpn: NordVPN
    private let nordvpnFacts: TunnelFacts
    /// Asked again after an hour: an account's key can be replaced.
    private let fetched = Mutex<(key: Secret, at: Timestamp)?>(nil)

    init(nordvpn: NordVPN, facts: TunnelFacts) {
        self.nordvpn = nordvpn
        nordvpnFacts = facts
    }

    let providers: [ProviderName] = [.nordvpn]
    func facts(of provider: ProviderName) -> TunnelFacts { nordvpnFacts }

    func privateKey(of provider: ProviderName) async throws -> Secret {
        if let known = fetched.withLock({ $0 }), SystemClock.now() - known.at < 3600 { return known.key }
        do {
            let key = try await nordvpn.privateKey()
            fetched.withLock { $0 = (key, SystemClock.now()) }
            return key
        } catch let error as ProviderError {
            let isRejected = error.code == .credentialsRejected
            // While the provider can't be asked, what it said last is as good as anything.
            if !isRejected, let known = fetched.withLock({ $0 }) { return known.key }
            throw ExitFailure(reason: isRejected ? .credentialsRejected : .credentialsMissing, detail: error.description)
        }
    }
}
