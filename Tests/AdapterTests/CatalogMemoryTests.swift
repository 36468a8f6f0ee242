import Catalog
import Model
import Planning
import Platform
import Synchronization
import TestSupport
import Testing

/// What the catalog remembers of servers that come and go.
@Suite(.timeLimit(.minutes(1))) struct CatalogMemoryTests {
    private static func server(_ number: Int, city: String) -> Server {
        Server(
            provider: .nordvpn, hostname: "us\(number)", address: "198.18.\(number / 250 % 250).\(number % 250)", port: 51820,
            publicKey: "k", country: us, city: city, load: 1)
    }

    private static func catalog(_ source: any ServerSource, measure: @escaping Catalog.Measure) -> Catalog {
        Catalog(sources: [source], settings: .patient(refreshSeconds: 0, backOff: BackOff(first: 1)), log: .none, measure: measure)
    }

    /// A list that is made when it is asked for.
    private final class MadeSource: ServerSource {
        let provider = ProviderName.nordvpn
        private let count = Mutex(0)
        private let make: @Sendable (_ number: Int) -> [Server]
        var lists: Int { count.withLock { $0 } }

        init(_ make: @escaping @Sendable (_ number: Int) -> [Server]) { self.make = make }

        func list(newerThan stamp: ListStamp?) async throws -> ListAnswer {
            let number = count.withLock { count in
                count += 1
                return count
            }
            return .list(servers: make(number), dropped: [:], stamp: ListStamp())
        }
    }

    @Test func `what was measured of servers that have left the list is forgotten, though not at once`() async throws {
        // Ten servers, all of them new each time.
        let source = MadeSource { list in
            (list * 10..<list * 10 + 10).map { number in
                Self.server(number, city: "City \(number)")
            }
        }
        let catalog = Self.catalog(source) { servers, _ in servers.reduce(into: [:]) { $0[$1.hostname] = 5 } }
        var most = 0
        while source.lists < 1_000 {
            _ = try await catalog.measured(ServerFilter(country: us), method: .fping, limit: 10)
            most = max(most, await catalog.figures().count)
        }
        #expect(most > 400 && most <= 530, "\(most) histories after \(source.lists) lists")
        #expect(await catalog.citiesMeasured <= 30)
    }

    @Test func `a server that comes back to the list soon has its measurements`() async throws {
        let isGone = Mutex(false)
        let all = (1...4).map { Self.server($0, city: "Dallas") }
        let source = MadeSource { _ in isGone.withLock { $0 } ? Array(all.dropFirst()) : all }
        let catalog = Self.catalog(source) { servers, _ in servers.reduce(into: [:]) { $0[$1.hostname] = 5 } }
        _ = try await catalog.measured(ServerFilter(country: us), method: .fping, limit: 10)
        isGone.withLock { $0 = true }
        try await eventually("it is gone", within: 20) { try await catalog.snapshot().servers.count == 3 }
        isGone.withLock { $0 = false }
        try await eventually("and back, with what was measured", within: 20) {
            try await catalog.snapshot().servers.first { $0.hostname == "us1" }?.latencyMilliseconds == 5
        }
    }
}
