import API
import FoundationEssentials
import HTTPServing
import HTTPTransport
import Model
import Platform
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

    let operations = FakeOperations()
    let api: API
    private let dispatcher: @Sendable (ServerRequest) -> Dispatch
    private let live: (server: HTTPServer, client: HTTPClient)?

    init(_ way: Way) throws {
        let keys = KeyRing(Self.keys.map { APIKey(name: $0.key.rawValue, role: $0.key, digest: Digest.sha256($0.value)) })
        api = API(operations: operations, keys: keys, proxy: ProxyAddress(host: "127.0.0.1", port: 8128), log: .none)
        dispatcher = api.dispatcher()
        live = way == .live ? (try HTTPServer(address: "127.0.0.1", port: 0, dispatch: dispatcher), HTTPClient()) : nil
    }

    /// Runs a body on an API, and ends its server.
    static func with(_ way: Way, _ body: (Subject) async throws -> Void) async throws {
        let subject = try Subject(way)
        do { try await body(subject) } catch {
            await subject.stop()
            throw error
        }
        await subject.stop()
    }

    private func stop() async {
        guard let live else { return }
        live.client.close()
        await live.server.stop()
    }

    /// - Parameter role: whose key goes along; nil for no key.
    func call(_ method: String, _ target: String, as role: Role? = .admin, body: String? = nil) async throws -> Answer {
        try await call(method, target, headers: role.flatMap { Self.keys[$0] }.map { [("X-API-Key", $0)] } ?? [], body: body)
    }

    func call(_ method: String, _ target: String, headers: [(name: String, value: String)], body: String? = nil) async throws -> Answer {
        if let live {
            let request = HTTPRequest(
                method, "http://127.0.0.1:\(live.server.port)\(target)", headers: headers, body: body.map { Array($0.utf8) })
            let response = try await live.client.send(request)
            return Answer(status: response.status, headers: response.headers, body: response.body)
        }
        guard let (path, query) = RequestTarget.parse(target) else { return Answer(status: 400, headers: [:], body: []) }
        let request = ServerRequest(
            method: method, path: path, query: query,
            headers: Dictionary(uniqueKeysWithValues: headers.map { ($0.name.lowercased(), $0.value) }),
            body: Array((body ?? "").utf8), id: "the-request")
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
