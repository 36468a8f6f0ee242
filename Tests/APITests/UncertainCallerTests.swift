@testable import API
@testable import AccessControl
import AuditLog
import Model
import Platform
import RequestPipeline
import Synchronization
import TestSupport
import Testing

/// Keys and sessions that are not known here, and the store that may know them: after a start, or while it does not answer.
@Suite(.timeLimit(.minutes(1))) struct UncertainCallerTests {
    /// A store with one key and one session of it.
    private final class OneCaller: KeyStore, SessionStore {
        private struct Away: Error {}

        static let secret = String(repeating: "s", count: 43)
        static let token = String(repeating: "a", count: 64)
        let key = APIKey(
            id: "k1", name: "of-the-store", role: .viewer, digest: Digest.sha256(secret), createdAt: SystemClock.now())
        let isAway = Mutex(false)
        /// Called in the middle of a reading of sessions.
        let whileRead = Mutex<(@Sendable () -> Void)?>(nil)

        var session: Session {
            Session(
                id: "s1", digest: Digest.sha256(Self.token), key: key, createdAt: SystemClock.now(), address: "192.0.2.7", userAgent: nil)
        }

        private func answer<Value>(_ value: Value) throws -> Value {
            guard !isAway.withLock({ $0 }) else { throw Away() }
            return value
        }

        func keys() throws -> (keys: [APIKey], used: [String: Timestamp]) { try answer(([key], [:])) }
        func sessionRevision() throws -> String { try answer("1") }
        func sessions() throws -> (sessions: [Session], used: [String: Timestamp]) {
            whileRead.withLock { $0 }?()
            return try answer(([session], [:]))
        }
        func save(_ key: APIKey) throws { try answer(()) }
        func save(_ session: Session) throws { try answer(()) }
        func removeKey(_ id: String) {}
        func noteUse(_ used: [String: Timestamp]) {}
        func removeSessions(_ ids: [String]) {}
        func noteSessionUse(_ used: [String: Timestamp]) {}
    }

    private static let cookie = [(name: "Cookie", value: "sallyport_session=\(OneCaller.token)")]
    private static let header = [(name: "X-API-Key", value: OneCaller.secret)]
    private static let wrong = [(name: "X-API-Key", value: String(repeating: "w", count: 43))]

    private static let settings: RequestSettings = {
        var settings = RequestSettings()
        settings.failedKeys = 2
        return settings
    }()

    private func parts(_ store: OneCaller) -> API.Parts {
        var parts = API.Parts()
        (parts.keys, parts.sessions) = (store, store)
        return parts
    }

    /// An API that has read nothing of this store yet.
    private func subject(_ store: OneCaller) throws -> Subject { try Subject(.direct, settings: Self.settings, parts: parts(store)) }

    @Test func `the first request after a start may be by a key of the store, or by a session of such a key`() async throws {
        for headers in [Self.header, Self.cookie] {
            #expect(try await subject(OneCaller()).call("GET", "/api/exits", headers: headers).status == 200)
        }
        #expect(try await subject(OneCaller()).call("GET", "/api/exits", headers: Self.wrong).status == 401)
    }

    @Test func `while the store does not answer nobody is told that a key is wrong or that a session has ended`() async throws {
        let store = OneCaller()
        store.isAway.withLock { $0 = true }
        try await Subject.with(.direct, settings: Self.settings, parts: parts(store)) { subject in
            for headers in [Self.header, Self.cookie, Self.wrong, Self.wrong, Self.wrong] {
                let answer = try await subject.call("GET", "/api/exits", headers: headers)
                #expect(answer.status == 503 && answer.error == "store_unavailable", "\(answer.text)")
                #expect(answer.headers["retry-after"] == "10")
            }
            let signIn = try await subject.call("POST", "/api/auth/session", headers: [], body: "{\"key\":\"\(OneCaller.secret)\"}")
            #expect(signIn.status == 503 && signIn.headers["set-cookie"] == nil, "\(signIn.text)")
            #expect(try await subject.call("GET", "/api/exits", as: .viewer).status == 200, "a key of the configuration")
            #expect(try await subject.call("GET", "/health/live", headers: Self.cookie).status == 200, "nobody needs to be known there")
            store.isAway.withLock { $0 = false }
            for headers in [Self.header, Self.cookie] {
                #expect(try await subject.call("GET", "/api/exits", headers: headers).status == 200)
            }
            #expect(try await subject.call("GET", "/api/exits", headers: Self.wrong).status == 401, "the first that counts")
        }
    }

    @Test func `what the store did not answer is no refused try in the audit log`() async throws {
        let store = OneCaller()
        store.isAway.withLock { $0 = true }
        try await Subject.with(.direct, parts: parts(store)) { subject in
            #expect(try await subject.call("GET", "/api/exits", headers: Self.wrong).status == 503)
            #expect(try await subject.call("GET", "/api/exits", headers: []).status == 401)
            func kinds() async throws -> [AuditEntry.Kind] {
                try await subject.api.audit.page(AuditQuery(), before: nil, limit: 10).entries.map(\.entry.kind)
            }
            // Entries are written in the order of the requests.
            try await eventually("the last one is written", within: 60) { try await !kinds().isEmpty }
            #expect(try await kinds() == [.refused])
        }
    }

    @Test func `while the store does not answer who was known stays known`() async throws {
        let store = OneCaller()
        let subject = try subject(store)
        for headers in [Self.header, Self.cookie] { _ = try await subject.call("GET", "/api/exits", headers: headers) }
        store.isAway.withLock { $0 = true }
        for headers in [Self.header, Self.cookie] {
            #expect(try await subject.call("GET", "/api/exits", headers: headers).status == 200)
        }
    }

    @Test func `while sessions are read for the first time none counts as ended`() async throws {
        let store = OneCaller()
        let table = SessionTable(keys: KeyRing([store.key]), store: store)
        let digest = store.session.digest
        let seen = Mutex<[Bool]>([])
        store.whileRead.withLock { $0 = { seen.withLock { $0.append(table.mayBeNew(digest)) } } }
        #expect(table.mayBeNew(digest) && table.found(digest) == nil)
        try await table.refresh()
        #expect(seen.withLock { $0 } == [true] && table.found(digest) != nil && !table.mayBeNew("e"))
    }

    @Test func `a browser that signs in while sessions are read keeps no other one out`() async throws {
        let store = OneCaller()
        let table = SessionTable(keys: KeyRing([store.key]), store: store)
        let (digest, key) = (store.session.digest, store.key)
        store.whileRead.withLock {
            $0 = {
                guard table.keyID("d") == nil else { return }
                table.insert(Session(id: "s2", digest: "d", key: key, createdAt: SystemClock.now(), address: "", userAgent: nil))
            }
        }
        try await table.refresh()
        #expect(table.found(digest) != nil)
    }
}
