import Model
import Planning
import Platform
import Synchronization
import TestSupport
import Testing

@testable import Catalog

/// Lists that are made on this machine.
@Suite(.timeLimit(.minutes(1))) struct LocalListTests {
    private final class LocalSource: ServerSource {
        struct Failure: Error, CustomStringConvertible { let description = "the folder is away" }
        let provider = ProviderName.wireguard
        let isLocal = true
        let servers: Mutex<[Server]?>
        init(_ servers: [Server]) { self.servers = Mutex(servers) }

        func list(newerThan stamp: ListStamp?) async throws -> ListAnswer {
            guard let servers = servers.withLock({ $0 }) else { throw Failure() }
            let tag = servers.map(\.hostname).joined(separator: " ")
            return stamp?.entityTag == tag ? .unchanged : .list(servers: servers, dropped: [:], stamp: ListStamp(entityTag: tag))
        }
    }

    private static func file(_ number: Int, account: String = "key-a") -> Server {
        Server(
            provider: .wireguard, hostname: "us-\(number).conf", address: "198.18.1.\(number)", port: 51820, publicKey: "k", country: us,
            city: nil, load: nil, account: account)
    }

    private func catalog(_ source: LocalSource, _ store: FakeListings? = nil) -> Catalog {
        var settings = Catalog.Settings.patient()
        settings.localSeconds = 0.02
        return Catalog(sources: [source], settings: settings, store: store, log: .none, measure: { _, _ in [:] })
    }

    @Test func `files that are added and taken away count at once, and are no other controller's`() async throws {
        let (source, store) = (LocalSource((1...5).map { Self.file($0) }), FakeListings())
        let catalog = catalog(source, store)
        #expect(try await catalog.countries() == [us: 5])
        source.servers.withLock { $0 = [Self.file(1)] }
        try await eventually("four were taken away, which is no cut list") { try await catalog.countries() == [us: 1] }
        source.servers.withLock { $0 = (1...2).map { Self.file($0) } }
        try await eventually("one was added") { try await catalog.countries() == [us: 2] }
        let stored = try await store.listing(of: .wireguard)
        #expect(catalog.alerts().isEmpty && stored == nil, "nothing of it is in the store")
    }

    @Test func `a folder that vanishes costs no server, and is told with the setting that names it`() async throws {
        let source = LocalSource([Self.file(1)])
        let catalog = catalog(source)
        _ = try await catalog.countries()
        source.servers.withLock { $0 = nil }
        try await eventually("it is noticed") {
            let countries = try await catalog.countries()
            #expect(countries == [us: 1])
            return catalog.statuses.first?.problem == "the folder is away"
        }
        #expect(catalog.breakers[.list, .wireguard].state(SystemClock.now()) == .closed, "nobody is called too often")
        let later = try #require(catalog.statuses.first)
        #expect(later.isLocal && !later.isStale)
        source.servers.withLock { $0 = [Self.file(1), Self.file(2)] }
        try await eventually("it is back") { try await catalog.countries() == [us: 2] }
        try await eventually("nothing is told any more") { catalog.statuses.first?.problem == nil }
    }

    @Test func `no file is asked for a handshake whose key an exit has`() async throws {
        let source = LocalSource([Self.file(1), Self.file(2), Self.file(3, account: "key-b")])
        let catalog = catalog(source)
        await catalog.follow { Catalog.Surroundings(held: [Self.file(1)]) }
        let servers = try await catalog.snapshot().servers
        #expect(await catalog.withoutHeld(servers, for: .wireguard).map(\.hostname) == ["us-3.conf"])
        #expect(await catalog.withoutHeld(servers, for: .tcp).count == 3)
    }
}
