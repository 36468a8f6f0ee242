package import Model
import Platform
import Synchronization

/// Knows the sessions and finds the one of a browser's token. Thread-safe.
package final class SessionTable: Sendable {
    private struct State {
        var sessions: [String: Session] = [:]
        /// Ids by the token's digest.
        var ids: [String: String] = [:]
        var uses: [String: Timestamp] = [:]
        /// What the store knows of uses.
        var noted: [String: Timestamp] = [:]
        /// Of the store, when it was read last.
        var revision: String?
        var readAt: ContinuousClock.Instant?
        /// Counts changes made here, so that what was read before one does not undo it.
        var edition = 0

        mutating func remove(_ id: String) {
            if let session = sessions.removeValue(forKey: id) { ids[session.digest] = nil }
            (uses[id], noted[id]) = (nil, nil)
        }
    }

    /// Sessions that one key may have; one more ends the one that was used longest ago.
    static let mostPerKey = 50
    /// Seconds between two notes of a session's use.
    private static let pause = 60.0
    private let keys: KeyRing
    private let store: (any SessionStore)?
    private let state = Mutex(State())
    /// How long sessions last, asked for each time.
    package let limits: @Sendable () -> Session.Limits

    /// - Parameter store: nil keeps sessions as long as this process lives.
    package init(keys: KeyRing, store: (any SessionStore)?, limits: @escaping @Sendable () -> Session.Limits = { Session.Limits() }) {
        self.keys = keys
        self.store = store
        self.limits = limits
    }

    // MARK: - Finding

    /// The session of a token, and its key as it is now; nil where it has ended, or its key has.
    package func found(_ digest: String, now: Timestamp = SystemClock.now()) -> (session: Session, key: APIKey)? {
        let limits = limits()
        let session = state.withLock { state -> Session? in
            guard let session = state.ids[digest].flatMap({ state.sessions[$0] }), Digest.equal(session.digest, digest),
                session.isOpen(limits, lastUse: state.uses[session.id], now: now)
            else { return nil }
            state.uses[session.id] = max(now, state.uses[session.id] ?? now)
            return session
        }
        return session.flatMap { session in keys.present(session.keyID, mark: session.keyMark, now: now).map { (session, $0) } }
    }

    /// True while a session goes on; its reader counts as its use.
    package func goesOn(_ id: String) -> Bool {
        guard let session = state.withLock({ $0.sessions[id] }) else { return false }
        return found(session.digest) != nil
    }

    /// All that go on, the one that was used last first.
    package func open(now: Timestamp = SystemClock.now()) -> [(session: Session, key: APIKey, lastUse: Timestamp)] {
        let limits = limits()
        let (sessions, uses) = state.withLock { ($0.sessions, $0.uses) }
        let open = sessions.values.compactMap { session -> (session: Session, key: APIKey, lastUse: Timestamp)? in
            let lastUse = uses[session.id]
            guard session.isOpen(limits, lastUse: lastUse, now: now),
                let key = keys.present(session.keyID, mark: session.keyMark, now: now)
            else { return nil }
            return (session, key, lastUse ?? session.createdAt)
        }
        return open.sorted { ($1.lastUse, $0.session.id) < ($0.lastUse, $1.session.id) }
    }

    // MARK: - Changing

    /// Keeps a new session, in the store first.
    /// - Throws: what the store throws; there is no session then.
    package func add(_ session: Session) async throws {
        try await store?.save(session)
        insert(session)
        let surplus = open().filter { $0.session.keyID == session.keyID }.dropFirst(Self.mostPerKey)
        try await remove(surplus.map(\.session.id))
    }

    /// Ends sessions.
    /// - Throws: what the store throws; they go on then.
    package func remove(_ ids: [String]) async throws {
        guard !ids.isEmpty else { return }
        try await store?.removeSessions(ids)
        state.withLock { state in
            state.edition += 1
            for id in ids { state.remove(id) }
        }
    }

    /// Ends all sessions of a key.
    package func removeAll(of keyID: String) async throws {
        try await remove(state.withLock { $0.sessions.values.filter { $0.keyID == keyID }.map(\.id) })
    }

    /// Keeps a session here alone.
    func insert(_ session: Session) {
        state.withLock { state in
            state.edition += 1
            Self.insert(session, &state)
            state.uses[session.id] = session.createdAt
        }
    }

    private static func insert(_ session: Session, _ state: inout State) {
        state.sessions[session.id] = session
        state.ids[session.digest] = session.id
    }

    // MARK: - With other controllers

    /// Takes over the sessions that any controller makes or ends, tells the store of uses and removes what has ended there, once a second
    /// until it is cancelled. While the store does not answer, the sessions that are known go on.
    package func follow() async {
        guard store != nil else { return }
        while !Task.isCancelled {
            try? await refresh()
            try? await noteUses()
            try? await Task.sleep(for: .seconds(1))
        }
    }

    /// True for a token that nobody here knows, where another controller may have made it since the store was read.
    package func mayBeNew(_ digest: String) -> Bool {
        guard store != nil else { return false }
        return state.withLock { state in
            state.ids[digest] == nil && state.readAt.map { ContinuousClock.now - $0 > .milliseconds(100) } ?? true
        }
    }

    /// The id of the key that a session belongs to; nil where no session has this token's digest.
    func keyID(_ digest: String) -> String? { state.withLock { state in state.ids[digest].flatMap { state.sessions[$0]?.keyID } } }

    /// Reads the store, where it has changed, and again where sessions were changed here meanwhile.
    package func refresh() async throws {
        guard let store else { return }
        for _ in 1...3 where try await read(store) { return }
    }

    /// - Returns: false where what was read does not count, because sessions were changed here meanwhile.
    private func read(_ store: any SessionStore) async throws -> Bool {
        let edition = state.withLock { $0.edition }
        let revision = try await store.sessionRevision()
        let isKnown = state.withLock { state in
            guard state.revision == revision else { return false }
            state.readAt = .now
            return true
        }
        if isKnown { return true }
        let stored = try await store.sessions()
        guard let ended = replace(stored.sessions, used: stored.used, revision: revision, edition: edition) else { return false }
        if !ended.isEmpty { try await store.removeSessions(ended) }
        return true
    }

    /// - Returns: the sessions that have reached a limit; nil where sessions were changed here meanwhile, and nothing was replaced.
    private func replace(_ sessions: [Session], used: [String: Timestamp], revision: String, edition: Int) -> [String]? {
        let (limits, now) = (limits(), SystemClock.now())
        return state.withLock { state in
            guard edition == state.edition else { return nil }
            let uses = state.uses
            (state.sessions, state.ids, state.uses) = ([:], [:], [:])
            var ended: [String] = []
            for session in sessions {
                let lastUse = [uses[session.id], used[session.id], session.createdAt].compactMap(\.self).max()
                guard session.isOpen(limits, lastUse: lastUse, now: now) else {
                    ended.append(session.id)
                    continue
                }
                Self.insert(session, &state)
                state.uses[session.id] = lastUse
            }
            state.noted = used
            state.revision = revision
            // Not before: a request that comes while the store is read must not take its session for ended.
            state.readAt = .now
            return ended
        }
    }

    private func noteUses() async throws {
        guard let store else { return }
        let news = state.withLock { state in
            state.uses.filter { id, time in
                state.sessions[id] != nil && time >= (state.noted[id] ?? Timestamp(milliseconds: 0)) + Self.pause
            }
        }
        guard !news.isEmpty else { return }
        try await store.noteSessionUse(news)
        state.withLock { $0.noted.merge(news) { $1 } }
    }
}
