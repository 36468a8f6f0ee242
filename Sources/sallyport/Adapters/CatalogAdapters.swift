import Catalog
import FoundationEssentials
import Model
import Platform
import Providers
import RedisStore

// Where providers, store and measurements meet the protocols that `Catalog` declares.

struct ProviderSource: ServerSource {
    let client: ProviderClient
    var provider: ProviderName { client.provider.name }

    func list(newerThan stamp: ListStamp?) async throws -> ListAnswer {
        let validators = ProviderClient.Validators(entityTag: stamp?.entityTag, lastModified: stamp?.lastModified)
        switch try await client.list(newerThan: validators) {
        case .unchanged: return .unchanged
        case .list(let list, let validators):
            return .list(
                servers: list.servers, dropped: list.dropped,
                stamp: ListStamp(entityTag: validators.entityTag, lastModified: validators.lastModified))
        }
    }
}

extension ProviderError: SourceFailure {
    package var isRefusal: Bool { code == .rateLimited }
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
}
