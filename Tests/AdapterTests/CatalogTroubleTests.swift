import Catalog
import Control
import HTTPTransport
import Model
import Planning
import Platform
import Providers
import Synchronization
import TestSupport
import Testing

@testable import sallyport

/// Providers that hang, fail, shrink and can't be resolved, one and several of them.
@Suite(.timeLimit(.minutes(1))) struct CatalogTroubleTests {
    private static let other = ProviderName(rawValue: "other")
    private static let third = ProviderName(rawValue: "third")

    /// A provider that answers when it is told to, and not before.
    private final class Gated: ServerSource {
        let provider: ProviderName
        private let servers: [Server]
        private let state = Mutex<(isOpen: Bool, waiting: [CheckedContinuation<Void, Never>])>((false, []))
        init(_ provider: ProviderName, _ servers: [Server] = []) { (self.provider, self.servers) = (provider, servers) }

        var isAsked: Bool { state.withLock { !$0.waiting.isEmpty } }

        func open() {
            let waiting = state.withLock { state in
                state.isOpen = true
                defer { state.waiting = [] }
                return state.waiting
            }
            for one in waiting { one.resume() }
        }

        func list(newerThan stamp: ListStamp?) async throws -> ListAnswer {
            await withCheckedContinuation { continuation in
                let isOpen = state.withLock { state in
                    if !state.isOpen { state.waiting.append(continuation) }
                    return state.isOpen
                }
                if isOpen { continuation.resume() }
            }
            return .list(servers: servers, dropped: [:], stamp: ListStamp())
        }
    }

    /// - Parameter seconds: that callers wait; short only where a provider hangs.
    private func patient(_ sources: any ServerSource..., seconds: Double = 30, refresh: Double = 3600, store: FakeListings? = nil)
        -> Catalog
    {
        var settings = Catalog.Settings(refreshSeconds: refresh, backOff: BackOff(first: 60))
        (settings.patience, settings.shortPatience) = (seconds, seconds)
        return Catalog(sources: sources, settings: settings, store: store, log: .none, measure: { _, _ in [:] })
    }

    @Test func `a provider that hangs holds up nobody, at a start and when lists are renewed`() async throws {
        let hanging = Gated(Self.other, [listed(7, de, load: 1, provider: Self.other)])
        let catalog = patient(hanging, FakeSource(.nordvpn, american), seconds: 0.2, refresh: 0.01)
        defer { hanging.open() }
        try await eventually("the other one's list is there", within: 40) { (try? await catalog.countries()) == [us: 3] }
        for _ in 0..<3 {
            #expect(try await catalog.ranked(for: Pool(country: us, size: 1)).count == 3)
            #expect(try await catalog.ranked(for: Pool(country: us, size: 1, provider: .nordvpn)).count == 3)
            #expect(try await catalog.countries() == [us: 3])
        }
        #expect(hanging.isAsked)
        #expect(catalog.statuses.map(\.servers) == [0, 3])
        #expect(catalog.statuses[0].problem == "other has not answered yet" && catalog.statuses[1].problem == nil)
        // Who needs the one that hangs is told so, though another has a list.
        let error = await #expect(throws: CatalogError.self) {
            try await catalog.ranked(for: Pool(country: de, size: 1, provider: Self.other))
        }
        #expect(error?.message == "other has not answered yet" && error?.isUnreadable == false)
        await #expect(throws: CatalogError.self) { try await catalog.ranked(for: Pool(country: de, size: 1)) }
        await #expect(throws: CatalogError.self) { try await catalog.snapshot(for: Self.other) }
        hanging.open()
        try await eventually("its list counts when it comes") {
            (try? await catalog.ranked(for: Pool(country: de, size: 1, provider: Self.other)))?.count == 1
        }
    }

    @Test func `a start waits a moment for all, so that the first answer is not the fastest provider's alone`() async throws {
        let late = Gated(Self.other, [listed(7, load: 1, provider: Self.other)])
        let catalog = patient(FakeSource(.nordvpn, american), late)
        let ranked = Task { try await catalog.ranked(for: Pool(country: us, size: 1)) }
        try await eventually("the late one is asked, and the other is there") { late.isAsked && catalog.statuses[0].servers == 3 }
        late.open()
        #expect(try await ranked.value.first?.server.hostname == "us7")
    }

    @Test func `each provider's own words stand for it`() async throws {
        let failing = ScriptedSource(Self.other) { _ in throw ProviderError(code: .failing, provider: "other", message: "status 503") }
        let odd = ScriptedSource(Self.third) { _ in throw ProviderError(code: .badAnswer, provider: "third", message: "no list") }
        func words(_ catalog: Catalog, _ provider: ProviderName?) async -> (String, isUnreadable: Bool) {
            do { return ("\(try await catalog.ranked(for: Pool(country: us, size: 1, provider: provider)).count)", false) } catch {
                return ("\(error)", Catalog.isUnreadable(error))
            }
        }
        let one = patient(failing, odd, FakeSource(.nordvpn, american))
        #expect(await words(one, Self.other) == ("other: status 503", false))
        #expect(await words(one, Self.third) == ("third: no list", true))
        #expect(await words(one, nil) == ("3", false) && one.lack == nil)
        let none = patient(failing, odd)
        #expect(await words(none, nil) == ("catalog: other: status 503; third: no list", false))
        #expect(await words(none, Self.third) == ("third: no list", true))
        #expect(none.lack == "no provider has given a list of servers: other: status 503; third: no list")
    }

    @Test func `a list that never came is an alert, a critical one where there is no other list`() async throws {
        let failing = ScriptedSource(Self.other) { _ in throw ProviderError(code: .failing, provider: "other", message: "status 503") }
        let catalog = patient(failing, FakeSource(.nordvpn, american))
        _ = try await catalog.countries()
        try await eventually("it has failed") { catalog.statuses[0].problem != nil }
        let now = SystemClock.now()
        #expect(catalog.alerts(now).isEmpty, "not yet: it may come in a moment")
        let alerts = catalog.alerts(now + 31)
        #expect(
            alerts.map(\.subject) == [.list(ProviderName(rawValue: "other"))] && alerts[0].severity == .warning
                && alerts[0].message.contains("status 503"))
        let none = patient(failing)
        _ = try? await none.countries()
        #expect(none.alerts(now + 3_600).map(\.severity) == [.critical])
    }

    @Test func `names that have no address are told as that, not as a country without servers`() async throws {
        let named = (1...3).map { number in
            var server = listed(number, de, load: number, provider: .surfshark)
            server.address = "de\(number).example.test"
            return server
        }
        let catalog = Catalog(
            sources: [FakeSource(.surfshark, named), FakeSource(.nordvpn, american)], settings: .patient(), log: .none,
            resolve: { _ in [:] },
            measure: { _, _ in [:] })
        func error(_ body: () async throws -> Void) async -> String {
            do { try await body() } catch { return Catalog.isUnreadable(error) ? "unreadable" : "\(error)" }
            return ""
        }
        for text in [
            await error { _ = try await catalog.ranked(for: Pool(country: de, size: 1)) },
            await error { _ = try await catalog.measured(ServerFilter(country: de), method: .fping, limit: 5) },
            await error { _ = try await catalog.fastest(ServerFilter(country: de), method: .fping, limit: 5) },
        ] {
            #expect(text.contains("surfshark") && text.contains("Germany") && text.contains("de1.example.test"), "\(text)")
            #expect(text.contains("resolver"), "\(text)")
        }
        #expect(try await catalog.ranked(for: Pool(country: us, size: 1)).count == 3)
    }

    @Test func `a list that has lost much is an alert before it is believed and for a day after, also after a restart`() async throws {
        let whole = (1...10).map { listed($0, load: $0) } + (1...3).map { listed($0, de, load: $0) }
        let source = FakeSource(.nordvpn, whole, Array(whole.prefix(4)))
        let store = FakeListings()
        let catalog = patient(source, refresh: 0.01, store: store)
        #expect(try await catalog.countries() == [us: 10, de: 3])
        #expect(catalog.alerts().isEmpty)
        try await eventually("it is held back, and told") {
            _ = try await catalog.countries()
            return catalog.alerts().first?.message.contains("looks incomplete: it has 4 servers where there were 13") ?? false
        }
        try await eventually("it is believed", within: 40) { try await catalog.countries() == [us: 4] }
        let now = SystemClock.now()
        let words =
            "the list of nordvpn has 4 servers and none in DE any more, where there were 13: it is used, because it came three times"
        #expect(catalog.alerts(now).map(\.subject) == [.size(.nordvpn)] && catalog.alerts(now).map(\.message) == [words])
        #expect(catalog.alerts(now + 86_401).isEmpty)
        let next = patient(FakeSource(.nordvpn, Array(whole.prefix(4))), store: store)
        _ = try await next.countries()
        #expect(next.alerts(now).map(\.message) == [words])
        // Back again.
        let healed = patient(FakeSource(.nordvpn, whole), refresh: 0.01, store: store)
        try await eventually("it is over", within: 40) {
            _ = try await healed.countries()
            return healed.statuses[0].servers == 13 && healed.alerts().isEmpty
        }
    }

    @Test func `the fastest are those that answer, whatever city they are in`() async throws {
        // The least loaded of each city is silent; so are all of the nearest city but one.
        let servers = (0..<120).map { number in listed(number, load: number / 3, city: "City \(number % 40)") }
        let times = ["us80": 2.0, "us41": 3, "us43": 4, "us44": 90]
        let asked = Mutex<Set<String>>([])
        let catalog = catalogOf(FakeSource(.nordvpn, servers)) { servers, _ in
            asked.withLock { $0.formUnion(servers.map(\.hostname)) }
            return times.filter { time in servers.contains { $0.hostname == time.key } }
        }
        let found = try await catalog.fastest(ServerFilter(country: us), method: .fping, limit: 3)
        #expect(found.map(\.server.hostname) == ["us80", "us41", "us43"] && found.allSatisfy { $0.figures.median != nil })
        #expect(try await catalog.fastest(ServerFilter(country: us), method: .fping, limit: 100).count == 4, "none of the silent ones")
        #expect(try await catalog.fastest(ServerFilter(country: us, city: "City 5"), method: .fping, limit: 3).isEmpty)
    }

    @Test func `a provider's breaker opens when half of its calls fail, and three trials close it`() async throws {
        let answers = Mutex(false)
        let servers = american
        let source = ScriptedSource { _ in
            guard answers.withLock({ $0 }) else { throw ProviderError(code: .failing, provider: "nordvpn", message: "status 502") }
            return .list(servers: servers, dropped: [:], stamp: ListStamp())
        }
        var rules = Breaker.ofProviders
        rules.firstCoolDown = 0.2
        rules.window?.seconds = 600
        let breakers = ProviderBreakers(rules: rules)
        let catalog = Catalog(
            sources: [source], settings: .patient(refreshSeconds: 0.01, backOff: BackOff(first: 0.01, longest: 0.01)), log: .none,
            breakers: breakers, measure: { _, _ in [:] })
        try await eventually("it is open", within: 40) {
            _ = try? await catalog.countries()
            return breakers[.list, .nordvpn].openings > 0
        }
        #expect(source.asked.withLock(\.count) >= 3 && breakers.all.keys.sorted() == [.list(.nordvpn)])
        answers.withLock { $0 = true }
        try await eventually("three trials have closed it", within: 40) {
            _ = try? await catalog.countries()
            return breakers[.list, .nordvpn].state(SystemClock.now()) == .closed
        }
        #expect(source.asked.withLock(\.count) >= 6)
    }

    @Test func `an account's service that fails is left alone, and a token that is refused is told as that`() async throws {
        let status = Mutex(502)
        let server = try ScriptedServer { connection in
            while connection.head() != nil { connection.answer(status.withLock { $0 }, "{}") }
        }
        let client = HTTPClient()
        defer {
            client.close()
            server.stop()
        }
        let breakers = ProviderBreakers()
        let account = ProviderClient(
            .nordvpn, url: "http://127.0.0.1:\(server.port)", credentials: .accessToken(Secret("token")), client: client)
        let keys = ProviderKeys([.init(client: account, facts: Provider.nordvpn.facts)], breakers: breakers)
        func failure() async -> ExitFailure? {
            await #expect(throws: ExitFailure.self) { try await keys.privateKey(of: ProviderAccount(.nordvpn)) }
        }
        status.withLock { $0 = 401 }
        #expect(await failure()?.reason == .credentialsRejected)
        #expect(await failure()?.detail.contains("access token is refused") ?? false)
        status.withLock { $0 = 502 }
        for _ in 0..<2 { #expect(await failure()?.reason == .providerUnavailable) }
        let count = server.count
        #expect(breakers[.account, .nordvpn].state(SystemClock.now()) == .open, "two of four calls")
        #expect(await failure()?.detail.contains("will be called again at") ?? false)
        #expect(server.count == count && breakers[.list, .nordvpn].state(SystemClock.now()) == .closed)
    }
}
