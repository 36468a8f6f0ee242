import Control
import HTTPTransport
import Model
import Platform
@testable import sallyport
import Synchronization
import TestSupport
import Testing

/// How a target is asked through an exit, by a scripted proxy and target in one.
@Suite(.timeLimit(.minutes(1))) struct CanaryTests {
    private static let secret = ExitCredentials(root: RootKey(text: Secret(String(repeating: "0c", count: 32))))

    /// - Parameter answer: of the target.
    private func ask(_ canary: Canary, _ answer: String?) async throws -> (outcome: CanaryOutcome, heads: [String]) {
        let heads = Mutex<[String]>([])
        let exit = try ScriptedServer { connection in
            while let head = connection.head() {
                if head.hasPrefix("CONNECT") {
                    if answer == nil {
                        connection.answer(502, "", headers: "X-Sallyport-Reason: target_refused")
                        return
                    }
                    connection.write("HTTP/1.1 200 OK\r\n\r\n")
                    continue
                }
                heads.withLock { $0.append(head) }
                connection.write(answer ?? "")
                return
            }
        }
        let client = HTTPClient()
        defer {
            exit.stop()
            client.close()
        }
        let prober = HTTPProber(
            client: client, services: AddressServices(.init(urls: [])), checkName: "check.test", credentials: Self.secret, log: .none)
        let id = try #require(ExitID("us-1"))
        let outcome = await prober.ask(canary, through: ExitProxy(endpoint: exit.endpoint, exit: id, generation: 1, knowsCredential: true))
        return (outcome, heads.withLock { $0 })
    }

    private static func http(_ status: String, _ body: String) -> String {
        "HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
    }

    private static let shop = Canary(name: "shop", url: "http://shop.test/", text: "Basket")

    @Test(
        arguments: [
            (shop, http("200 OK", "<html>Basket</html>"), nil), (shop, http("200 OK", "Robot?"), "status 200 without the expected text"),
            (shop, http("403 Forbidden", "Basket"), "status 403"),
            (Canary(name: "a", url: "http://a.test"), http("301 Moved", ""), nil),
            (Canary(name: "a", url: "http://a.test"), http("503 Busy", ""), "status 503"),
            (Canary(name: "a", url: "http://a.test", statuses: [403]), http("403 No", String(repeating: "x", count: 900_000)), nil),
            (Canary(name: "a", url: "http://a.test", statuses: [403]), http("200 OK", ""), "status 200"),
            // What is read is bounded: the text comes too late.
            (shop, http("200 OK", String(repeating: "x", count: 900_000) + "Basket"), "status 200 without the expected text"),
        ] as [(Canary, String, String?)]) func `an answer is good by its status and text`(canary: Canary, answer: String, blocked: String?)
        async throws
    {
        let (outcome, heads) = try await ask(canary, answer)
        #expect(outcome == blocked.map { .blocked($0) } ?? .passed)
        #expect(heads.count == 1 && !heads[0].lowercased().contains("authorization") && heads[0].hasPrefix("GET / HTTP/1.1"), "no secret")
    }

    @Test func `a target that the exit does not reach is blocked, and an exit that is not reached says nothing`() async throws {
        guard case .blocked = try await ask(Self.shop, nil).outcome else { return #expect(Bool(false), "expected it to be blocked") }
        let client = HTTPClient()
        defer { client.close() }
        let prober = HTTPProber(
            client: client, services: AddressServices(.init(urls: [])), checkName: "check.test", credentials: Self.secret, log: .none)
        let nobody = ExitProxy(
            endpoint: Endpoint(address: "127.0.0.1", port: 1), exit: try #require(ExitID("us-1")), generation: 1, knowsCredential: true)
        #expect(await prober.ask(Self.shop, through: nobody) == .unknown)
    }

    @Test(
        arguments: [
            ("https://shop.example/", nil), ("http://198.18.0.80/shop", nil), ("ftp://x", "http"),
            ("https://a:b@shop.example/", "password"),
            ("http://127.0.0.1/", "private"), ("http://10.1.2.3:80/", "private"), ("http://[::1]/", "IPv6"),
            ("http://localhost/", "this machine"),
            ("https:///x", "no host"), ("http://192.168.1.1", "private"),
        ] as [(String, String?)]) func `a canary's URL has no secret and leads to the internet`(url: String, problem: String?)
    {
        let found = Configuration.problem(ofCanary: url)
        #expect(problem.map { found?.contains($0) ?? false } ?? (found == nil), "\(found ?? "no problem")")
        #expect(found?.contains("a:b") != true)
    }
}
