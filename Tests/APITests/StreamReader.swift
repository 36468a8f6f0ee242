@testable import API
@testable import HTTPServing
import HTTPTransport
import Model
import Platform
import Synchronization

/// One reader of a stream, and what it has got so far.
final class StreamReader: Sendable {
    static let admin = Subject.keys[.admin] ?? ""
    private final class Got: Sendable {
        let bytes = Mutex<[UInt8]>([])
        let count = Mutex(0)
        let hasEnded = Mutex(false)
    }

    private let got = Got()
    private let task: Task<Void, Never>

    /// - Parameter keeps: false where only the bytes' number is wanted.
    init(_ client: HTTPClient, _ url: String, last: String? = nil, keeps: Bool = true, key: String = StreamReader.admin) {
        let headers = [("X-API-Key", key)] + (last.map { [("Last-Event-ID", $0)] } ?? [])
        var request = HTTPRequest("GET", url, headers: headers.map { (name: $0.0, value: $0.1) })
        request.deadline = 100
        let asked = request
        task = Task { [got] in
            _ = try? await client.send(asked) { bytes in
                got.count.withLock { $0 += bytes.count }
                if keeps { got.bytes.withLock { $0 += bytes } }
                return true
            }
            got.hasEnded.withLock { $0 = true }
        }
    }

    var hasEnded: Bool { got.hasEnded.withLock { $0 } }
    var count: Int { got.count.withLock { $0 } }
    var text: String { String(decoding: got.bytes.withLock { $0 }, as: UTF8.self) }
    /// What was shown: blocks with an event, each by its lines' names.
    var events: [[Substring: Substring]] {
        text.split(separator: "\n\n").compactMap { block in
            let lines = block.split(separator: "\n").compactMap { line -> (Substring, Substring)? in
                guard let colon = line.firstRange(of: ": "), colon.lowerBound != line.startIndex else { return nil }
                return (line[..<colon.lowerBound], line[colon.upperBound...])
            }
            let fields = Dictionary(lines) { $1 }
            return fields["data"] == nil ? nil : fields
        }
    }
    /// Ids of these; empty where there is none.
    var ids: [String] { events.map { String($0["id"] ?? "") } }
    /// Where the reader is: the last id, also one that came without an event.
    var place: String? { text.split(separator: "\n").last { $0.hasPrefix("id: ") }.map { String($0.dropFirst(4)) } }
    func leave() { task.cancel() }

    /// Runs a body on an API that listens.
    /// - Parameter prepare: called before the API runs.
    static func withServer(
        prepare: (FakeOperations) -> Void = { _ in }, _ body: (API, FakeOperations, String, HTTPClient) async throws -> Void
    ) async throws {
        let subject = try Subject(.direct)
        prepare(subject.operations)
        var limits = HTTPServer.Limits()
        limits.connections = 1500
        let server = try HTTPServer(address: "127.0.0.1", port: 0, limits: limits, dispatch: subject.api.dispatcher())
        let client = HTTPClient()
        let running = Task { await subject.api.run() }
        func end() async {
            client.close()
            await server.stop()
            running.cancel()
        }
        do { try await body(subject.api, subject.operations, "http://127.0.0.1:\(server.port)", client) } catch {
            await end()
            throw error
        }
        await end()
    }
}
