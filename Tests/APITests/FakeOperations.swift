import API
@testable import EventStreams
import HTTPServing
import Model
import Platform
import Synchronization
import TestSupport

let us = CountryCode("us")!  // An ISO code.
let start = Timestamp(milliseconds: 1_000_000)

/// Operations in memory: exits come up at once, unless they are told not to.
final class FakeOperations: Operations, EventSource {
    struct State {
        var shown = OperatorState(revision: 1)
        var readings = 0
        var waits: [Double] = []
        var neverServes = false
        var catalogRevision = 1
        var rankings = 0
        var error: (any Error)?
        /// Events beside the three that are there from the beginning, how many of these are no longer kept, and whether none can be had.
        var moreEvents: [StoredEvent] = []
        var forgotten = 0
        var isLogAway = false
        var trafficReads = 0
        /// What the gateway remembers of all users.
        var sessions: [ProxySession] = []
        var moved: [ProxySession] = []
    }

    /// Of the first user.
    static let token = "user-" + String(repeating: "t", count: 40)
    private let inner: Mutex<State>

    init() {
        (unstored, tellUnstored) = AsyncStream.makeStream()
        var exit = Exit(id: ExitID(country: us, number: 1), slot: 1, now: start)
        exit.state = .serving
        exit.server = Server(
            provider: .nordvpn, hostname: "us1", address: "198.18.1.1", port: 51820, publicKey: "the public key", country: us,
            city: "Dallas",
            load: 7, latencyMilliseconds: 12.34567)
        exit.container = "the container"
        exit.endpoint = Endpoint(address: "172.31.0.2", port: 3128)
        exit.proof.address = "198.18.1.1"
        exit.proof.country = us
        exit.health = Health(verdict: .healthy, latencyMilliseconds: 1.5, successRate: 1, checkedAt: start)
        var state = State()
        state.shown.exits = [exit.id: exit]
        state.shown.pools = [us: Pool(country: us, size: 1)]
        state.shown.alerts = [Alert(.part(.host), .critical, "offline", remedy: "check the network", since: start)]
        state.shown.breakers = [BreakerView(name: .server("us2"), state: "open", reason: "blackhole", openings: 2, openUntil: start + 60)]
        state.shown.users = [ProxyUser(name: "alice", salt: "the salt", digest: "the digest", createdAt: start)]
        state.shown.users[0].token = ProxyUser.Token(digest: Digest.sha256(Self.token), createdAt: start)
        state.sessions = [ProxySession(key: "alice/a1/us/", exitNumber: 4711, endsAt: SystemClock.now() + 540)].compactMap(\.self)
        inner = Mutex(state)
    }

    @discardableResult
    func with<Value: Sendable>(_ body: (inout sending State) throws -> sending Value) rethrows -> Value {
        try inner.withLock { try body(&$0) }
    }

    private func change<Value: Sendable>(_ body: (inout sending OperatorState) throws -> sending Value) throws -> Value {
        try with { state in
            if let error = state.error { throw error }
            state.shown.revision += 1
            return try body(&state.shown)
        }
    }

    private static func missing(_ what: String) -> APIProblem { APIProblem(status: 404, code: "not_found", message: "there is no \(what)") }

    var state: OperatorState {
        with { state in
            state.readings += 1
            return state.shown
        }
    }

    let providers: [ProviderName] = [.nordvpn]

    /// 25 servers of the US, in which the load grows with the number, and three of Germany.
    func catalog(of provider: ProviderName?) async throws -> CatalogView {
        let american = (1...25).map { number in
            Server(
                provider: .nordvpn, hostname: "us\(number)", address: "198.18.1.\(number)", port: 51820, publicKey: "k",
                country: us, city: number.isMultiple(of: 2) ? "New York" : "Dallas", load: number,
                tags: number > 20 ? ["p2p", "virtual"] : [])
        }
        let german = (1...3).map { number in
            Server(
                provider: .nordvpn, hostname: "de\(number)", address: "198.18.2.\(number)", port: 51820, publicKey: "k",
                country: CountryCode("de")!, city: nil, load: number == 3 ? nil : 30 + number)  // An ISO code.
        }
        return CatalogView(
            revision: with { $0.catalogRevision }, servers: american + german,
            listings: listings)
    }

    let listings = [
        ProviderListing(
            name: .nordvpn, servers: 28, dropped: ["offline": 2], fetchedAt: start, stale: false, problem: nil, devices: 10,
            accounts: [AccountView(name: "main", inUse: 1, devices: 10, state: "closed", reason: nil)])
    ]

    func explained(_ wish: ServerFilter, strategy: Strategy) async throws -> [RankedServer] {
        with { $0.rankings += 1 }
        return try await catalog(of: nil).servers.filter(wish.contains).map { server in
            RankedServer(server: server, parts: [.init(name: "load", points: Double(server.load ?? 50), reason: "\(strategy)")])
        }
    }

    func measured(_ wish: ServerFilter, method: LatencyMethod, limit: Int) async throws -> [(server: Server, figures: LatencyFigures)] {
        try await catalog(of: nil).servers.filter(wish.contains).prefix(limit).map { server in
            (server, LatencyFigures(median: 1.23456, jitter: nil, loss: 0, samples: 1, method: method, measuredAt: start))
        }
    }

    func fastest(_ wish: ServerFilter, method: LatencyMethod, limit: Int) async throws -> [(server: Server, figures: LatencyFigures)] {
        try await measured(wish, method: method, limit: limit)
    }

    func speedTest(of id: ExitID) -> SpeedTest? {
        guard state.exits[id] != nil else { return nil }
        var test = SpeedTest(exit: id, startedAt: start)
        (test.isRunning, test.bytes, test.seconds, test.megabitsPerSecond, test.firstByteMilliseconds) = (false, 10_000_000, 2, 40, 12.3456)
        return test
    }

    func testSpeed(of id: ExitID, bytes: Int, seconds: Double) async throws -> SpeedTest {
        try change { $0.revision += 1 }
        guard var test = speedTest(of: id) else { throw Self.missing("exit \(id)") }
        (test.bytes, test.seconds) = (bytes, seconds)
        return test
    }

    func sessions(of name: String) async throws -> [ProxySession] { with { $0.sessions.filter { $0.key.hasPrefix("\(name)/") } } }
    func move(_ sessions: [ProxySession]) async throws { with { $0.moved += sessions } }

    @discardableResult
    func execute(_ command: ControllerCommand) async throws -> Exit? {
        switch command {
        case .addExit(let request): return try addExit(request)
        case .removeExit(let id): return try removeExit(id)
        case .rotateExit(let id): return try rotateExit(id)
        case .setPool(let pool): try change { $0.pools[pool.country] = pool }
        case .removePool(let country): try removePool(country)
        case .addUser(let user): try addUser(user)
        case .changeUser(let user): try changeUser(user)
        case .removeUser(let name): try removeUser(name)
        }
        return nil
    }

    private func addExit(_ request: ExitRequest) throws -> Exit {
        try change { shown in
            let number = shown.exits.count + 1
            let exit = Exit(id: ExitID(country: request.country, number: number), slot: number, now: start)
            shown.exits[exit.id] = exit
            shown.pools[request.country, default: request.grown(nil)].size = number
            return exit
        }
    }

    private func removeExit(_ id: ExitID) throws -> Exit {
        try change { shown in
            guard var exit = shown.exits.removeValue(forKey: id) else { throw Self.missing("exit \(id)") }
            exit.leaving = true
            return exit
        }
    }

    private func rotateExit(_ id: ExitID) throws -> Exit {
        try change { shown in
            guard shown.exits[id] != nil else { throw Self.missing("exit \(id)") }
            shown.exits[id]?.leaving = true
            return shown.exits[id] ?? Exit(id: id, slot: 1, now: start)
        }
    }

    func history(of id: ExitID, limit: Int) async throws -> [HealthSample] {
        guard with({ $0.shown.exits[id] }) != nil else { throw Self.missing("exit \(id)") }
        return [HealthSample(at: start, verdict: .healthy, probes: 20, failures: 1, latencyMilliseconds: 1.5, score: 0.9)]
    }

    // MARK: - Events

    let unstored: AsyncStream<[Event]>
    let tellUnstored: AsyncStream<[Event]>.Continuation

    private func stored() throws -> [StoredEvent] {
        let exit = ExitID(country: us, number: 1)
        let all = [
            StoredEvent(id: "1-0", event: Event(at: start, .exitServing, .info, "exit us-1 serves", exit: exit)),
            StoredEvent(
                id: "2-0", event: Event(at: start, .failover, .warning, "exit us-1 is lost", exit: exit, reason: .blackhole, cause: .probe)
            ),
            StoredEvent(id: "3-0", event: Event(at: start, .partTroubled, .warning, "problem with the engine")),
        ]
        return try with { state in
            if state.isLogAway { throw TimeoutError(what: "the log answers") }
            return all.suffix(all.count - state.forgotten) + state.moreEvents
        }
    }

    func latest(limit: Int) async throws -> EventPage {
        let events = try stored().suffix(limit)
        return EventPage(events: Array(events), end: events.last.flatMap { EventPlace($0.id) })
    }

    func page(after place: EventPlace, limit: Int) async throws -> EventPage {
        let all = try stored()
        let places = all.map { EventPlace($0.id) ?? .start }
        let events = zip(all, places).filter { $1 > place }.prefix(limit)
        var page = EventPage(events: events.map(\.0), end: events.last?.1)
        if place < places[0], with({ $0.forgotten }) > 0 { page.gap = .tooOld }
        if let last = places.last, place > last { (page.gap, page.end) = (.unknown, last) }
        return page
    }

    func next(after place: EventPlace, limit: Int) async throws -> EventPage {
        for _ in 0..<50 {
            let page = try await page(after: place, limit: limit)
            if page.end != nil { return page }
            try await Task.sleep(for: .milliseconds(10))
        }
        return EventPage(events: [], end: nil)
    }

    func interrupt() {}

    func logs(of id: ExitID, lines: Int) async throws -> String {
        try change { shown in
            guard shown.exits[id] != nil else { throw Self.missing("exit \(id)") }
            return "\(lines) lines\n"
        }
    }

    func waitUntilServing(_ id: ExitID, seconds: Double) async -> Exit? {
        with { state in
            state.waits.append(seconds)
            if !state.neverServes { state.shown.exits[id]?.state = .serving }
            return state.shown.exits[id]
        }
    }

    private func removePool(_ country: CountryCode) throws {
        try change { shown in
            guard shown.pools.removeValue(forKey: country) != nil else { throw Self.missing("pool of \(country)") }
        }
    }

    private func addUser(_ user: ProxyUser) throws {
        try change { shown in
            guard !shown.users.contains(where: { $0.name == user.name }) else {
                throw APIProblem(status: 409, code: "exists", message: "there is one")
            }
            shown.users.append(user)
        }
    }

    private func changeUser(_ user: ProxyUser) throws {
        try change { shown in
            guard let index = shown.users.firstIndex(where: { $0.name == user.name }) else { throw Self.missing("user \(user.name)") }
            shown.users[index] = user
        }
    }

    func usage(of id: ExitID, hours: Int, days: Int) async throws -> UsageReport {
        try await usage(of: id.description, hours: hours, days: days)
    }

    func usage(of name: String, hours: Int, days: Int) async throws -> UsageReport {
        let used = Usage(bytesIn: 10, bytesOut: 20, connections: 2, errors: 1)
        let total = UsagePeriod(from: "", sum: used, countries: ["us": used])
        return UsageReport(
            total: total, today: total, month: total, days: (0..<days).map { UsagePeriod(from: "day \($0)") },
            hours: (0..<hours).map { UsagePeriod(from: "hour \($0)") })
    }

    func traffic() async throws -> TrafficReport {
        let used = with { state in
            state.trafficReads += 1
            return (state.shown.exits.keys.map(CurrentTraffic.key(exit:)), state.shown.users.map { CurrentTraffic.key(user: $0.name) })
        }
        let first = used.0.sorted().prefix(1).map { ($0, CurrentTraffic(bytesPerSecond: 1000, connections: 3)) }
        return TrafficReport(
            now: Dictionary(uniqueKeysWithValues: first), bytesToday: Dictionary(uniqueKeysWithValues: (used.0 + used.1).map { ($0, 30) }))
    }

    private func removeUser(_ name: String) throws {
        try change { shown in
            guard shown.users.contains(where: { $0.name == name }) else { throw Self.missing("user \(name)") }
            shown.users.removeAll { $0.name == name }
        }
    }
}
