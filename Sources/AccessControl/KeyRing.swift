package import HTTPServing
package import Model
import Platform
import Synchronization

/// Knows the API keys and finds the one that a request carries.
package final class KeyRing: Sendable {
    private struct Use {
        var last: Timestamp?
        /// Where the key has come from, some addresses of it.
        var callers: [String] = []
    }

    private struct State {
        var configured: [APIKey]
        var stored: [APIKey] = []
        var byDigest: [String: APIKey] = [:]
        var byID: [String: APIKey] = [:]
        var uses: [String: Use] = [:]
        /// Counts changes made here, so that what was read before one does not undo it.
        var edition = 0
        /// When the store's keys were taken over last; nil before the first time.
        var readAt: ContinuousClock.Instant?

        func key(_ digest: String, _ now: Timestamp) -> APIKey? {
            guard let key = byDigest[digest], Digest.equal(key.digest, digest), key.expiresAt.map({ $0 > now }) ?? true else { return nil }
            return key
        }

        mutating func index() {
            byDigest = Dictionary((stored + configured).map { ($0.digest, $0) }) { $1 }
            byID = Dictionary((stored + configured).map { ($0.id, $0) }) { $1 }
        }
    }

    /// Addresses that are remembered of each key.
    private static let callerLimit = 16
    /// How old what is known of the store may be. `follow` reads it once a second.
    private static let staleness = Duration.seconds(3)
    private let state: Mutex<State>

    package init(_ configured: [APIKey]) {
        var first = State(configured: configured)
        first.index()
        state = Mutex(first)
    }

    /// Every key, those of the configuration first.
    package var all: [APIKey] { state.withLock { $0.configured + $0.stored.sorted { $0.createdAt < $1.createdAt } } }
    package func key(_ id: String) -> APIKey? { all.first { $0.id == id } }
    /// The key of an id, where it has not expired.
    /// - Parameter mark: the beginning of the key's digest; a key that was made anew under this id has another one.
    package func present(_ id: String, mark: String? = nil, now: Timestamp = SystemClock.now()) -> APIKey? {
        guard let key = state.withLock({ $0.byID[id] }), key.expiresAt.map({ $0 > now }) ?? true else { return nil }
        return mark.map { $0 == key.mark } ?? true ? key : nil
    }

    package func lastUse(of id: String) -> Timestamp? { state.withLock { $0.uses[id]?.last } }
    package var lastUses: [String: Timestamp] { state.withLock { $0.uses.compactMapValues(\.last) } }

    package func replaceConfigured(_ keys: [APIKey]) {
        state.withLock { state in
            state.configured = keys
            state.index()
        }
    }

    package var edition: Int { state.withLock { $0.edition } }

    /// Takes over what the store holds, unless a key was added or removed here since it was asked.
    /// - Parameter edition: from before it was asked.
    /// - Returns: whether they were taken over.
    @discardableResult
    package func replaceStored(_ keys: [APIKey], used: [String: Timestamp] = [:], edition: Int? = nil) -> Bool {
        state.withLock { state in
            if let edition, edition != state.edition { return false }
            state.stored = keys
            state.readAt = .now
            for (id, time) in used { state.uses[id, default: Use()].last = max(time, state.uses[id]?.last ?? time) }
            state.index()
            return true
        }
    }

    /// True where the store was not read yet, or not lately: it may have keys that are not known here.
    var isStale: Bool { state.withLock { $0.readAt.map { ContinuousClock.now - $0 > Self.staleness } ?? true } }
    func knows(digest: String) -> Bool { state.withLock { $0.byDigest[digest] != nil } }
    func knows(id: String) -> Bool { state.withLock { $0.byID[id] != nil } }

    /// Takes over the keys of the store, and reads them again where keys were changed here meanwhile.
    func refresh(from store: any KeyStore) async throws {
        for _ in 1...3 {
            let edition = edition
            let stored = try await store.keys()
            if replaceStored(stored.keys, used: stored.used, edition: edition) { return }
        }
    }

    package func add(_ key: APIKey) {
        state.withLock { state in
            state.stored.removeAll { $0.id == key.id }
            state.stored.append(key)
            state.edition += 1
            state.index()
        }
    }

    package func remove(_ id: String) {
        state.withLock { state in
            state.stored.removeAll { $0.id == id }
            state.uses[id] = nil
            state.edition += 1
            state.index()
        }
    }

    /// The key in `X-API-Key` or `Authorization: Bearer`. It is looked up by its SHA-256, and that is compared in constant time:
    /// what a comparison's time could tell is nothing about the key.
    package func key(of request: ServerRequest) -> APIKey? { found(Self.digest(request.head), from: "")?.key }

    /// The key with this digest, and whether it was let in from this address before.
    package func found(_ digest: String?, from address: String, now: Timestamp = SystemClock.now()) -> (key: APIKey, isKnown: Bool)? {
        guard let digest else { return nil }
        return state.withLock { state in
            guard let key = state.key(digest, now) else { return nil }
            guard let index = state.uses.index(forKey: key.id), state.uses.values[index].callers.contains(address) else {
                return (key, false)
            }
            state.uses.values[index].last = now
            return (key, true)
        }
    }

    /// Records the first use of a key from an address.
    package func recordUse(_ key: APIKey, from address: String, now: Timestamp = SystemClock.now()) {
        state.withLock { state in
            var use = state.uses[key.id] ?? Use()
            use.last = now
            if !use.callers.contains(address) { use.callers.append(address) }
            if use.callers.count > Self.callerLimit { use.callers.removeFirst() }
            state.uses[key.id] = use
        }
    }

    /// SHA-256 of the key that a head carries; nil where no key looks like that.
    package static func digest(_ head: RequestHead) -> String? {
        var offered = head.headers["x-api-key"]
        if offered == nil, let header = head.headers["authorization"] { offered = bearer(header) }
        return offered.flatMap(digest(of:))
    }

    /// SHA-256 of a key; nil where no key looks like that.
    package static func digest(of offered: String) -> String? {
        guard (32...256).contains(offered.utf8.count), offered.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
        return Digest.sha256(offered)
    }

    /// True while a key that was let in would still be, for a route of that role.
    package func allows(_ key: APIKey, _ wanted: Role, now: Timestamp = SystemClock.now()) -> Bool {
        guard let present = state.withLock({ $0.byDigest[key.digest] }), present.id == key.id else { return false }
        return present.role >= wanted && present.expiresAt.map { $0 > now } ?? true
    }

    /// Takes over the keys that any controller makes or removes, and tells the store of uses, once a second until it is cancelled.
    package func follow(_ store: any KeyStore) async {
        var noted: [String: Timestamp] = [:]
        while !Task.isCancelled {
            try? await refresh(from: store)
            let used = lastUses
            let news = used.filter { noted[$0.key] != $0.value }
            if !news.isEmpty, (try? await store.noteUse(news)) != nil { noted = used }
            try? await Task.sleep(for: .seconds(1))
        }
    }

    /// What stands behind the scheme (RFC 6750, section 2.1), whose letters may be of either case.
    private static func bearer(_ header: String) -> String? {
        let scheme = "bearer "
        guard header.utf8.count > scheme.utf8.count else { return nil }
        let end = header.utf8.index(header.startIndex, offsetBy: scheme.utf8.count)
        return header[..<end].lowercased() == scheme ? String(header[end...]) : nil
    }
}
