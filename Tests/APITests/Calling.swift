@testable import API
@testable import AccessControl
import FoundationEssentials
import HTTPServing
import HTTPTransport
import Model
import Platform
@testable import RequestPipeline
import Testing

/// The two ways in which every test body runs.
enum Way: String, CaseIterable, Sendable, CustomTestStringConvertible {
    /// Through the table of routes, without a socket.
    case direct
    /// Through a server on a free port and our own client.
    case live
    var testDescription: String { rawValue }
}

struct Answer: Sendable {
    var status: Int
    var headers: [String: String]
    var body: [UInt8]
    var text: String { String(decoding: body, as: UTF8.self) }
    var json: Document { (try? JSONDecoder().decode(Document.self, from: Data(body))) ?? .null }
    subscript(_ name: String) -> Document? { if case .object(let fields) = json { fields[name] } else { nil } }
    var error: String? { if case .string(let word)? = self["error"] { word } else { nil } }
    /// The names under `fields`.
    var fields: [String] {
        guard case .array(let items)? = self["fields"] else { return [] }
        return items.compactMap { if case .object(let fields) = $0, case .string(let name)? = fields["field"] { name } else { nil } }
    }
}

/// An API over operations in memory, with one key of each role.
struct Subject: Sendable {
    static let keys: [Role: String] = Dictionary(
        uniqueKeysWithValues: Role.allCases.map { ($0, "\($0.rawValue)-" + String(repeating: "k", count: 40)) })

    /// That of alice.
    static let userToken = FakeOperations.token
    /// What opens a route.
    static func key(for call: RouteCase) -> String { call.isForUsers ? userToken : keys[.admin] ?? "" }

    let operations = FakeOperations()
    let api: API
    private let dispatcher: @Sendable (ServerRequest) -> Dispatch
    private let live: (server: HTTPServer, client: HTTPClient)?

    init(_ way: Way, settings: RequestSettings? = nil, parts: API.Parts = .init()) throws {
        var generous = RequestSettings()
        (generous.requests, generous.strictRequests, generous.failedKeys) = (100_000, 100_000, 100_000)
        (generous.streams, generous.streamsPerKey) = (100_000, 100_000)
        let keys = KeyRing(Self.keys.map { APIKey(name: $0.key.rawValue, role: $0.key, digest: Digest.sha256($0.value)) })
        // A key that was made through the API, under the id that the table has as its example.
        let digest = Digest.sha256(KeyRoutes.keyExample)
        keys.add(APIKey(id: "k3f9ab27c", name: "stored", role: .viewer, digest: digest, createdAt: SystemClock.now()))
        var parts = parts
        let hooks = FakeWebhooks()
        parts.events = parts.events ?? operations
        (parts.webhooks, parts.webhookSender) = (parts.webhooks ?? hooks, parts.webhookSender ?? hooks)
        api = API(
            operations: operations, keys: keys, proxy: ProxyAddress(host: "127.0.0.1", port: 8128), settings: settings ?? generous,
            parts: parts, log: .none)
        dispatcher = api.dispatcher()
        live =
            way == .live
            ? (try HTTPServer(address: "127.0.0.1", port: 0, refuse: api.refuser(), dispatch: dispatcher), HTTPClient()) : nil
    }

    /// Runs a body on an API, and ends its server.
    static func with(
        _ way: Way, settings: RequestSettings? = nil, parts: API.Parts = .init(), _ body: (Subject) async throws -> Void
    ) async throws {
        let subject = try Subject(way, settings: settings, parts: parts)
        let running = Task { [api = subject.api] in await api.run() }
        defer { running.cancel() }
        do { try await body(subject) } catch {
            await subject.stop()
            throw error
        }
        await subject.stop()
    }

    /// A session of a role's key, under the id that the table has as its example.
    /// - Returns: the cookie that it comes with.
    @discardableResult
    func addSession(of role: Role, id: String = "s3f9ab27c1d2e", token: String = SessionCookie.token()) async throws -> String {
        guard let key = api.callers.keys.present("config.\(role.rawValue)") else { return "" }
        let session = Session(
            id: id, digest: Digest.sha256(token), key: key, createdAt: SystemClock.now(), address: "127.0.0.1", userAgent: "a browser")
        try await api.callers.sessions.add(session)
        return "sallyport_session=\(token)"
    }

    /// Where it listens; nil without a socket.
    var port: Int? { live?.server.port }

    private func stop() async {
        guard let live else { return }
        live.client.close()
        await live.server.stop()
    }

    /// - Parameter role: whose key goes along; nil for no key.
    func call(_ method: String, _ target: String, as role: Role? = .admin, body: String? = nil) async throws -> Answer {
        try await call(method, target, headers: role.flatMap { Self.keys[$0] }.map { [("X-API-Key", $0)] } ?? [], body: body)
    }

    private static func completed(_ headers: [(name: String, value: String)], _ body: String?) -> [(name: String, value: String)] {
        guard body != nil, !headers.contains(where: { $0.name.lowercased() == "content-type" }) else { return headers }
        return headers + [("Content-Type", "application/json")]
    }

    func call(_ method: String, _ target: String, headers: [(name: String, value: String)], body: String? = nil) async throws -> Answer {
        if let live {
            let request = HTTPRequest(
                method, "http://127.0.0.1:\(live.server.port)\(target)", headers: Self.completed(headers, body),
                body: body.map { Array($0.utf8) })
            let response = try await live.client.send(request)
            return Answer(status: response.status, headers: response.headers, body: response.body)
        }
        guard let (path, query) = RequestTarget.parse(target) else { return Answer(status: 400, headers: [:], body: []) }
        let head = RequestHead(
            method: method, path: path, query: query,
            headers: Dictionary(uniqueKeysWithValues: Self.completed(headers, body).map { ($0.name.lowercased(), $0.value) }))
        let request = ServerRequest(
            head: head, body: Array((body ?? "").utf8), clientAddress: "127.0.0.1", id: "the-request")
        let response: ServerResponse
        switch dispatcher(request) {
        case .ready(let ready): response = ready
        case .waiting(let work): response = await work()
        }
        return Answer(
            status: response.status,
            headers: Dictionary(response.headers.map { ($0.name.lowercased(), $0.value) }, uniquingKeysWith: { $1 }),
            body: response.body)
    }
}
