import Control
import HTTPTransport
import Model
import Platform
@testable import sallyport
import Synchronization
import TestSupport
import Testing

/// What the address services say about an exit, by scripted services and a scripted proxy in front of them.
@Suite(.timeLimit(.minutes(1))) struct ProberTests {
    /// Services `/a` and `/b`, asked in this order: the country that each sees through the exit, nil for one that does not answer.
    private func sighting(_ a: String?, _ b: String?) async throws -> Sighting {
        let countries = ["/a": a, "/b": b]
        let exit = try ScriptedServer { connection in
            while let head = connection.head() {
                guard head.contains("Proxy-Authorization: Basic \(Self.secret)\r\n") else { return }
                let path = head.contains("/a HTTP") ? "/a" : "/b"
                guard let country = countries[path] ?? nil else { return }
                connection.answer(200, #"{"ip":"198.18.1.1","country":"\#(country)"}"#)
            }
        }
        let direct = try ScriptedServer { connection in
            while connection.head() != nil { connection.answer(200, #"{"ip":"198.18.9.9","country":"DE"}"#) }
        }
        defer {
            exit.stop()
            direct.stop()
        }
        let urls = ["a", "b"].map { "http://127.0.0.1:\(direct.port)/\($0)" }
        return try await Self.prober(urls).verify(try Self.proxy(exit))
    }

    private static let credentials = ExitCredentials(root: RootKey(text: Secret(String(repeating: "0a", count: 32))))
    /// What this exit, of this generation, is to be shown and nobody else.
    private static let secret = ExitCredentials.basic(credentials.own(ExitID("us-1")!, generation: 7))  // "us-1" is an id

    private static func prober(_ urls: [String] = []) -> HTTPProber {
        HTTPProber(
            client: HTTPClient(), services: AddressServices(.init(urls: urls)), checkName: "check.test", credentials: credentials,
            log: .none)
    }

    private static func proxy(_ exit: ScriptedServer, knowsCredential: Bool = true) throws -> ExitProxy {
        ExitProxy(
            endpoint: exit.endpoint, exit: try #require(ExitID("us-1")), generation: 7,
            knowsCredential: knowsCredential)
    }

    @Test(arguments: [401, 407]) func `an exit that refuses its own credential is another one, whoever asks`(status: Int) async throws {
        let other = try ScriptedServer { connection in
            while connection.head() != nil { connection.answer(status, "", headers: "Server: tinyproxy/1.11.1") }
        }
        defer { other.stop() }
        let proxy = try Self.proxy(other)
        let probed = try await #require(throws: ExitFailure.self) { try await Self.prober().probe(proxy, resolver: "198.18.0.80") }
        let url = "http://127.0.0.1:1/a"
        let verified = try await #require(throws: ExitFailure.self) { try await Self.prober([url]).verify(proxy) }
        for failure in [probed, verified] { #expect(failure.reason == .wrongProxy && !failure.isServersFault && !failure.isNotYet) }
    }

    @Test(arguments: [(400, "not_a_proxy_request"), (407, ""), (404, "")])
    func `an exit that answers with no status is of a version without one`(status: Int, body: String) async throws {
        let old = try ScriptedServer { connection in while connection.head() != nil { connection.answer(status, body) } }
        defer { old.stop() }
        #expect(try await Self.prober().status(of: Self.proxy(old)) == nil)
    }

    @Test func `an exit is asked for its status by the secret of its own, and says it or fails`() async throws {
        let body = Mutex("version 1\n")
        let exit = try ScriptedServer { connection in
            while let head = connection.head() {
                let isRight = head.hasPrefix("GET /status HTTP/1.1\r\n") && head.contains("Proxy-Authorization: Basic \(Self.secret)")
                connection.answer(isRight ? 200 : 407, body.withLock { $0 })
            }
        }
        defer { exit.stop() }
        await #expect(throws: ExitFailure.self) { try await Self.prober().status(of: Self.proxy(exit)) }
        body.withLock {
            $0 = "version 1\nconnections 2\n"
            for name in ["lookup", "connect"] { $0 += "\(name)s 1\n\(name)s_failed 0\n\(name)_milliseconds 5\n" }
            $0 += "received_bytes 7\nsent_bytes 8\n"
        }
        let status = try #require(try await Self.prober().status(of: Self.proxy(exit)))
        #expect(status.connections == 2 && status.tunnel.received == 7 && status.tunnel.handshakeAge == nil)
        #expect(try await Self.prober().status(of: Self.proxy(exit, knowsCredential: false)) == nil)
    }

    @Test func `an exit of an earlier version is shown nothing, which it would hand on`() async throws {
        let heads = Mutex<[String]>([])
        let old = try ScriptedServer { connection in
            while let head = connection.head() {
                heads.withLock { $0.append(head) }
                connection.answer(200, #"{"ip":"198.18.1.1","country":"US"}"#)
            }
        }
        defer { old.stop() }
        let proxy = try Self.proxy(old, knowsCredential: false)
        _ = try await Self.prober(["http://127.0.0.1:1/a"]).verify(proxy)
        _ = try? await Self.prober().probe(proxy, resolver: "198.18.0.80")
        #expect(heads.withLock { $0.count { !$0.lowercased().contains("authorization") } } >= 2)
        #expect(heads.withLock { $0.allSatisfy { !$0.lowercased().contains("authorization") } })
    }

    @Test(
        arguments: [
            ("US", nil, "US"), ("DE", "US", "US"), ("DE", "FR", "FR"), ("DE", nil, "DE"), (nil, "DE", "DE"), (nil, "US", "US"),
        ] as [(String?, String?, String)])
    func `where one service sees an exit elsewhere, another one is asked before that is believed`(
        a: String?, b: String?, seen: String
    ) async throws {
        let sighting = try await sighting(a, b)
        #expect(sighting.country?.rawValue == seen && sighting.address == "198.18.1.1")
    }
}
