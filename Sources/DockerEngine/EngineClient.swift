package import HTTPTransport
import Platform
import Synchronization

/// A client for the Docker Engine API over its Unix socket. Every call has a deadline; none is repeated by itself.
///
/// Source: https://docs.docker.com/reference/api/engine/, versions 1.40 to 1.47.
package final class EngineClient: Sendable {
    package static let oldestVersion = APIVersion(major: 1, minor: 40)
    package static let newestVersion = APIVersion(major: 1, minor: 47)

    private let client: HTTPClient
    private let socket: String
    private let negotiated = Mutex<String?>(nil)
    /// The last answer to a list of containers, and what it said.
    let lastList = Mutex<(body: [UInt8], containers: [ContainerSummary])?>(nil)

    /// - Parameter address: as in `DOCKER_HOST`: `unix:///var/run/docker.sock`, or the socket's path.
    package init(address: String, client: HTTPClient) throws {
        guard let socket = Self.socketPath(address) else {
            throw EngineError(
                code: .unavailable, action: "reading the engine's address",
                message: "\(address) is not a Unix socket, expected unix:///path/to/docker.sock")
        }
        self.socket = socket
        self.client = client
    }

    package static func socketPath(_ address: String) -> String? {
        if address.hasPrefix("unix://") { return String(address.dropFirst("unix://".count)) }
        return address.hasPrefix("/") ? address : nil
    }

    // MARK: - Calls

    /// Sends a call and returns its answer; a status from 300 is thrown as `EngineError`.
    /// - Parameter deadline: seconds.
    @discardableResult
    func call(
        _ method: String, _ path: String, body: [UInt8]? = nil, type: String = "application/json", deadline: Double = 15,
        action: String
    ) async throws -> HTTPResponse {
        let request = try await self.request(method, path, body: body, type: type, deadline: deadline, action: action)
        return try Self.checked(try await send(request, action: action), action: action)
    }

    func call(_ method: String, _ path: String, json: some Encodable, deadline: Double = 15, action: String) async throws -> HTTPResponse {
        try await call(method, path, body: try EngineCoding.encode(json), deadline: deadline, action: action)
    }

    func get<Answer: Decodable>(_ path: String, as type: Answer.Type, deadline: Double = 15, action: String) async throws -> Answer {
        try Self.decode(type, try await call("GET", path, deadline: deadline, action: action), action: action)
    }

    func stream(_ method: String, _ path: String, body: [UInt8]? = nil, type: String = "application/json", deadline: Double, action: String)
        async throws -> AsyncThrowingStream<[UInt8], any Error>
    {
        client.stream(try await request(method, path, body: body, type: type, deadline: deadline, action: action))
    }

    static func decode<Answer: Decodable>(_ type: Answer.Type, _ response: HTTPResponse, action: String) throws -> Answer {
        do {
            return try EngineCoding.decode(type, from: response.body)
        } catch {
            throw EngineError(code: .unreadable, action: action, message: "the engine's answer can't be read")
        }
    }

    private func send(_ request: HTTPRequest, action: String) async throws -> HTTPResponse {
        do {
            let response = try await client.send(request)
            Metrics.engineCalls.add(1, request.method, String(response.status))
            Metrics.engineSeconds.observe(response.seconds, request.method)
            return response
        } catch let error as TransportError where error.code != .cancelled {
            Metrics.engineCalls.add(1, request.method, error.code == .timedOut ? "timeout" : "unreachable")
            if error.code == .timedOut {
                throw EngineError(code: .timedOut, action: action, message: "the engine did not answer within \(request.deadline) s")
            }
            negotiated.withLock { $0 = nil }
            let trouble = EngineSocket.trouble(socket)?.words ?? "no Docker Engine answers on \(socket) (\(error.message))"
            throw EngineError(code: .unavailable, action: action, message: trouble)
        }
    }

    private func request(_ method: String, _ path: String, body: [UInt8]?, type: String, deadline: Double, action: String)
        async throws -> HTTPRequest
    {
        let version = try await version(action: action)
        var request = HTTPRequest(method, "http://engine/v\(version)\(path)", body: body)
        if body != nil { request.headers.append(("Content-Type", type)) }
        request.unixSocket = socket
        request.deadline = deadline
        return request
    }

    static func checked(_ response: HTTPResponse, action: String) throws -> HTTPResponse {
        guard response.status >= 300 else { return response }
        let code: EngineError.Code =
            switch response.status {
            case 404: .notFound
            case 304, 409: .conflict
            // Never the engine's own: the guard before it finds none.
            case 502: .unavailable
            default: .refused
            }
        throw EngineError(code: code, action: action, message: message(of: response))
    }

    /// The engine's own words, bounded.
    private static func message(of response: HTTPResponse) -> String {
        struct Body: Decodable { let message: String }
        let words = (try? EngineCoding.decode(Body.self, from: response.body))?.message ?? "HTTP status \(response.status)"
        return String(words.prefix(500))
    }

    // MARK: - Version

    /// What is wrong with the engine's socket, and what to do; nil where a connection can be made.
    package var socketTrouble: (problem: String, remedy: String)? {
        EngineSocket.trouble(socket).map { ($0.problem, $0.remedy) }
    }

    /// Who answers, in its own words: "Docker/20.10.24 (linux)"; nil where it does not say.
    package func software() async throws -> String? {
        var ping = HTTPRequest("GET", "http://engine/_ping")
        ping.unixSocket = socket
        ping.deadline = 5
        return try await send(ping, action: "asking who the engine is").headers["server"]
    }

    /// The newest version that both sides speak: "1.41".
    package func version(action: String = "asking the engine's version") async throws -> String {
        if let version = negotiated.withLock({ $0 }) { return version }
        var ping = HTTPRequest("GET", "http://engine/_ping")
        ping.unixSocket = socket
        ping.deadline = 5
        let response = try Self.checked(try await send(ping, action: action), action: action)
        guard response.headers["libpod-api-version"] == nil else {
            throw EngineError(
                code: .unreadable, action: action,
                message: "what answers on \(socket) is Podman, which does not say when a name or an address is taken: set docker.host to a "
                    + "Docker Engine's socket")
        }
        guard let offered = APIVersion(response.headers["api-version"] ?? "") else {
            throw EngineError(code: .unreadable, action: action, message: "what answers on \(socket) is not a Docker Engine")
        }
        guard offered >= Self.oldestVersion else {
            throw EngineError(
                code: .tooOld, action: action, message: "the engine speaks API \(offered), expected \(Self.oldestVersion) or newer")
        }
        let version = min(offered, Self.newestVersion).description
        negotiated.withLock { $0 = version }
        return version
    }
}

/// A version of the Engine API: "1.41".
package struct APIVersion: Comparable, CustomStringConvertible {
    package var major: Int
    package var minor: Int

    init(major: Int, minor: Int) {
        self.major = major
        self.minor = minor
    }

    init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 2, let major = parts[0], let minor = parts[1] else { return nil }
        self.init(major: major, minor: minor)
    }

    package var description: String { "\(major).\(minor)" }
    package static func < (left: APIVersion, right: APIVersion) -> Bool { (left.major, left.minor) < (right.major, right.minor) }
}

/// A name of ours as a part of a call's path or query.
func escaped(_ text: String) -> String { PercentEncoding.encode(text) }
