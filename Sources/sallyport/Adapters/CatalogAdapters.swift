import Catalog
import FoundationEssentials
import HTTPTransport
import Model
import Planning
import Platform
import Providers
import RedisStore
import Synchronization

// Where providers, store and measurements meet the protocols that `Catalog` declares.

/// An exit that serves, for those who were made before there was a controller to ask.
final class ServingExits: Sendable {
    private let view = Mutex<@Sendable () -> HTTPProxy?>({ nil })
    func follow(_ body: @escaping @Sendable () -> HTTPProxy?) { view.withLock { $0 = body } }
    var one: HTTPProxy? { view.withLock { $0 }() }
}

struct ProviderSource: ServerSource {
    let client: ProviderClient
    /// Where an exit that serves can be asked to fetch for us; nil while there is none.
    var exit: @Sendable () -> HTTPProxy? = { nil }
    var provider: ProviderName { client.provider.name }

    func list(newerThan stamp: ListStamp?) async throws -> ListAnswer {
        switch try await answer(newerThan: stamp ?? ListStamp()) {
        case .unchanged: .unchanged
        case .list(let list, let stamp): .list(servers: list.servers, dropped: list.dropped, stamp: stamp)
        }
    }
}

extension ProviderSource {
    /// Who is shut out, or can't get through, asks once more from where an exit leaves. Who was told to slow down does not.
    private func answer(newerThan stamp: ListStamp) async throws -> ProviderClient.Answer {
        let problem: ProviderError
        do { return try await client.list(newerThan: stamp) } catch let error as ProviderError { problem = error }
        guard problem.code == .blocked || problem.code == .unreachable, let exit = exit() else { throw problem }
        // What went wrong first is what an operator should see to.
        do { return try await client.list(newerThan: stamp, through: exit) } catch {
            let words = "\(problem.message); it does not answer through exit \(exit) either"
            throw ProviderError(code: problem.code, provider: problem.provider, message: words, retryAfter: problem.retryAfter)
        }
    }
}

extension ProviderError: SourceFailure {
    package var isRefusal: Bool { code == .rateLimited || code == .blocked }
    package var isUnreadable: Bool { code == .badAnswer }
}

struct RedisListings: ListingStore {
    let store: Store

    func listing(of provider: ProviderName) async throws -> StoredListing? {
        guard let text = try await store.listing(of: provider) else { return nil }
        return try JSONDecoder().decode(StoredListing.self, from: Data(text.utf8))
    }

    func save(_ listing: StoredListing, of provider: ProviderName) async throws {
        let text = String(decoding: try JSONEncoder().encode(listing), as: UTF8.self)
        try await store.saveListing(text, fetchedAt: listing.fetchedAt, of: provider)
    }

    func fetchTime(of provider: ProviderName) async throws -> Timestamp? { try await store.fetchTime(of: provider) }

    func beginFetch(of provider: ProviderName, seconds: Int) async throws -> String? {
        let right = Digest.randomHex(bytes: 16)
        return try await store.beginFetch(of: provider, right: right, seconds: seconds) ? right : nil
    }

    func endFetch(of provider: ProviderName, right: String) async throws { try await store.endFetch(of: provider, right: right) }

    func breaker(of provider: ProviderName) async throws -> Breaker? {
        try await store.fetchBreaker(of: provider).flatMap { try? JSONDecoder().decode(Breaker.self, from: Data($0.utf8)) }
    }

    func save(_ breaker: Breaker?, of provider: ProviderName) async throws {
        let text = try breaker.map { String(decoding: try JSONEncoder().encode($0), as: UTF8.self) }
        try await store.saveFetchBreaker(text, of: provider)
    }
}
