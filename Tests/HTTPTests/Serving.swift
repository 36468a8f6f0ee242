import HTTPServing
import HTTPTransport
import Platform
import Synchronization
import TestSupport

/// A server of our own with our own client; both end with the body.
func withServer(
    limits: HTTPServer.Limits = .init(), _ dispatch: @escaping @Sendable (ServerRequest) -> Dispatch,
    _ body: (_ client: HTTPClient, _ url: String, _ server: HTTPServer) async throws -> Void
) async throws {
    let server = try HTTPServer(address: "127.0.0.1", port: 0, limits: limits, dispatch: dispatch)
    let client = HTTPClient()
    do { try await body(client, "http://127.0.0.1:\(server.port)", server) } catch {
        client.close()
        await server.stop()
        throw error
    }
    client.close()
    await server.stop()
}

/// Answers with what it was asked.
@Sendable func echo(_ request: ServerRequest) -> Dispatch {
    let query = request.query.map { "\($0.name)=\($0.value)" }.joined(separator: "&")
    let text = "\(request.method) \(request.path.joined(separator: "|")) \(query) \(String(decoding: request.body, as: UTF8.self))"
    return .ready(ServerResponse(status: 200, headers: [("X-Kind", request.headers["x-kind"] ?? "none")], body: Array(text.utf8)))
}

/// Counts, on any thread.
final class Counter: Sendable {
    private let state = Mutex(0)
    var value: Int { state.withLock { $0 } }
    func add(_ number: Int = 1) { state.withLock { $0 += number } }
}
