import API
import Catalog
import Control
import HAProxyControl
import HTTPServing
import Model
import OpenAPI
import Planning
import Platform
import Providers
import RedisStore

/// The controller as the API asks for it; its errors become HTTP statuses here and nowhere else.
struct ControllerOperations: Operations {
    let controller: Controller
    let servers: Catalog
    let speedTester: SpeedTester
    let credentials: ExitCredentials
    let usageRecord: UsageRecord
    let gateway: HAProxyGateway
    /// What this process has found by itself.
    let alertReporter: AlertReporter

    var revision: Int { controller.revision }

    var state: OperatorState {
        let snapshot = controller.snapshot
        var problems = snapshot.problems.reduce(into: [:]) { $0[$1.key.rawValue] = $1.value }
        // The loop asks for servers only where a pool needs some.
        if let lack = servers.lack { problems["catalog"] = lack }
        let breakers = snapshot.breakers.merging(servers.breakers.all) { $1 }
        var state = OperatorState(
            revision: snapshot.revision, pools: snapshot.desired.pools, exits: snapshot.exits, users: snapshot.desired.users,
            problems: problems, leader: snapshot.leader, alerts: snapshot.alerts + alertReporter.alerts,
            breakers: breakers.map { Self.view(of: $1, name: $0) }.filter { $0.state != "closed" }.sorted { $0.name < $1.name },
            blockedUsers: snapshot.desired.blocked, asked: controller.asked.reduce(into: [:]) { $0[$1.key.rawValue] = $1.value })
        (state.onDemand, state.idle) = (snapshot.desired.onDemand, snapshot.idle)
        state.accounts = Self.accounts(of: snapshot)
        return state
    }

    private static func accounts(of snapshot: Snapshot) -> [ProviderName: [AccountView]] {
        Dictionary(grouping: snapshot.accounts, by: \.account.provider).mapValues { accounts in
            accounts.map { use in
                AccountView(
                    name: use.account.shownName, inUse: use.inUse, devices: use.limit, state: use.state.rawValue,
                    reason: use.state == .closed ? nil : use.reason)
            }
        }
    }

    private static func view(of breaker: Breaker, name: BreakerKey) -> BreakerView {
        BreakerView(
            name: name, state: breaker.state(SystemClock.now()).rawValue, reason: breaker.reason, openings: breaker.openings,
            openUntil: breaker.openUntil)
    }

    var providers: [ProviderName] { servers.providers }

    var listings: [ProviderListing] {
        let accounts = Self.accounts(of: controller.snapshot)
        return servers.statuses.map { view(of: $0, accounts) }
    }

    private func view(of listing: ListingStatus, _ accounts: [ProviderName: [AccountView]]) -> ProviderListing {
        let own = accounts[listing.provider] ?? []
        // Without a number for each of them there is none for all.
        let devices = own.isEmpty || own.contains { $0.devices == nil } ? nil : own.reduce(0) { $0 + ($1.devices ?? 0) }
        return ProviderListing(
            name: listing.provider, servers: listing.servers, dropped: listing.dropped, fetchedAt: listing.fetchedAt,
            stale: listing.isStale, problem: listing.problem, devices: listing.provider == .wireguard ? nil : devices, accounts: own)
    }

    func catalog(of provider: ProviderName?) async throws -> CatalogView {
        let snapshot = try await fromCatalog { try await servers.snapshot(for: provider) }
        return CatalogView(revision: snapshot.revision, servers: snapshot.servers, listings: snapshot.listings.map { view(of: $0, [:]) })
    }

    func explained(_ filter: ServerFilter, strategy: Strategy) async throws -> [RankedServer] {
        try await fromCatalog { try await servers.explained(filter, strategy: strategy) }
    }

    func measured(_ filter: ServerFilter, method: LatencyMethod, limit: Int) async throws -> [(server: Server, figures: LatencyFigures)] {
        try await fromCatalog { try await servers.measured(filter, method: method, limit: limit) }
    }

    func fastest(_ filter: ServerFilter, method: LatencyMethod, limit: Int) async throws -> [(server: Server, figures: LatencyFigures)] {
        try await fromCatalog { try await servers.fastest(filter, method: method, limit: limit) }
    }

    private func fromCatalog<Value>(_ body: () async throws -> Value) async throws -> Value {
        do { return try await body() } catch {
            // A provider that answers, but with nothing that can be used, is another trouble than one that does not.
            if Catalog.isUnreadable(error) {
                throw APIProblem(status: 500, code: "catalog_unreadable", message: "\(error)")
            }
            throw APIProblem(status: 503, code: "catalog_unavailable", message: "\(error)", headers: [("Retry-After", "10")])
        }
    }

    func execute(_ command: ControllerCommand) async throws -> Exit? { try await asProblems { try await controller.execute(command) } }

    func history(of id: ExitID, limit: Int) async throws -> [HealthSample] {
        try await asProblems { try await controller.history(of: id, limit: limit) }
    }

    func logs(of id: ExitID, lines: Int) async throws -> String { try await asProblems { try await controller.logs(of: id, lines: lines) } }
    func speedTest(of id: ExitID) -> SpeedTest? { speedTester.latest(of: id) }

    func testSpeed(of id: ExitID, bytes: Int, seconds: Double) async throws -> SpeedTest {
        guard let exit = controller.snapshot.exits[id] else {
            throw APIProblem(status: 404, code: "not_found", message: "there is no exit \(id)")
        }
        guard exit.state.takesTraffic, let proxy = exit.proxy else {
            throw APIProblem(status: 409, code: "not_serving", message: "exit \(id) is \(exit.state.rawValue), expected one that serves")
        }
        return try await speedTester.run(id, through: credentials.proxy(of: proxy), bytes: bytes, seconds: seconds)
    }

    func usage(of name: String, hours: Int, days: Int) async throws -> UsageReport {
        guard let user = controller.snapshot.desired.users.first(where: { $0.name == name }) else {
            throw APIProblem(status: 404, code: "not_found", message: "there is no user \(name)")
        }
        return try await APIProblem.ifUnavailable {
            try await usageRecord.report(of: user, now: SystemClock.now(), hours: hours, days: days)
        }
    }

    func usage(of id: ExitID, hours: Int, days: Int) async throws -> UsageReport {
        try await APIProblem.ifUnavailable { try await usageRecord.report(of: id, now: SystemClock.now(), hours: hours, days: days) }
    }

    func sessions(of name: String) async throws -> [ProxySession] {
        try await fromGateway { try await gateway.sessions(of: name, now: SystemClock.now()) }
    }

    func move(_ sessions: [ProxySession]) async throws { try await fromGateway { try await gateway.move(sessions) } }

    private func fromGateway<Value>(_ body: () async throws -> Value) async throws -> Value {
        do { return try await body() } catch let error as HAProxyError {
            throw APIProblem.unavailable("the gateway does not answer: \(error)", code: "gateway_unavailable")
        }
    }

    func traffic() async throws -> TrafficReport {
        let snapshot = controller.snapshot
        return try await APIProblem.ifUnavailable {
            try await usageRecord.traffic(of: snapshot.exits.keys, snapshot.desired.users, now: SystemClock.now())
        }
    }

    func waitUntilServing(_ id: ExitID, seconds: Double) async -> Exit? {
        let snapshot = await controller.publicView.wait(seconds: seconds) { snapshot in
            guard let exit = snapshot.exits[id] else { return true }
            // A standby has come as far as it is to come where its pool has all that serve.
            let pool = snapshot.desired.pools[id.country]
            let serving = snapshot.exits.serving(in: id.country).count
            let waits = exit.state == .standby && pool.map { serving >= $0.size } ?? true
            return exit.state.takesTraffic || exit.state == .failed || waits
        }
        return snapshot.exits[id]
    }
}
