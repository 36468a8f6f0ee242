@testable import HTTPServing
import Model
import Synchronization
import TestSupport
import Testing

/// A connection that says the same head again has it read once; anything else is read anew.
@Suite(.timeLimit(.minutes(2))) struct HeadCacheTests {
    private static let end = "GET /end HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    /// The heads that a server has seen, kept so that none takes another's place in memory.
    private final class Seen: Sendable {
        private let state = Mutex<[RequestHead]>([])
        var heads: [RequestHead] { state.withLock { $0 } }
        /// How many different ones there were.
        var read: Int { Set(heads.map(ObjectIdentifier.init)).count }
        func add(_ head: RequestHead) { state.withLock { $0.append(head) } }
    }

    /// Sends the requests one after another on one connection, all at once or each after the answer to the one before.
    private func heads(of requests: [String]) async throws -> Seen {
        let seen = Seen()
        try await withServer { request in
            if request.path != ["end"] { seen.add(request.head) }
            return echo(request)
        } _: { _, _, server in
            let raw = try Raw(port: server.port)
            raw.send(requests.joined() + Self.end)
            _ = try #require(try await raw.receiveAll())
        }
        return seen
    }

    @Test func `the same head a hundred times is read once`() async throws {
        let request = "GET /a?b=c HTTP/1.1\r\nHost: x\r\nX-Kind: odd\r\nX-API-Key: 0123\r\n\r\n"
        let seen = try await heads(of: [String](repeating: request, count: 100))
        #expect(seen.heads.count == 100 && seen.read == 1)
        #expect(seen.heads.last?.headers["x-kind"] == "odd" && seen.heads.last?.path == ["a"])
    }

    @Test(
        arguments: [
            "GET /b HTTP/1.1\r\nHost: x\r\nX-Kind: odd\r\n\r\n", "GET /a?b HTTP/1.1\r\nHost: x\r\nX-Kind: odd\r\n\r\n",
            "HEAD /a HTTP/1.1\r\nHost: x\r\nX-Kind: odd\r\n\r\n", "GET /a HTTP/1.1\r\nHost: y\r\nX-Kind: odd\r\n\r\n",
            "GET /a HTTP/1.1\r\nHost: x\r\nX-Kind: ode\r\n\r\n", "GET /a HTTP/1.1\r\nHost: x\r\nX-Kin: dodd\r\n\r\n",
            "GET /a HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a HTTP/1.1\r\nHost: x\r\nX-Kind: odd\r\nX-Kind: odd\r\n\r\n",
            "GET /a HTTP/1.1\r\nHost: x\r\nX-Kind: \r\n\r\n", "GET /a HTTP/1.1\r\nX-Kind: odd\r\nHost: x\r\n\r\n",
            "GET /a%00 HTTP/1.1\r\nHost: x\r\nX-Kind: odd\r\n\r\n",
            "GET /a HTTP/1.0\r\nHost: x\r\nX-Kind: odd\r\nConnection: keep-alive\r\n\r\n",
        ])
    func `a head that differs in anything is another`(other: String) async throws {
        let first = "GET /a HTTP/1.1\r\nHost: x\r\nX-Kind: odd\r\n\r\n"
        let seen = try await heads(of: [first, other, first])
        let heads = seen.heads
        // What can't be read reaches nobody.
        #expect(heads.count == (other.contains("%00") ? 2 : 3) && seen.read == heads.count)
        if heads.count == 3 { #expect(said(heads[0]) != said(heads[1]) || other.contains("1.0") || other.contains("X-Kind: odd\r\nHost")) }
        #expect(said(heads[0]) == said(try #require(heads.last)))
    }

    @Test func `a head that is long is read each time`() async throws {
        let request = "GET /a HTTP/1.1\r\nHost: x\r\nX-Long: \(String(repeating: "l", count: 3_000))\r\n\r\n"
        let seen = try await heads(of: [request, request])
        #expect(seen.heads.count == 2 && seen.read == 2)
    }

    @Test func `what is kept takes no more memory than it needs, whatever was read before`() {
        var (text, kept) = (HeadText(), HeadCache())
        func read(_ value: String) {
            text.removeAll()
            for part in ["GET", "HTTP/1.1", "Host", value] { Array(part.utf8).withUnsafeBytes { text.append($0) } }
            _ = kept.read(target: Array("/".utf8), text: text, limit: 100_000)
        }
        read(String(repeating: "l", count: 50_000))
        #expect(kept.text.bytes.isEmpty)
        read("short")
        #expect(kept.text == text && kept.text.bytes.capacity < 200 && text.bytes.capacity > 50_000)
    }

    /// Each request has a body and a name of its own, whatever its head.
    @Test func `bodies and names are not kept`() async throws {
        let requests = Mutex<[ServerRequest]>([])
        try await withServer { request in
            requests.withLock { $0.append(request) }
            return echo(request)
        } _: { _, _, server in
            let raw = try Raw(port: server.port)
            for word in ["one", "two", ""] {
                let size = word.isEmpty ? "Content-Length: 0\r\n\r\n" : "Content-Length: 3\r\n\r\n\(word)"
                raw.send("POST /a HTTP/1.1\r\nHost: x\r\n\(size)")
            }
            raw.send(Self.end)
            _ = try #require(try await raw.receiveAll())
        }
        let seen = requests.withLock { $0 }
        #expect(seen.map { String(decoding: $0.body, as: UTF8.self) } == ["one", "two", "", ""])
        #expect(seen[0].head === seen[1].head && seen[1].head !== seen[2].head)
        #expect(Set(seen.map(\.id)).count == 4)
    }

    @Test(arguments: 1...20)
    func `whatever came before on its connection, a request means what it means alone`(seed: Int) async throws {
        var generator = SplitMix64(state: UInt64(seed))
        func any(_ choices: [String]) -> String { choices.randomElement(using: &generator) ?? "" }
        let requests = (0..<60).map { _ in
            let fields = (0..<Int.random(in: 0...2, using: &generator)).map { _ in
                "X-\(any(["A", "AB", "a"])): \(any(["", "b", "bb", "a: b", "b, b"]))\r\n"
            }
            return "\(any(["GET", "HEAD"])) /\(any(["", "a", "a/", "a%2F", "a?b", "a?b="])) HTTP/1.1\r\nHost: x\r\n\(fields.joined())\r\n"
        }
        let together = try await heads(of: requests)
        #expect(together.heads.count == requests.count)
        for (index, request) in requests.enumerated() where index.isMultiple(of: 12) {
            let alone = try await heads(of: [request])
            #expect(alone.heads.map(said) == [said(together.heads[index])])
        }
    }

    private func said(_ head: RequestHead) -> String {
        let query = head.query.map { "\($0.name)=\($0.value)" }
        return "\(head.method) \(head.path) \(query) \(head.headers.sorted { $0.key < $1.key })"
    }
}
