import Catalog
import Control
import DockerEngine
import FoundationEssentials
import HAProxyControl
import Model
import Planning
import Platform
import Providers
import RedisStore
import Synchronization

// Where concrete parts meet the protocols that `Control` declares.

extension HAProxyGateway: Gateway {}
extension HAProxyGateway: UsageSource {}
extension UsageRecord: UsageStore {}

struct PoolServers: ServerCatalog {
    let catalog: Catalog

    func ranked(for pool: Pool) async throws -> [RankedServer] {
        do { return try await catalog.ranked(for: pool) } catch  where Catalog.isUnreadable(error) { throw ListUnreadable("\(error)") }
    }

    func known(for pool: Pool) async throws -> [RankedServer] { try await catalog.ranked(for: pool, isMeasured: false) }
    func countries() async -> Set<CountryCode>? { await catalog.knownCountries }
}

struct DockerExits: ExitEngine {
    let containers: ExitContainers

    func list() async throws -> [ExitContainer] { try await containers.list() }
    func remove(_ container: String) async throws { try await containers.remove(container) }
    func logs(of container: String, lines: Int) async throws -> String { try await containers.logs(of: container, lines: lines) }
    func tunnel(of container: String) async throws -> TunnelReading { try await containers.tunnel(of: container) }
    func changes() async throws -> AsyncThrowingStream<Void, any Error> { try await containers.changes() }
    func addressSpace() async throws -> AddressSpace { try await mapped { try await containers.addressSpace() } }

    func launch(_ specification: ExitSpecification) async throws -> (container: String, endpoint: Endpoint) {
        try await mapped { try await containers.launch(specification) }
    }

    private func mapped<Value>(_ body: () async throws -> Value) async throws -> Value {
        do { return try await body() } catch let error as EngineError {
            if error.code == .addressInUse { throw AddressInUse() }
            let reason: ExitReason =
                switch error.code {
                case .unavailable, .timedOut, .tooOld: .engineUnavailable
                case .notFound where error.message.contains("image"): .imageMissing
                case .notFound, .conflict, .addressInUse, .refused, .unreadable: .startFailed
                }
            throw ExitFailure(reason: reason, detail: error.description)
        }
    }
}

struct RedisState: StateStore {
    let store: Store
    let usage: UsageRecord
    let leadership: Leadership
    /// Events that the store did not take: those who listen here shall have them all the same.
    let unstored: AsyncStream<[Event]>.Continuation
    let log: Log

    func load() async throws -> StoredState {
        // Whoever leads sees first that the store is signed.
        if leadership.isLeader {
            let leadership = leadership
            try await fenced { try await store.tables.prepare(fence: { leadership.fence }) }
            // What is lost is given back before anything is planned, where this controller or its data folder has it.
            await store.tables.recover { leadership.fence }
        }
        let state = try await store.load()
        for entry in state.unreadable { log.warning("the store holds an entry that can't be read", ["entry": entry]) }
        return StoredState(
            pools: state.pools, exits: state.exits, users: state.users, breakers: try await store.breakers(as: Breaker.self),
            alerts: try await store.alerts(), blocked: try await blocked(among: state.users),
            addresses: try await store.addresses())
    }

    /// Who is over a quota stays out from a controller's first moment on.
    func blocked(among users: [ProxyUser]) async throws -> [String: Quota] {
        let limited = users.filter(\.limits.hasQuota)
        let sums = try await usage.sums(of: limited, now: SystemClock.now())
        return limited.reduce(into: [:]) { blocked, user in
            blocked[user.name] = sums[user.name].flatMap { user.limits.exceeded(by: $0) }
        }
    }

    func save(_ exits: [Exit], removed: [ExitID]) async throws { try await fenced { try await store.save(exits, removed: removed) } }
    func save(_ pool: Pool) async throws { try await fenced { try await store.save(pool) } }
    func removePool(_ country: CountryCode) async throws { try await fenced { try await store.removePool(country) } }
    func save(_ user: ProxyUser) async throws { try await fenced { try await store.save(user) } }
    func removeUser(_ name: String) async throws { try await fenced { try await store.removeUser(name) } }
    func append(_ samples: [(exit: ExitID, sample: HealthSample)]) async throws { try await fenced { try await store.append(samples) } }

    func append(_ events: [Event]) async throws {
        do { try await fenced { try await store.append(events) } } catch {
            unstored.yield(events)
            throw error
        }
    }

    func save(_ health: [ExitID: Health]) async throws { try await fenced { try await store.save(health) } }
    func health() async throws -> [ExitID: Health] { try await store.health() }
    func history(of exit: ExitID, limit: Int) async throws -> [HealthSample] { try await store.history(of: exit, limit: limit) }
    func save(breakers: [BreakerKey: Breaker?]) async throws { try await fenced { try await store.save(breakers: breakers) } }
    func save(alerts: [Alert], cleared: [AlertSubject]) async throws {
        try await fenced { try await store.save(alerts: alerts, cleared: cleared) }
    }

    func save(addresses: [IPv4Address: HeldAddress?]) async throws { try await fenced { try await store.save(addresses: addresses) } }

    func tryToWrite() async throws { try await fenced { try await store.tryToWrite() } }

    private func fenced(_ write: () async throws -> Void) async throws {
        do { try await write() } catch let error as RedisError where error.code == .fenced {
            throw NotLeader(leader: leadership.leader)
        } catch let error as RedisError where error.code == .full {
            throw StoreFull(error)
        }
    }
}

extension StoreFull {
    /// The error's own words end with what to do.
    init(_ error: RedisError) {
        let parts = error.description.split(separator: "; ", maxSplits: 1)
        self.init(error.description, remedy: "\(parts.last ?? ""); exits keep running, and changes are refused meanwhile")
    }
}
