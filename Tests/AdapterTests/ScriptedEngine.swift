import DockerEngine
import HTTPTransport
import TestSupport

/// An engine of which a test writes what it answers; `/_ping` is answered like API 1.41 does unless the test says otherwise.
struct ScriptedEngine {
    let server: ScriptedServer
    let address: String

    /// What it answers to `/_ping`.
    struct Ping: Sendable {
        let answer: @Sendable (ScriptedConnection) -> Void
        static func offers(_ version: String) -> Ping {
            Ping { $0.answer(200, "OK", headers: "Api-Version: \(version)", "Connection: close") }
        }
    }

    /// One that answers nothing but the ping.
    static func with(ping: Ping = .offers("1.41"), body: (EngineClient, ScriptedEngine) async throws -> Void) async throws {
        try await answering(ping: ping, { connection, _, _ in connection.hang() }, body: body)
    }

    /// - Parameter script: is given the request's "METHOD /path", and its body.
    static func answering(
        ping: Ping = .offers("1.41"), _ script: @escaping @Sendable (ScriptedConnection, String, String) -> Void,
        body: (EngineClient, ScriptedEngine) async throws -> Void
    ) async throws {
        let folder = try TemporaryFolder()
        let server = try ScriptedServer(unix: "\(folder.path)/engine.sock") { connection in
            guard let request = connection.request() else { return }
            let words = request.head.split(separator: " ")
            if words[1] == "/_ping" { return ping.answer(connection) }
            script(connection, "\(words[0]) \(words[1])", String(decoding: request.body, as: UTF8.self))
        }
        let client = HTTPClient()
        let engine = ScriptedEngine(server: server, address: "unix://\(folder.path)/engine.sock")
        let result = await Result { try await body(try EngineClient(address: engine.address, client: client), engine) }
        client.close()
        server.stop()
        try result.get()
    }
}
